//! Against real servers.

use std::process::Command;
use std::rc::Rc;
use std::time::Instant;

use redis::{Pipeline, Value};
use serde_json::json;

use super::super::plane::{DataPlane, Secret, Target};
use super::super::servers::{Conn, Server, anywhere, cluster, compare, copy, cx, env, run};
use super::Wire;
use crate::engine::{Class, Clock};

const LIBRARY: &str = "#!lua name=lib\nredis.register_function('f', function() return 1 end)";

/// Every type, in small and in large encodings, with expiry, binary names and awkward scores.
fn fill(conn: &mut Conn) {
    conn.say("SET text hello");
    conn.run(&[b"SET", b"empty", b""]);
    conn.run(&[b"SET", b"bin\xff\x00\r\n", b"\x00\xff"]);
    conn.say("SET number 42");
    conn.say("SETBIT bits 1000 1");
    conn.say("PFADD hll a b c");
    conn.say("SET fleeting x PX 600000");
    conn.say("HSET hash a 1 b 2 c 3");
    conn.run(&[b"HSET", b"hash\xfe", b"\xff", b"\x00"]);
    conn.say("RPUSH list a b c a");
    conn.say("SADD set x y z");
    conn.say("SADD ints 1 2 3");
    conn.say("ZADD zset 1.5 a -inf b inf c 0.1 d -0 e 1e300 f");
    conn.say("XADD stream 1-1 f v g w");
    conn.say("XADD stream 2-1 f v");
    conn.say("XADD stream 3-1 f v");
    conn.say("XDEL stream 2-1");
    conn.say("XGROUP CREATE stream workers 0");
    conn.say("XREADGROUP GROUP workers ann COUNT 1 STREAMS stream >");
    conn.say("XGROUP CREATECONSUMER stream workers bob");
    conn.say("XGROUP CREATE void g 0 MKSTREAM");
    let mut pipe = Pipeline::new();
    for n in 0..5000 {
        pipe.cmd("HSET").arg("big-hash").arg(format!("field:{n}")).arg("v".repeat(150)).ignore();
        pipe.cmd("SADD").arg("big-set").arg(format!("{n}-{}", "m".repeat(150))).ignore();
        pipe.cmd("ZADD")
            .arg("big-zset")
            .arg(f64::from(n) / 3.0)
            .arg(format!("{n}-{}", "z".repeat(100)))
            .ignore();
        pipe.cmd("RPUSH").arg("big-list").arg(format!("{n}-{}", "e".repeat(150))).ignore();
        pipe.cmd("XADD")
            .arg("big-stream")
            .arg(format!("{}-1", n + 1))
            .arg("f")
            .arg("s".repeat(200))
            .ignore();
    }
    conn.pipeline(&pipe);
    conn.say("XGROUP CREATE big-stream readers 0");
    conn.say("XREADGROUP GROUP readers ann COUNT 2500 STREAMS big-stream >");
    conn.run(&[b"SET", b"big-text", &vec![b't'; 1_500_000]]);
}

fn pair() -> (Server, Server) {
    let (source, target) = (Server::start(), Server::start());
    fill(&mut source.conn());
    source.conn().run(&[b"FUNCTION", b"LOAD", LIBRARY.as_bytes()]);
    target.conn().run(&[b"FUNCTION", b"LOAD", LIBRARY.as_bytes()]);
    copy(std::slice::from_ref(&source), std::slice::from_ref(&target));
    (source, target)
}

#[tokio::test]
async fn copies_of_every_type_are_equal() {
    let (source, target) = pair();
    let output = compare(&source, &target).await.unwrap();
    let output = serde_json::to_value(output).unwrap();
    assert_eq!(output["source_keys"], output["compared"]);
    assert_eq!(output["functions"], 1);
    let types = json!({ "string": 8, "hash": 3, "list": 2, "set": 3, "zset": 2, "stream": 3 });
    assert_eq!(output["by_type"], types);
}

#[tokio::test]
async fn equal_values_in_other_encodings_are_equal() {
    let (source, target) = (Server::start(), Server::start());
    for (server, limit) in [(&source, "0"), (&target, "512")] {
        let mut conn = server.conn();
        conn.say(&format!("CONFIG SET hash-max-listpack-entries {limit} zset-max-listpack-entries {limit} set-max-intset-entries {limit}"));
        conn.say("HSET h a 1 b 2 c 3");
        conn.say("ZADD z 0.1 a 3 b 1e22 c");
        conn.say("SADD s 1 2 3");
    }
    // In another order, so that the tables differ too.
    target.conn().say("DEL h");
    target.conn().say("HSET h c 3 b 2 a 1");
    assert!(compare(&source, &target).await.is_ok());
}

#[tokio::test]
async fn each_kind_of_difference_is_found_and_named() {
    let cases = [
        ("DEL text", "\"text\": missing on target (string)"),
        ("SET extra 1", "\"extra\": only on target (string)"),
        ("SET hash 1", "\"hash\": type hash vs string"),
        ("APPEND text !", "\"text\": string of 5 bytes vs 6 bytes"),
        ("SETRANGE big-text 1400000 x", "\"big-text\": string of 1,500,000 bytes differs"),
        ("HSET hash b 9", "\"hash\": 1 of 3 fields differs: \"b\""),
        ("HDEL hash a", "\"hash\": 1 of 3 fields differs: \"a\" missing on target"),
        ("HSET big-hash field:77 other", "\"big-hash\": 1 of 5,000 fields differs: \"field:77\""),
        ("LSET list 1 z", "\"list\": 1 of 4 elements differs: index 1"),
        ("LSET big-list 4999 z", "\"big-list\": 1 of 5,000 elements differs: index 4999"),
        ("ZADD zset 0 e", "\"zset\": 1 of 6 members differs: member of 1 byte (sha256 3f79bb7b…)"),
        (
            "ZADD zset inf b",
            "\"zset\": 1 of 6 members differs: member of 1 byte (sha256 3e23e816…)",
        ),
        (
            "SREM ints 3",
            "\"ints\": 1 of 3 members differs: member of 1 byte (sha256 4e074085…) missing on target",
        ),
        (
            "XACK stream workers 1-1",
            "\"stream\": 1 of 7 parts differs: pending 1-1 of group workers missing on target",
        ),
        (
            "XGROUP DELCONSUMER stream workers bob",
            "\"stream\": 1 of 6 parts differs: consumer of group workers",
        ),
        ("XGROUP SETID stream workers 3-1", "\"stream\": 1 of 6 parts differs: group workers"),
        (
            "XACK big-stream readers 2000-1",
            "\"big-stream\": 1 of 7,504 parts differs: pending 2000-1 of group readers missing on target",
        ),
        ("PERSIST fleeting", "s vs none"),
        ("PEXPIRE fleeting 1600000", "\"fleeting\": ttl 59"),
        ("FUNCTION DELETE lib", "function library \"lib\": missing on target"),
    ];
    for (change, told) in cases {
        let (source, target) = pair();
        target.conn().say(change);
        let failure = compare(&source, &target).await.unwrap_err();
        assert_eq!(failure.class, Class::Fatal, "{change}");
        assert_eq!(failure.causes.len(), 1, "{change}: {failure}");
        assert!(failure.causes[0].contains(told), "{change}: {failure}");
    }
}

#[tokio::test]
async fn the_order_of_a_list_counts() {
    let (source, target) = (Server::start(), Server::start());
    source.conn().say("RPUSH l a b");
    target.conn().say("RPUSH l b a");
    let failure = compare(&source, &target).await.unwrap_err();
    assert_eq!(failure.causes, ["\"l\": 2 of 2 elements differ: index 0, index 1"]);
}

#[tokio::test]
async fn expiry_within_the_tolerance_is_equal() {
    let (source, target) = (Server::start(), Server::start());
    for (server, at) in [(&source, "4000000000000"), (&target, "4000000000900")] {
        server.conn().say(&format!("SET k v PXAT {at}"));
    }
    assert!(compare(&source, &target).await.is_ok());
}

#[tokio::test]
async fn no_value_is_shown() {
    let (source, target) = (Server::start(), Server::start());
    for (server, value) in [(&source, "s3cret-a"), (&target, "s3cret-b")] {
        let mut conn = server.conn();
        conn.say(&format!("SET t {value}"));
        conn.say(&format!("HSET h f {value}"));
        conn.say(&format!("RPUSH l {value}"));
        conn.say(&format!("SADD s {value}"));
        conn.say(&format!("ZADD z 1 {value}"));
        conn.say(&format!("XADD x 1-1 f {value}"));
    }
    let failure = compare(&source, &target).await.unwrap_err();
    assert_eq!(failure.causes.len(), 6, "{failure}");
    assert!(!format!("{failure:?}").contains("s3cret"), "{failure:?}");
}

#[tokio::test]
async fn clusters_of_two_and_three_shards_and_a_single_server_compare_with_each_other() {
    let (single, two, three) = (Server::start(), cluster(2), cluster(3));
    fill(&mut single.conn());
    let single = [single];
    copy(&single, &two);
    copy(&two, &three);
    for server in single.iter().chain(&two).chain(&three) {
        server.conn().run(&[b"FUNCTION", b"LOAD", LIBRARY.as_bytes()]);
    }
    let output = compare(&single[0], &two[1]).await.unwrap();
    assert_eq!(serde_json::to_value(output).unwrap()["compared"], 21);
    assert!(compare(&two[0], &three[2]).await.is_ok());

    anywhere(&three, &[b"SET", b"extra", b"1"]);
    anywhere(&three, &[b"DEL", b"text"]);
    three[1].conn().say("FUNCTION DELETE lib");
    let failure = compare(&two[0], &three[0]).await.unwrap_err();
    assert_eq!(
        failure.causes,
        [
            "function library \"lib\": missing on target",
            "function library \"lib (on 2 of 3 primaries only)\": only on target",
            "\"text\": missing on target (string)",
            "\"extra\": only on target (string)",
        ]
    );
}

#[tokio::test]
async fn a_key_whose_slot_moved_is_read_at_its_new_place() {
    let servers = cluster(2);
    anywhere(&servers, &[b"SET", b"{b}k", b"1"]);
    let mut store = Wire::new(None).open(&servers[0].target()).await.unwrap();
    let keys = [b"{b}k".to_vec()];
    assert!(store.read(&keys).await.unwrap()[0].is_some());

    // Slot 3300 goes from the first to the second server, key and all.
    let (mut first, mut second) = (servers[0].conn(), servers[1].conn());
    let id = |conn: &mut Conn| match conn.say("CLUSTER MYID") {
        Value::BulkString(id) => String::from_utf8(id).unwrap(),
        other => panic!("{other:?}"),
    };
    let (from, to) = (id(&mut first), id(&mut second));
    second.say(&format!("CLUSTER SETSLOT 3300 IMPORTING {from}"));
    first.say(&format!("CLUSTER SETSLOT 3300 MIGRATING {to}"));
    first.say(&format!("MIGRATE 127.0.0.1 {} {{b}}k 0 5000", servers[1].port));
    second.say(&format!("CLUSTER SETSLOT 3300 NODE {to}"));
    first.say(&format!("CLUSTER SETSLOT 3300 NODE {to}"));

    assert!(store.read(&keys).await.unwrap()[0].is_some());
    assert_eq!(store.present(&keys).await.unwrap(), [true]);
    let failure = store.scan(0, 0).await.unwrap_err();
    assert_eq!(failure.class, Class::Transient);
    assert!(failure.message.contains("moved between shards"), "{failure}");
}

#[tokio::test]
async fn keys_in_another_database_are_not_passed_over() {
    let (source, target) = (Server::start(), Server::start());
    let mut conn = source.conn();
    conn.say("SELECT 3");
    conn.say("SET k v");
    let failure = compare(&source, &target).await.unwrap_err();
    assert!(failure.message.contains("databases other than 0: db3"), "{failure}");
}

#[tokio::test]
async fn a_replica_is_refused() {
    let primary = Server::start();
    let port = primary.port.to_string();
    let replica = Server::with(&["--replicaof", "127.0.0.1", &port], |_| Vec::new());
    let failure = Wire::new(None).open(&replica.target()).await.err().unwrap();
    assert!(failure.message.contains("is a replica"), "{failure}");
}

#[tokio::test]
async fn logins_that_fail_are_denied_and_say_what_to_do() {
    let server = Server::start();
    let mut conn = server.conn();
    conn.say("ACL SETUSER app on >right ~* +@all");
    conn.say("ACL SETUSER narrow on >right ~* +@connection +get");
    conn.say(
        "ACL SETUSER reader on >right ~* +@read +@connection +scan +dbsize +time +info +cluster|slots \
         +memory|usage +function|list",
    );
    conn.say("SET k v");
    let login = |user: Option<&str>, password: Option<&str>| Target {
        user: user.map(str::to_owned),
        password: password.map(|text| Secret::new(text.to_owned())),
        ..server.target()
    };
    let wire = Wire::new(None);
    let denied = [
        (login(Some("app"), Some("wrong-s3cret")), "refused user and password"),
        (login(Some("narrow"), Some("right")), "does not let this user read"),
        (login(None, Some("right")), "has no password for its default user"),
        (login(Some("app"), None), "has no password"),
    ];
    for (target, told) in denied {
        let failure = wire.open(&target).await.err().unwrap();
        assert_eq!(failure.class, Class::Denied, "{failure}");
        assert!(failure.message.contains(told), "{failure}");
        assert!(failure.mend.is_some(), "{failure}");
        assert!(!format!("{failure:?}").contains("s3cret"), "{failure:?}");
    }
    let mut store = wire.open(&login(Some("reader"), Some("right"))).await.unwrap();
    assert_eq!(store.count().await.unwrap(), 1);
    assert_eq!(store.scan(0, 0).await.unwrap().1, [b"k"]);
    assert!(store.read(&[b"k".to_vec()]).await.unwrap()[0].is_some());
    assert!(store.functions().await.unwrap().is_empty());
    assert!(store.now_ms().await.unwrap().is_some());
    assert!(store.other_databases().await.unwrap().is_empty());

    conn.say("CONFIG SET requirepass right");
    let failure = wire.open(&server.target()).await.err().unwrap();
    assert_eq!(failure.class, Class::Denied);
    assert!(failure.message.contains("wants a login"), "{failure}");
    assert!(wire.open(&login(None, Some("right"))).await.is_ok());
}

#[tokio::test]
async fn the_reader_a_failure_advises_may_compare_every_type() {
    let (source, target) = pair();
    let rules = "~* +@read +@connection +scan +dbsize +time +info +cluster|slots +memory|usage +function|list";
    for server in [&source, &target] {
        server.conn().say(&format!("ACL SETUSER default resetkeys -@all {rules} +acl"));
    }
    compare(&source, &target).await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_gone_is_a_passing_fault() {
    let server = Server::start();
    let wire = Wire::new(None);
    assert!(wire.answers("127.0.0.1", server.port).await.is_ok());
    let mut store = wire.open(&server.target()).await.unwrap();
    let target = server.target();
    drop(server);
    assert_eq!(store.count().await.unwrap_err().class, Class::Transient);
    assert_eq!(wire.open(&target).await.err().unwrap().class, Class::Transient);
    let failure = wire.answers("127.0.0.1", target.port).await.unwrap_err();
    assert_eq!(failure.class, Class::Transient);
    assert!(failure.message.starts_with("cannot reach 127.0.0.1:"), "{failure}");
}

/// A server that speaks TLS with a certificate for `name`, and the PEM of the CA behind it.
fn tls_server(name: &str) -> Server {
    let mut params = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca_key = rcgen::KeyPair::generate().unwrap();
    let ca = rcgen::CertifiedIssuer::self_signed(params, ca_key).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    let cert = params.signed_by(&key, &ca).unwrap();
    Server::with(&["--tls-auth-clients", "no"], |dir| {
        let path = |file: &str| dir.join(file).to_str().unwrap().to_owned();
        std::fs::write(path("ca.pem"), ca.pem()).unwrap();
        std::fs::write(path("cert.pem"), cert.pem()).unwrap();
        std::fs::write(path("key.pem"), key.serialize_pem()).unwrap();
        ["--port", "0", "--tls-port", "PORT", "--tls-cert-file", &path("cert.pem")]
            .into_iter()
            .chain(["--tls-key-file", &path("key.pem"), "--tls-ca-cert-file", &path("ca.pem")])
            .map(str::to_owned)
            .collect()
    })
}

#[tokio::test]
async fn certificates_and_names_are_checked() {
    let (server, other) = (tls_server("127.0.0.1"), tls_server("elsewhere.example"));
    let tls = |server: &Server| Target { tls: true, ..server.target() };

    let mut store = Wire::new(Some(server.read("ca.pem"))).open(&tls(&server)).await.unwrap();
    assert_eq!(store.count().await.unwrap(), 0);

    for (wire, target) in [
        // Another CA, no CA but the system's, and a name the certificate is not for.
        (Wire::new(Some(other.read("ca.pem"))), tls(&server)),
        (Wire::new(None), tls(&server)),
        (Wire::new(Some(other.read("ca.pem"))), tls(&other)),
    ] {
        let failure = wire.open(&target).await.err().unwrap();
        assert_eq!(failure.class, Class::Fatal, "{failure}");
        assert!(failure.message.contains("is not trusted"), "{failure}");
        assert!(failure.mend.is_some());
    }
}

#[tokio::test]
async fn tls_against_plain_and_plain_against_tls_say_so() {
    let (plain, tls) = (Server::start(), tls_server("127.0.0.1"));
    let wire = Wire::new(Some(tls.read("ca.pem")));
    let failure = wire.open(&Target { tls: true, ..plain.target() }).await.err().unwrap();
    assert!(failure.mend.as_deref().unwrap_or_default().contains("tls: false"), "{failure:?}");
    let failure = wire.open(&Target { tls: false, ..tls.target() }).await.err().unwrap();
    assert!(failure.mend.as_deref().unwrap_or_default().contains("`tls`"), "{failure:?}");
}

#[tokio::test]
async fn ten_thousand_keys_take_seconds_and_a_sample_less() {
    let (source, target) = (Server::start(), Server::start());
    for server in [&source, &target] {
        let mut pipe = Pipeline::new();
        for n in 0..10_000 {
            match n % 3 {
                0 => pipe.cmd("SET").arg(format!("s:{n}")).arg(n).ignore(),
                1 => pipe.cmd("HSET").arg(format!("h:{n}")).arg(&["a", "1", "b", "2"]).ignore(),
                _ => pipe.cmd("ZADD").arg(format!("z:{n}")).arg(&["1", "a", "2", "b"]).ignore(),
            };
        }
        server.conn().pipeline(&pipe);
    }
    let started = Instant::now();
    let output = serde_json::to_value(compare(&source, &target).await.unwrap()).unwrap();
    assert_eq!(output["compared"], 10_000);
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());

    target.conn().say("HSET h:1 b 3");
    let failure = compare(&source, &target).await.unwrap_err();
    assert_eq!(failure.causes, ["\"h:1\": 1 of 2 fields differs: \"b\""]);

    let args = json!({
        "source": { "endpoint": source.endpoint(), "tls": false },
        "target": { "endpoint": target.endpoint(), "tls": false },
        "mode": "sample", "sample_size": 1000, "seed": 1,
    });
    target.conn().say("HSET h:1 b 2");
    let env = env(Rc::new(Wire::new(None)));
    let output = run(&env, args, &cx(Clock::system(), Rc::new(|_| {}))).await.unwrap();
    let output = serde_json::to_value(output).unwrap();
    assert!(output["compared"].as_u64().unwrap().abs_diff(1000) < 150, "{output}");
}

#[test]
fn redis_server_is_installed() {
    assert!(Command::new("redis-server").arg("--version").output().unwrap().status.success());
}
