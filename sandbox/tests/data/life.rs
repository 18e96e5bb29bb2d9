use crate::support::{client, folder, listening, modelled, open, real};
use orchestrate_sandbox::data::{ClusterSpec, DataError, DataPlane, ServerPolicy};
use redis::{ConnectionAddr, IntoConnectionInfo, TlsCertificates};
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const HOLD: &str = "SANDBOX_TEST_HOLD_SERVERS";

#[tokio::test]
async fn a_single_node_serves_until_its_cluster_is_stopped() {
    let plane = real();
    let cluster = plane.start(open("single", 1)).await.unwrap();
    let shards = cluster.shards();
    assert_eq!(shards.len(), 1);
    assert_eq!(cluster.endpoint(), (shards[0].host.clone(), shards[0].port));
    assert_eq!(shards[0].slots, [(0, 16383)]);
    redis::cmd("SET").arg("k").arg("v").query::<()>(&mut client(&shards[0])).unwrap();
    assert_eq!(cluster.key_counts().await.unwrap(), [1]);
    let folder = folder(&shards[0]);
    assert!(Path::new(&folder).exists());
    cluster.stop().await;
    assert!(!listening(&shards[0]));
    assert!(!Path::new(&folder).exists());
    let error = cluster.snapshot().await.unwrap_err();
    assert!(matches!(error, DataError::Stopped { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn real_servers_take_real_time_and_leave_a_paused_clock_alone() {
    let before = tokio::time::Instant::now();
    let plane = real();
    let cluster = plane.start(open("paused", 2)).await.unwrap();
    let files = cluster.snapshot().await.unwrap();
    cluster.restore(vec![("a.rdb".to_owned(), files[0].rdb.clone())]).await.unwrap();
    cluster.stop().await;
    assert_eq!(before.elapsed(), Duration::ZERO);
}

#[tokio::test]
async fn cluster_mode_splits_the_slots_and_redirects_between_shards() {
    let plane = real();
    let cluster = plane.start(open("three", 3)).await.unwrap();
    let shards = cluster.shards();
    let slots: Vec<_> = shards.iter().flat_map(|shard| shard.slots.clone()).collect();
    assert_eq!(slots, [(0, 5460), (5461, 10922), (10923, 16383)]);
    let elsewhere = redis::cmd("GET").arg("foo").query::<()>(&mut client(&shards[0])).unwrap_err();
    assert!(
        elsewhere.to_string().contains(&format!("127.0.0.1:{}", shards[2].port)),
        "{elsewhere}"
    );
    redis::cmd("SET").arg("foo").arg("1").query::<()>(&mut client(&shards[2])).unwrap();
}

#[tokio::test]
async fn dropping_the_plane_ends_servers_whoever_holds_a_cluster() {
    let plane = real();
    let cluster = plane.start(open("dropped", 2)).await.unwrap();
    let shards = cluster.shards();
    let folders: Vec<String> = shards.iter().map(folder).collect();
    drop(plane);
    assert!(shards.iter().all(|shard| !listening(shard)));
    assert!(folders.iter().all(|folder| !Path::new(folder).exists()));
    assert!(cluster.key_counts().await.is_err());
}

#[test]
fn dropping_the_runtime_leaves_no_server_that_the_plane_cannot_end() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let plane = real();
    let cluster = runtime.block_on(plane.start(open("runtime", 1))).unwrap();
    let shards = cluster.shards();
    drop(runtime);
    drop(cluster);
    assert!(!listening(&shards[0]));
}

#[tokio::test]
async fn a_failed_start_leaves_no_process_and_says_what_the_server_said() {
    // Answers --version like a server, then fails like one.
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("redis-server");
    let script = "#!/bin/sh\n\
        if [ \"$1\" = --version ]; then echo 'Redis server v=7.0.99 sha=0'; exit; fi\n\
        echo '>>> no room at the inn' >&2\n\
        exit 1\n";
    std::fs::write(&program, script).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&program, mode).unwrap();
    let plane = DataPlane::new(ServerPolicy::Program(program), 1).unwrap();
    let error = plane.start(open("broken", 2)).await.unwrap_err();
    assert_eq!(error.to_string(), "could not start redis-server: >>> no room at the inn");
}

#[test]
fn a_named_program_that_is_no_server_is_an_error() {
    let missing = DataPlane::new(ServerPolicy::Program("/nonexistent/redis-server".into()), 1);
    assert!(missing.unwrap_err().to_string().contains("/nonexistent/redis-server"));
    let other = DataPlane::new(ServerPolicy::Program("/bin/echo".into()), 1);
    assert!(other.unwrap_err().to_string().contains("--version"));
}

#[tokio::test]
async fn more_shards_than_one_need_cluster_mode() {
    for plane in [real(), modelled()] {
        let spec = ClusterSpec { cluster_mode: false, ..open("wrong", 2) };
        assert!(matches!(plane.start(spec).await, Err(DataError::Spec { .. })));
    }
}

/// Runs one test of this file again in a process of its own, with its own folder for temporary files, and `HOLD` set.
fn again(test: &str, temporary: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("life::{test}"), "--nocapture"])
        .env(HOLD, "1")
        .env("TMPDIR", temporary)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn empties(folder: &Path) -> bool {
    let deadline = Instant::now() + Duration::from_secs(5);
    while std::fs::read_dir(folder).unwrap().count() > 0 {
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    true
}

#[tokio::test]
async fn killing_the_holder_leaves_no_server_and_no_folder() {
    if std::env::var_os(HOLD).is_some() {
        let plane = real();
        let cluster = plane.start(open("held", 2)).await.unwrap();
        for shard in cluster.shards() {
            println!("HELD {}", shard.port);
        }
        println!("HELD all");
        std::thread::sleep(Duration::from_secs(60));
        drop(cluster);
        return;
    }
    let temporary = tempfile::tempdir().unwrap();
    let mut holder = again("killing_the_holder_leaves_no_server_and_no_folder", temporary.path());
    let mut held = Vec::new();
    for line in BufReader::new(holder.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        match line.split_once("HELD ") {
            Some((_, "all")) => break,
            Some((_, port)) => held.push(port.parse::<u16>().unwrap()),
            None => {}
        }
    }
    let listening = |port: &u16| TcpStream::connect(("127.0.0.1", *port)).is_ok();
    assert_eq!(held.len(), 2);
    assert!(held.iter().all(listening));
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 2);
    // SIGKILL: nothing of the holder runs any more.
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert!(empties(temporary.path()));
    assert!(!held.iter().any(listening));
}

#[test]
fn killing_the_holder_in_the_middle_of_a_start_leaves_nothing() {
    if std::env::var_os(HOLD).is_some() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let plane = real();
        println!("HELD starting");
        runtime.block_on(plane.start(open("half", 3))).unwrap();
        std::thread::sleep(Duration::from_secs(60));
    }
    let temporary = tempfile::tempdir().unwrap();
    let mut holder =
        again("killing_the_holder_in_the_middle_of_a_start_leaves_nothing", temporary.path());
    let mut lines = BufReader::new(holder.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("HELD starting")));
    // Joining a cluster takes two seconds at least; this is somewhere before.
    std::thread::sleep(Duration::from_millis(150));
    assert!(std::fs::read_dir(temporary.path()).unwrap().count() > 0);
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert!(empties(temporary.path()));
}

#[test]
fn an_abandoned_start_leaves_nothing_once_its_plane_is_dropped() {
    if std::env::var_os(HOLD).is_some() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let plane = real();
        let patience = Duration::from_millis(300);
        let start = plane.start(open("abandoned", 2));
        let abandoned = runtime.block_on(async { tokio::time::timeout(patience, start).await });
        assert!(abandoned.is_err(), "a cluster is not up within {patience:?}");
        let begun = Instant::now();
        drop(plane);
        drop(runtime);
        assert!(begun.elapsed() < Duration::from_secs(5));
        assert_eq!(std::fs::read_dir(std::env::temp_dir()).unwrap().count(), 0);
        return;
    }
    let temporary = tempfile::tempdir().unwrap();
    let mut child =
        again("an_abandoned_start_leaves_nothing_once_its_plane_is_dropped", temporary.path());
    assert!(child.wait().unwrap().success());
    assert!(empties(temporary.path()));
}

#[tokio::test]
async fn tls_is_trusted_through_the_authority_and_only_through_it() {
    let plane = real();
    let ca = plane.ca_pem().unwrap().as_bytes().to_vec();
    let spec = ClusterSpec { tls: true, ..open("tls", 2) };
    let cluster = plane.start(spec).await.unwrap();
    cluster
        .fill(orchestrate_sandbox::data::Fill { keys: 20, every_type: false, seed: 1 })
        .await
        .unwrap();
    for host in ["127.0.0.1", "localhost"] {
        let connect = |root_cert: Option<Vec<u8>>| {
            let address = ConnectionAddr::TcpTls {
                host: host.to_owned(),
                port: cluster.endpoint().1,
                insecure: false,
                tls_params: None,
            };
            let info = address.into_connection_info()?;
            let certificates = TlsCertificates { client_tls: None, root_cert };
            redis::Client::build_with_tls(info, certificates)?.get_connection()
        };
        let keys: u64 =
            redis::cmd("DBSIZE").query(&mut connect(Some(ca.clone())).unwrap()).unwrap();
        assert!(keys > 0);
        assert!(connect(None).is_err(), "{host} trusted without the authority");
        let other = real();
        let stranger = other.ca_pem().unwrap().as_bytes().to_vec();
        assert!(connect(Some(stranger)).is_err(), "{host} trusted through another authority");
    }
    let plain =
        redis::Client::open(format!("redis://127.0.0.1:{}/", cluster.endpoint().1)).unwrap();
    assert!(plain.get_connection().is_err(), "a TLS port takes no plain text");
    assert_eq!(cluster.snapshot().await.unwrap().iter().map(|shard| shard.keys).sum::<u64>(), 20);
}

#[tokio::test]
async fn files_are_private_and_no_password_is_in_them_or_in_arguments() {
    use std::os::unix::fs::PermissionsExt;
    let plane = real();
    let user = orchestrate_sandbox::data::AclUser {
        name: "app".to_owned(),
        access_string: "on ~* &* +@all".to_owned(),
        passwords: vec!["a-password-to-look-for".to_owned()],
        no_password: false,
    };
    let spec =
        ClusterSpec { users: vec![user], open_access: false, tls: true, ..open("private", 1) };
    let cluster = plane.start(spec).await.unwrap();
    let port = cluster.endpoint().1.to_string();
    let folder = std::fs::read_dir(std::env::temp_dir())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| {
            std::fs::read_to_string(path.join("server.conf"))
                .is_ok_and(|text| text.contains(&format!("tls-port {port}")))
        })
        .unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for name in ["server.conf", "server.key", "server.pem", "ca.pem"] {
        assert_eq!(mode(&folder.join(name)), 0o600, "{name}");
    }
    let text = std::fs::read_to_string(folder.join("server.conf")).unwrap();
    assert!(!text.contains("a-password-to-look-for"));
    assert!(text.contains("bind 127.0.0.1\n"));
    let ps = Command::new("ps").args(["-A", "-o", "args"]).output().unwrap();
    let ps = String::from_utf8_lossy(&ps.stdout).into_owned();
    assert!(ps.contains(&*folder.to_string_lossy()), "the server is in the list");
    assert!(!ps.contains("a-password-to-look-for"));
}
