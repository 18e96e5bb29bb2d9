//! The program as a process, hermetic: no home, no AWS configuration, a state directory of its own.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_orchestrate");

/// A folder of its own for state and files.
pub(crate) struct Place {
    pub(crate) folder: TempDir,
}

/// What a finished process said.
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// Standard output and error, for messages.
    pub(crate) fn all(&self) -> String {
        format!(
            "exit {:?}\n------- stdout\n{}------- stderr\n{}[EOF]",
            self.code, self.out, self.err
        )
    }

    #[track_caller]
    pub(crate) fn ends_with(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "{}", self.all());
        self
    }

    #[track_caller]
    pub(crate) fn says(&self, words: &str) -> &Self {
        assert!(
            self.out.contains(words) || self.err.contains(words),
            "no \"{words}\" in\n{}",
            self.all()
        );
        self
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).expect("a file in the temporary folder");
        path
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.path("state")
    }

    /// The program with nothing but what is named here in its environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command
            .args(arguments)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("USER", "tester")
            .env("ORCHESTRATE_STATE_DIR", self.state())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        self.command(arguments).output().expect("the program starts").into()
    }

    /// The runs in the state directory.
    pub(crate) fn runs(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.state().join("runs")) else { return Vec::new() };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    pub(crate) fn journal(&self, run: &str) -> PathBuf {
        self.state().join("runs").join(run).join("journal.jsonl")
    }
}

/// `orchestrate sandbox` as a process; ends with the value.
pub(crate) struct Served {
    child: Child,
    pub(crate) endpoint: String,
    pub(crate) environment: Vec<(String, String)>,
}

impl Served {
    pub(crate) fn start(place: &Place, arguments: &[&str]) -> Self {
        let mut all = vec!["sandbox", "--json", "--port", "0"];
        all.extend_from_slice(arguments);
        let mut child = place
            .command(&all)
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the sandbox starts");
        let mut reader = BufReader::new(child.stdout.take().expect("its output is piped"));
        let mut line = String::new();
        reader.read_line(&mut line).expect("it announces itself");
        let said: Value = serde_json::from_str(&line)
            .unwrap_or_else(|e| panic!("the sandbox announced itself with {line:?}: {e}"));
        // Keep reading, so that it never blocks on a full pipe.
        std::thread::spawn(move || std::io::copy(&mut reader, &mut std::io::sink()));
        let environment = said["data"]["environment"].as_object().expect("an environment");
        let text = |v: &Value| v.as_str().expect("text").to_owned();
        Self {
            endpoint: text(&said["data"]["endpoint"]),
            environment: environment.iter().map(|(k, v)| (k.clone(), text(v))).collect(),
            child,
        }
    }

    /// The program, pointed at this sandbox.
    pub(crate) fn command(&self, place: &Place, arguments: &[&str]) -> Command {
        let mut command = place.command(arguments);
        command.envs(self.environment.iter().map(|(k, v)| (k, v)));
        command
    }

    pub(crate) fn run(&self, place: &Place, arguments: &[&str]) -> Said {
        self.command(place, arguments).output().expect("the program starts").into()
    }

    /// What the sandbox answers under `/_sandbox/`.
    pub(crate) fn ask(&self, path: &str) -> Value {
        use std::io::{Read, Write};
        let address = self.endpoint.trim_start_matches("http://");
        let mut stream = std::net::TcpStream::connect(address).expect("the sandbox listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
        write!(
            stream,
            "GET /_sandbox/{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
        )
        .expect("a request");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an answer");
        let text = String::from_utf8(answer).expect("UTF-8");
        let body = text.split_once("\r\n\r\n").expect("a body").1;
        serde_json::from_str(body).unwrap_or_else(|e| panic!("{path} answered {text}: {e}"))
    }

    /// How often an operation took effect.
    pub(crate) fn effects(&self, operation: &str) -> usize {
        let calls = self.ask("calls");
        let calls = calls.as_array().expect("a list of calls");
        calls
            .iter()
            .filter(|call| call["operation"] == operation && call["outcome"].get("error").is_none())
            .count()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits, at most twenty seconds, until something is so.
#[track_caller]
pub(crate) fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < Duration::from_secs(20), "never happened: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Sends a signal by number.
pub(crate) fn signal(child: &Child, number: i32) {
    let status = Command::new("kill")
        .args([format!("-{number}"), child.id().to_string()])
        .status()
        .expect("kill is there");
    assert!(status.success(), "the process took no signal");
}

/// Whether any process has `word` in its command line and `parent` among its ancestors' working folders is not asked:
/// the sandbox's servers carry the name of its temporary folder.
pub(crate) fn processes_with(word: &str) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(|entry| {
            let path: PathBuf = entry.ok()?.path();
            read_command_line(&path).filter(|line| line.contains(word))
        })
        .collect()
}

fn read_command_line(process: &Path) -> Option<String> {
    let line = std::fs::read(process.join("cmdline")).ok()?;
    Some(String::from_utf8_lossy(&line).replace('\0', " "))
}
