//! The servers that files are compared with, each started on a socket in a folder of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use redis::{Connection, ToRedisArgs};
use tempfile::TempDir;

/// How long a server may take until it answers.
const PATIENCE: Duration = Duration::from_secs(30);

/// No arguments.
pub(crate) const NOTHING: &[&str] = &[];

/// A server program.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    /// "6.2.14".
    pub(crate) version: String,
    pub(crate) valkey: bool,
    /// A module that came with it.
    pub(crate) module: Option<PathBuf>,
}

impl Program {
    /// A package of tests/servers.txt, as tests/run installs it.
    pub(crate) fn packaged(package: &str, version: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace's root");
        let folder = root.join("target/servers").join(package);
        let named = |names: &[&str]| find(&folder, names);
        let path = named(&["redis-server", "valkey-server"]).unwrap_or_else(|| {
            panic!("no server program in {}: tests/run installs it; run that", folder.display())
        });
        let found = Self { module: named(&["falkordb.so"]), ..Self::at(path) };
        assert_eq!(found.version, version, "{} is another version", found.path.display());
        found
    }

    /// The one on `PATH` that the sandbox uses, too.
    pub(crate) fn on_path() -> Self {
        let path = std::env::var_os("PATH").expect("a PATH");
        let found = std::env::split_paths(&path)
            .flat_map(|folder| [folder.join("redis-server"), folder.join("valkey-server")])
            .find(|program| program.is_file());
        Self::at(found.expect("no redis-server or valkey-server on PATH: tests/run installs one"))
    }

    fn at(path: PathBuf) -> Self {
        let said =
            Command::new(&path).arg("--version").output().expect("the server program starts");
        let said = String::from_utf8(said.stdout).expect("text");
        let version = said.split("v=").nth(1).and_then(|rest| rest.split(' ').next());
        let version = version.unwrap_or_else(|| panic!("{}: {said}", path.display())).to_owned();
        Self { path, version, valkey: said.starts_with("Valkey"), module: None }
    }

    pub(crate) fn major(&self) -> u32 {
        self.version.split('.').next().and_then(|n| n.parse().ok()).expect("a version")
    }

    pub(crate) fn start(&self, options: &[&str]) -> Server {
        let folder = tempfile::Builder::new().prefix("rdb").tempdir().expect("a folder");
        let mut command = Command::new(&self.path);
        command
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--daemonize", "no"])
            .args(["--unixsocket", "s", "--dbfilename", "dump.rdb", "--dir"])
            .arg(folder.path())
            .args(options);
        if let Some(module) = &self.module {
            // FalkorDB notes what graphs were asked in a key of its own, some time later: no key may appear by itself.
            command.arg("--loadmodule").arg(module).args(["CMD_INFO", "no"]);
        }
        let log = std::fs::File::create(folder.path().join("log")).expect("a log file");
        let process = command
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log file"))
            .stderr(log)
            .spawn()
            .expect("the server program starts");
        Server { process, folder }
    }
}

fn find(folder: &Path, names: &[&str]) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?;
    entries.flatten().map(|entry| entry.path()).find_map(|path| {
        if path.is_dir() {
            return find(&path, names);
        }
        let name = path.file_name()?.to_str()?;
        names.contains(&name).then_some(path)
    })
}

/// A running server. It ends with this.
pub(crate) struct Server {
    process: Child,
    folder: TempDir,
}

impl Server {
    pub(crate) fn connect(&mut self) -> Connection {
        let address = format!("redis+unix://{}", self.folder.path().join("s").display());
        let client = redis::Client::open(address).expect("an address");
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Ok(mut connection) = client.get_connection()
                && redis::cmd("PING").query::<String>(&mut connection).is_ok()
            {
                return connection;
            }
            let over = self.process.try_wait().expect("a process of ours").is_some();
            let log =
                || std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(!over && Instant::now() < deadline, "it does not answer:\n{}", log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Saves, and gives the file.
    pub(crate) fn saved(&self, connection: &mut Connection) -> PathBuf {
        run(connection, "SAVE", NOTHING);
        self.folder.path().join("dump.rdb")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(crate) fn run(connection: &mut Connection, command: &str, arguments: impl ToRedisArgs) {
    ask::<redis::Value>(connection, command, arguments);
}

pub(crate) fn ask<T: redis::FromRedisValue>(
    connection: &mut Connection,
    command: &str,
    arguments: impl ToRedisArgs,
) -> T {
    let mut words = command.split(' ');
    let mut asked = redis::cmd(words.next().expect("a command"));
    for word in words {
        asked.arg(word);
    }
    let answer = asked.arg(arguments).query(connection);
    answer.unwrap_or_else(|error| panic!("{command}: {error}"))
}

/// Whether the server knows a command.
pub(crate) fn knows(connection: &mut Connection, command: &str) -> bool {
    let found: Vec<redis::Value> = ask(connection, "COMMAND INFO", command);
    matches!(found.first(), Some(redis::Value::Array(_)))
}
