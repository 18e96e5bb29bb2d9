//! Real servers for tests: `redis-server` processes on loopback, gone when the test ends.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use aws_smithy_mocks::Rule;
use redis::Value;
use serde_json::json;
use tempfile::TempDir;

use super::compare::{Compare, Output};
use super::plane::{DataPlane, Target};
use crate::engine::{Clock, Cx, Failure, Ledger, Sink};
use crate::steps::{Done, Env, Step, testing};

/// One server and the directory it runs in.
pub(super) struct Server {
    child: Child,
    pub(super) port: u16,
    dir: TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    pub(super) fn start() -> Self {
        Self::with(&[], |_| Vec::new())
    }

    /// Starts with these options, and those that `more` makes of the directory.
    pub(super) fn with(options: &[&str], more: impl FnOnce(&Path) -> Vec<String>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let port = free_port();
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
        command.args(["--dir", dir.path().to_str().unwrap()]);
        // A later --port wins, so that a TLS server can put its own there.
        command
            .args(options)
            .args(more(dir.path()).iter().map(|o| o.replace("PORT", &port.to_string())));
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("redis-server is installed");
        let server = Self { child, port, dir };
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(started.elapsed() < Duration::from_secs(10), "redis-server does not start");
            std::thread::sleep(Duration::from_millis(10));
        }
        server
    }

    pub(super) fn endpoint(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(super) fn target(&self) -> Target {
        let host = "127.0.0.1".to_owned();
        Target { host, port: self.port, tls: false, user: None, password: None }
    }

    pub(super) fn conn(&self) -> Conn {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", self.port)).unwrap();
        Conn(client.get_connection().unwrap())
    }

    /// A file in the server's directory.
    pub(super) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.dir.path().join(name)).unwrap()
    }
}

/// A plain connection.
pub(super) struct Conn(redis::Connection);

impl Conn {
    pub(super) fn try_run(&mut self, words: &[&[u8]]) -> redis::RedisResult<Value> {
        let mut cmd = redis::Cmd::new();
        words.iter().for_each(|word| {
            cmd.arg(*word);
        });
        cmd.query(&mut self.0)
    }

    pub(super) fn run(&mut self, words: &[&[u8]]) -> Value {
        let shown: Vec<_> = words.iter().map(|w| String::from_utf8_lossy(w)).collect();
        self.try_run(words).unwrap_or_else(|error| panic!("{shown:?}: {error}"))
    }

    /// A line of words without spaces in them.
    pub(super) fn say(&mut self, line: &str) -> Value {
        let words: Vec<&[u8]> = line.split_whitespace().map(str::as_bytes).collect();
        self.run(&words)
    }

    pub(super) fn pipeline(&mut self, pipe: &redis::Pipeline) {
        pipe.query::<Vec<Value>>(&mut self.0).unwrap();
    }
}

/// Servers that share the slots among them.
pub(super) fn cluster(shards: u16) -> Vec<Server> {
    let servers: Vec<Server> = (0..shards)
        .map(|_| {
            Server::with(&["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"], |_| {
                Vec::new()
            })
        })
        .collect();
    let each = 16_384_u16.div_ceil(shards);
    for (index, server) in (0_u16..).zip(&servers) {
        let mut conn = server.conn();
        conn.say(&format!("CLUSTER SET-CONFIG-EPOCH {}", index + 1));
        let last = ((index + 1) * each).min(16_384) - 1;
        conn.say(&format!("CLUSTER ADDSLOTSRANGE {} {last}", index * each));
        if index > 0 {
            conn.say(&format!("CLUSTER MEET 127.0.0.1 {}", servers[0].port));
        }
    }
    let started = Instant::now();
    let agreed = |server: &Server| match server.conn().say("CLUSTER INFO") {
        Value::BulkString(text) => {
            let text = String::from_utf8(text).unwrap();
            text.contains("cluster_state:ok") && text.contains("cluster_slots_ok:16384")
        }
        Value::VerbatimString { text, .. } => text.contains("cluster_state:ok"),
        _ => false,
    };
    while !servers.iter().all(agreed) {
        assert!(started.elapsed() < Duration::from_secs(20), "the cluster does not form");
        std::thread::sleep(Duration::from_millis(50));
    }
    servers
}

/// Runs a command on whichever server takes it.
pub(super) fn anywhere(servers: &[Server], words: &[&[u8]]) -> Value {
    let mut answers = servers.iter().map(|server| server.conn().try_run(words));
    answers.find_map(Result::ok).expect("one server takes the command")
}

/// Copies every key as it is.
pub(super) fn copy(from: &[Server], to: &[Server]) {
    for server in from {
        let mut conn = server.conn();
        let Value::Array(keys) = conn.say("KEYS *") else { panic!("KEYS gives a list") };
        for key in keys {
            let Value::BulkString(key) = key else { panic!("a key is a string") };
            let Value::Int(expiry) = conn.run(&[b"PEXPIRETIME", &key]) else { panic!("a number") };
            let Value::BulkString(dump) = conn.run(&[b"DUMP", &key]) else { panic!("a dump") };
            let expiry = expiry.max(0).to_string();
            anywhere(to, &[b"RESTORE", &key, expiry.as_bytes(), &dump, b"REPLACE", b"ABSTTL"]);
        }
    }
}

/// An environment that answers no AWS call.
pub(super) fn env(data: Rc<dyn DataPlane>) -> Env {
    let none: &[&Rule] = &[];
    env_with(data, none, none)
}

/// An environment whose Secrets Manager and Systems Manager answer so.
pub(super) fn env_with(data: Rc<dyn DataPlane>, secrets: &[&Rule], parameters: &[&Rule]) -> Env {
    let (secretsmanager, ssm) = (secrets.to_vec(), parameters.to_vec());
    let rules = testing::Rules { secretsmanager, ssm, ..testing::Rules::default() };
    testing::env_by(testing::clients(rules), data)
}

pub(super) fn cx(clock: Clock, sink: Sink) -> Cx {
    let ledger = Rc::new(Ledger::none(clock.clone(), sink));
    Cx::reading("0000000001".parse().unwrap(), "compare", ledger, clock)
}

/// Runs `redis.compare` with these arguments.
pub(super) async fn run(env: &Env, args: serde_json::Value, cx: &Cx) -> Result<Output, Failure> {
    let spec = serde_json::from_value(args).expect("the arguments fit");
    let (prepared, _) = Compare::prepare(env, &spec, cx).await?;
    match Compare::execute(env, &spec, &prepared, cx).await? {
        Done::Unchanged(output) => Ok(output),
        other => panic!("it only reads: {other:?}"),
    }
}

/// Compares two servers without TLS or passwords over the wire.
pub(super) async fn compare(source: &Server, target: &Server) -> Result<Output, Failure> {
    let env = env(Rc::new(super::Wire::new(None)));
    let args = json!({
        "source": { "endpoint": source.endpoint(), "tls": false },
        "target": { "endpoint": target.endpoint(), "tls": false },
    });
    run(&env, args, &cx(Clock::system(), Rc::new(|_| {}))).await
}

/// A port below 55,536, so that a cluster's bus, 10,000 above, has one too.
fn free_port() -> u16 {
    loop {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        if port < 55_000 {
            return port;
        }
    }
}
