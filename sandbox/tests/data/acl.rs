use crate::support::{client, client_as, open, real};
use orchestrate_sandbox::data::{AclUser, Cluster, ClusterSpec, DataError, Fill, ShardInfo};

const PASSWORD: &str = "sixteen-characters";

fn app(access: &str) -> AclUser {
    AclUser {
        name: "app".to_owned(),
        access_string: access.to_owned(),
        passwords: vec![PASSWORD.to_owned()],
        no_password: false,
    }
}

fn closed(name: &str, shards: u16, users: Vec<AclUser>) -> ClusterSpec {
    ClusterSpec { users, open_access: false, ..open(name, shards) }
}

fn shard(cluster: &Cluster) -> ShardInfo {
    cluster.shards().remove(0)
}

fn error(connection: &mut redis::Connection, words: &str) -> String {
    let mut words = words.split(' ');
    let mut command = redis::cmd(words.next().unwrap());
    words.for_each(|word| {
        command.arg(word);
    });
    match command.query::<redis::Value>(connection) {
        Ok(value) => panic!("{value:?} instead of a refusal"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn clients_meet_the_commands_that_aws_keeps_from_them() {
    let plane = real();
    let open_cluster = plane.start(open("open", 1)).await.unwrap();
    let users = vec![app("on ~* &* +@all (~x* +@all)")];
    let closed_cluster = plane.start(closed("closed", 1, users)).await.unwrap();
    let mut clients = [
        client(&shard(&open_cluster)),
        client_as(&shard(&closed_cluster), "app", PASSWORD).unwrap(),
    ];
    for connection in &mut clients {
        for refused in [
            "CONFIG GET save",
            "DEBUG SLEEP 0",
            "SHUTDOWN NOSAVE",
            "SAVE",
            "BGSAVE",
            "BGREWRITEAOF",
            "REPLICAOF NO ONE",
            "SLAVEOF NO ONE",
            "MIGRATE 127.0.0.1 1 k 0 1",
            "MODULE LIST",
            "SYNC",
            "PSYNC ? -1",
            "ACL SETUSER app nopass",
            "ACL DELUSER app",
            "ACL LOAD",
            "ACL SAVE",
            "CLUSTER MEET 127.0.0.1 1",
            "CLUSTER ADDSLOTS 1",
        ] {
            let said = error(connection, refused);
            let words = ["NOPERM", "no permissions", "not allowed"];
            assert!(words.iter().any(|word| said.contains(word)), "{refused}: {said}");
        }
        for allowed in ["INFO", "DBSIZE", "KEYS", "SCAN", "DUMP", "FUNCTION"] {
            let mut command = redis::cmd(allowed);
            match allowed {
                "KEYS" | "DUMP" => command.arg("x"),
                "SCAN" => command.arg(0),
                "FUNCTION" => command.arg("LIST"),
                _ => &mut command,
            };
            command.query::<redis::Value>(connection).unwrap();
        }
        redis::cmd("ACL").arg("WHOAMI").query::<String>(connection).unwrap();
    }
}

#[tokio::test]
async fn a_cluster_with_users_takes_only_them() {
    let plane = real();
    let off = AclUser { name: "off".to_owned(), ..app("~* +@all") };
    let anyone = AclUser {
        name: "anyone".to_owned(),
        no_password: true,
        passwords: Vec::new(),
        ..app("on ~* +@read")
    };
    let cluster =
        plane.start(closed("users", 1, vec![app("on ~* +@all"), off, anyone])).await.unwrap();
    let shard = shard(&cluster);
    assert!(client_as(&shard, "app", PASSWORD).is_ok());
    assert!(client_as(&shard, "app", "another-password").is_err());
    assert!(client_as(&shard, "off", PASSWORD).is_err(), "no `on`, no login");
    assert!(client_as(&shard, "anyone", "whatever").is_ok());
    let said = error(&mut client(&shard), "GET k");
    assert!(said.contains("Authentication required") || said.contains("NOAUTH"), "{said}");
}

#[tokio::test]
async fn an_auth_token_is_the_password_of_the_default_user() {
    let plane = real();
    let token = AclUser { name: "default".to_owned(), ..app("on ~* &* +@all") };
    let cluster = plane.start(closed("token", 1, vec![token])).await.unwrap();
    let shard = shard(&cluster);
    let mut connection = client_as(&shard, "", PASSWORD).unwrap();
    redis::cmd("SET").arg("k").arg("v").query::<()>(&mut connection).unwrap();
    assert!(client_as(&shard, "", "another-password").is_err());
}

#[tokio::test]
async fn set_users_freezes_writes_of_connections_that_are_already_there() {
    let plane = real();
    let cluster = plane.start(closed("freeze", 2, vec![app("on ~* +@all")])).await.unwrap();
    cluster.fill(Fill { keys: 50, every_type: false, seed: 3 }).await.unwrap();
    let mut clients: Vec<_> =
        cluster.shards().iter().map(|shard| client_as(shard, "app", PASSWORD).unwrap()).collect();
    let write = |connection: &mut redis::Connection| {
        // A key of whichever shard this is.
        let key: Vec<u8> = redis::cmd("RANDOMKEY").query(connection).unwrap();
        redis::cmd("SET").arg(key).arg("written").query::<()>(connection)
    };
    clients.iter_mut().for_each(|connection| write(connection).unwrap());
    cluster.set_users(vec![app("on ~* +@all -@write")], false).await.unwrap();
    for connection in &mut clients {
        let said = write(connection).unwrap_err().to_string();
        assert!(said.contains("NOPERM") || said.contains("no permissions"), "{said}");
    }
    cluster.set_users(vec![app("on ~* +@all")], false).await.unwrap();
    clients.iter_mut().for_each(|connection| write(connection).unwrap());
    // A user that is gone takes its connections with it.
    let other = AclUser { name: "other".to_owned(), ..app("on ~* +@all") };
    cluster.set_users(vec![other], false).await.unwrap();
    for connection in &mut clients {
        assert!(redis::cmd("PING").query::<()>(connection).is_err());
    }
    assert!(client_as(&cluster.shards()[1], "app", PASSWORD).is_err());
    assert!(client_as(&cluster.shards()[1], "other", PASSWORD).is_ok());
}

#[tokio::test]
async fn a_rule_that_the_server_does_not_know_is_refused_with_its_words() {
    let plane = real();
    let cluster = plane.start(open("rules", 1)).await.unwrap();
    let refused = cluster.set_users(vec![app("on ~* +@nosuch")], false).await.unwrap_err();
    assert!(matches!(&refused, DataError::User { user, .. } if user == "app"), "{refused}");
    assert!(refused.to_string().contains("@nosuch"), "{refused}");
    let spec = closed("rules", 1, vec![app("on ~* +@nosuch")]);
    let refused = plane.start(spec).await.unwrap_err();
    assert!(matches!(&refused, DataError::User { user, .. } if user == "app"), "{refused}");
}
