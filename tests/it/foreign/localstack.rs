//! The migration with S3, SSM, Secrets Manager, Route 53 and STS from LocalStack, and ElastiCache and MemoryDB from the sandbox,
//! whose exports and restores go through LocalStack's S3.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::venv;
use crate::program::{Place, Said, Served, signal};
use crate::world::playbook_path;

/// The services that LocalStack has, as the standard variables name them.
const SERVICES: [&str; 5] = ["S3", "SSM", "SECRETS_MANAGER", "ROUTE_53", "STS"];
const PATIENCE: Duration = Duration::from_secs(90);

/// `localstack/start` as a process; ends with the value.
struct LocalStack {
    child: Child,
    port: u16,
}

impl LocalStack {
    fn start(place: &Place) -> Self {
        assert!(
            std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("target/localstack/installed.txt")
                .exists(),
            "tests/run installs LocalStack where there is Python 3.12 or later; run that"
        );
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = free.local_addr().expect("its number").port();
        drop(free);
        let log = std::fs::File::create(place.path("localstack.log")).expect("a log");
        let child = Command::new("localstack/start")
            .arg(port.to_string())
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("TMPDIR", place.folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .expect("localstack/start starts");
        let stack = Self { child, port };
        let begun = Instant::now();
        while !stack.healthy() {
            let log = std::fs::read_to_string(place.path("localstack.log")).unwrap_or_default();
            assert!(begun.elapsed() < PATIENCE, "LocalStack does not answer:\n{log}");
            std::thread::sleep(Duration::from_millis(200));
        }
        stack
    }

    fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn healthy(&self) -> bool {
        let asked = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
            stream.set_read_timeout(Some(Duration::from_secs(5)))?;
            write!(
                stream,
                "GET /_localstack/health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
            )?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        };
        asked().is_ok_and(|answer| answer.contains("\"s3\": \"running\""))
    }

    /// Endpoints as the README of localstack/ sets them.
    fn environment(&self) -> Vec<(String, String)> {
        let mut environment = vec![
            ("AWS_ACCESS_KEY_ID".to_owned(), "123456789012".to_owned()),
            ("AWS_DEFAULT_REGION".to_owned(), "us-east-1".to_owned()),
        ];
        let named = |service: &str| (format!("AWS_ENDPOINT_URL_{service}"), self.endpoint());
        environment.extend(SERVICES.map(named));
        environment
    }
}

impl Drop for LocalStack {
    fn drop(&mut self) {
        signal(&self.child, 15);
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(15) {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = self.child.kill();
    }
}

/// The quickstart, with all three sorts of pointers.
fn playbook(place: &Place, zone: &str) -> String {
    let quickstart = std::fs::read_to_string(playbook_path("quickstart")).expect("the quickstart");
    let target = "        - ssm_parameter: /demo/redis/endpoint\n";
    assert!(quickstart.contains(target), "the quickstart switches its parameter");
    let targets = format!(
        "{target}        - secret: demo/redis\n          format: json\n          fields: {{ host: host, port: port }}
        - route53_record: redis.demo.internal\n          zone: {zone}\n      settle: 1s\n"
    );
    let path = place.write("localstack.yaml", quickstart.replace(target, &targets));
    path.to_str().expect("UTF-8").to_owned()
}

#[test]
fn the_migration_runs_with_localstack_there_and_back() {
    let place = Place::new();
    let stack = LocalStack::start(&place);
    let quickstart = playbook_path("quickstart");
    let quickstart = quickstart.to_str().expect("UTF-8");
    let mut served =
        Served::start(&place, &["--speed", "3000", "--s3-endpoint", &stack.endpoint(), quickstart]);
    served.environment.extend(stack.environment());
    let python = |arguments: &[&str]| -> Said {
        let mut command = served.command(&place, &[]);
        let mut python = Command::new(venv("python"));
        python.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).env_clear();
        python.envs(
            command.envs(Vec::<(&str, &str)>::new()).get_envs().filter_map(|(k, v)| Some((k, v?))),
        );
        python.output().expect("Python starts").into()
    };
    let seeded = python(&["tests/foreign/seed_localstack.py"]);
    seeded.ends_with(0);
    let zone = seeded.out.trim();
    let look = || -> Value {
        let said = python(&["tests/foreign/look_localstack.py", zone]);
        serde_json::from_str(&said.ends_with(0).out).expect("JSON")
    };
    let before = look();
    assert_eq!(before["objects"], serde_json::json!({}), "{before}");

    let playbook = playbook(&place, zone);
    served.run(&place, &["migrate", "--yes", &playbook]).ends_with(0).says("succeeded");
    let after = look();
    let files = after["objects"].as_object().expect("objects");
    assert_eq!(files.len(), 2, "one file for each shard: {after}");
    assert!(files.values().all(|size| size.as_u64() > Some(100_000)), "{after}");
    for pointer in ["parameter", "secret"] {
        assert_ne!(before[pointer], after[pointer], "{pointer} was not switched");
    }
    let port = after["parameter"].as_str().expect("text").rsplit(':').next().expect("a port");
    assert_eq!(after["secret"]["port"], port, "the pointers agree: {after}");
    let calls = served.ask("calls");
    let services: Vec<&str> =
        calls.as_array().expect("calls").iter().filter_map(|c| c["service"].as_str()).collect();
    for service in ["s3", "ssm", "secretsmanager", "route53", "sts"] {
        assert!(!services.contains(&service), "{service} was asked of the sandbox");
    }

    let run = place.runs().pop().expect("a run");
    served.run(&place, &["rollback", "--yes", "--past-pivot", &run]).ends_with(0);
    assert_eq!(look(), before, "everything in LocalStack is as it was");
}

#[test]
fn the_sandbox_refuses_other_software_that_it_cannot_use_and_says_why() {
    let place = Place::new();
    let taken = place.write("taken.jsonl", "not to be lost");
    let taken = taken.to_str().expect("UTF-8");
    for (arguments, words) in [
        (["--s3-endpoint", "https://s3.amazonaws.com"], "loopback"),
        (["--server", "redis-6.2"], "write it as redis-6.2=/opt/redis-6.2/redis-server"),
        (["--server", "keydb-6.2=/bin/true"], "is not an engine and a version"),
        (["--server", "redis-6.2=/nonexistent/redis-server"], "/nonexistent/redis-server"),
        (["--record", taken], "does not exist yet"),
    ] {
        let said = place.run(&[&["sandbox", "--port", "0"], arguments.as_slice()].concat());
        assert_ne!(said.code, Some(0), "{arguments:?}: {}", said.all());
        said.says(words);
    }
    assert_eq!(std::fs::read_to_string(taken).expect("it is there"), "not to be lost");
}

#[test]
fn exports_and_restores_go_through_the_s3_of_another_server() {
    let place = Place::new();
    let other = Served::start(&place, &["--no-servers"]);
    let quickstart = playbook_path("quickstart");
    let quickstart = quickstart.to_str().expect("UTF-8");
    let options = ["--no-servers", "--speed", "3000", "--s3-endpoint", &other.endpoint, quickstart];
    let served = Served::start(&place, &options);
    let said = crate::foreign::stranger(&served, "python", &["tests/foreign/through_s3.py"]);
    said.ends_with(0).says("2 files, then available");
    // The restore was read there, file by file, and nothing of S3 was asked of this one.
    assert_eq!(other.effects("PutObject"), 2);
    assert_eq!(other.effects("CreateBucket"), 1);
    assert!(other.effects("GetObject") >= 2);
    assert_eq!(served.effects("ListObjectsV2"), 0);
}
