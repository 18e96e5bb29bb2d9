//! Sources as the survey would describe them.

use orchestrate::init::{Found, Source};
use orchestrate::survey::{
    Authentication, Endpoint, Group, Held, MemoryDbNames, Node, Place, Serverless, Shard, Shelf,
    User,
};

pub(super) fn endpoint(host: &str) -> Endpoint {
    Endpoint { host: host.to_owned(), port: 6379 }
}

fn shard(group: &str, n: usize, nodes: usize) -> Shard {
    Shard {
        id: format!("{n:04}"),
        slots: None,
        nodes: (1..=nodes).map(|node| format!("{group}-{n:04}-{node:03}")).collect(),
    }
}

/// A replication group in cluster mode.
pub(super) fn group(id: &str, engine: &str, version: &str, node_type: &str) -> Group {
    Group {
        id: id.to_owned(),
        status: "available".to_owned(),
        engine: engine.to_owned(),
        node_type: node_type.to_owned(),
        cluster_enabled: true,
        shards: (1..=3).map(|n| shard(id, n, 2)).collect(),
        endpoint: Some(endpoint(&format!("clustercfg.{id}.abc123.use1.cache.amazonaws.com"))),
        reader: None,
        tls: true,
        auth_token: false,
        user_groups: vec![format!("{id}-users")],
        data_tiering: node_type.starts_with("cache.r6gd."),
        kms_key: None,
        global: None,
        pending: Vec::new(),
        multi_az: true,
        snapshot_retention_days: 7,
        snapshot_window: None,
        durability: None,
        node: Ok(Node {
            engine_version: Some(version.to_owned()),
            parameter_group: Some("default.redis7.cluster.on".to_owned()),
            subnet_group: Some("prod-cache".to_owned()),
            security_groups: vec!["sg-0aaa".to_owned()],
            maintenance_window: None,
            pending: Vec::new(),
        }),
    }
}

/// The same without cluster mode.
pub(super) fn single(id: &str, engine: &str, version: &str, node_type: &str) -> Group {
    let mut group = group(id, engine, version, node_type);
    group.cluster_enabled = false;
    group.shards = vec![shard(id, 1, 2)];
    group.endpoint = Some(endpoint(&format!("{id}.abc123.ng.0001.use1.cache.amazonaws.com")));
    group.reader = Some(endpoint(&format!("{id}-ro.abc123.ng.0001.use1.cache.amazonaws.com")));
    group.user_groups = Vec::new();
    group
}

pub(super) fn user(name: &str, access: &str, authentication: Authentication) -> User {
    User {
        id: format!("{name}-id"),
        name: name.to_owned(),
        access: access.to_owned(),
        authentication,
        status: "active".to_owned(),
        groups: Vec::new(),
    }
}

/// What is found around a source where nothing is.
pub(super) fn found(source: Source) -> Found {
    Found {
        source,
        account: "123456789012".to_owned(),
        region: "us-east-1".to_owned(),
        caller: "arn:aws:iam::123456789012:role/operator".to_owned(),
        at: "2026-11-23T03:00:00Z".parse().expect("a timestamp"),
        parameters: Ok(Vec::new()),
        users: Ok(Vec::new()),
        subnets: Ok(vec!["subnet-0a".to_owned(), "subnet-0b".to_owned()]),
        subnet_groups: Ok(Vec::new()),
        sharing: Ok(Vec::new()),
        there: Ok(MemoryDbNames::default()),
        ssm: Ok(Shelf::default()),
        dns: Ok(Shelf::default()),
        secrets: Ok(Shelf::default()),
    }
}

pub(super) fn of(group: Group) -> Found {
    found(Source::Group(Box::new(group)))
}

pub(super) fn held(place: Place, text: impl Into<String>) -> Held {
    Held { place, text: text.into() }
}

pub(super) fn shelf(held: Vec<Held>) -> Shelf {
    Shelf { held, ..Shelf::default() }
}

pub(super) fn parameter(name: &str, text: impl Into<String>) -> Held {
    held(Place::Parameter(name.to_owned()), text)
}

pub(super) fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Three shards of r7g, RBAC, TLS, its endpoint in three places.
pub(super) fn clustered() -> Found {
    let group = group("prod-sessions", "redis", "7.1.0", "cache.r7g.xlarge");
    let host = group.endpoint.clone().expect("an endpoint").host;
    let mut found = of(group);
    found.users = Ok(vec![
        user("default", "off ~* -@all", Authentication::Password(1)),
        user("app", "on ~app:* &* +@all -@dangerous +config|get", Authentication::Password(2)),
        user("reader", "on ~* -@all +@read", Authentication::Iam),
        user("guest", "on ~* +@read", Authentication::None),
    ]);
    found.subnet_groups =
        Ok(vec![("prod-private".to_owned(), vec!["subnet-0b".to_owned(), "subnet-0a".to_owned()])]);
    found.ssm = Ok(Shelf {
        left_out: vec!["SSM parameters of type SecureString and StringList".to_owned()],
        ..shelf(vec![
            parameter("/prod/redis/endpoint", format!("{host}:6379")),
            parameter(
                "/prod/redis/config",
                format!(r#"{{"redis":{{"host":"{host}","port":6379}}}}"#),
            ),
            parameter("/prod/db", "db.example.com"),
        ])
    });
    let record = |name: &str, simple| Place::Record {
        zone: "Z0123456789".to_owned(),
        name: name.to_owned(),
        simple,
        ttl: if simple { 3_600 } else { 60 },
    };
    found.dns = Ok(shelf(vec![
        held(record("redis.internal.example.com", true), format!("{host}.")),
        held(record("weighted.internal.example.com", false), host),
    ]));
    found.secrets = Ok(Shelf { unread: vec!["prod/redis".to_owned()], ..Shelf::default() });
    found
}

/// An older group without cluster mode, TLS or any authentication, whose nodes and parameters cannot all be read.
pub(super) fn plain() -> Found {
    let mut group = single("legacy", "redis", "6.2.6", "cache.m6g.large");
    group.tls = false;
    group.snapshot_retention_days = 0;
    let reader = group.reader.clone().expect("a reader").host;
    let mut found = of(group);
    found.ssm = Ok(shelf(vec![parameter("/legacy/readers", reader)]));
    found.dns = Err("Route 53 refused ListHostedZones: AccessDenied (request 1)".to_owned());
    found.subnets = Err("ElastiCache refused DescribeCacheSubnetGroups: AccessDenied".to_owned());
    found
}

/// A group with an AUTH token and many parameters.
pub(super) fn token() -> Found {
    let mut group = single("checkout", "redis", "7.0.7", "cache.r6g.large");
    group.auth_token = true;
    group.kms_key = Some("arn:aws:kms:us-east-1:123456789012:key/1-2".to_owned());
    if let Ok(node) = &mut group.node {
        node.parameter_group = Some("checkout-params".to_owned());
    }
    let mut found = of(group);
    let mut set = pairs(&[
        ("maxmemory-policy", "allkeys-lru"),
        ("notify-keyspace-events", "Ex"),
        ("hash-max-ziplist-entries", "64"),
        ("reserved-memory-percent", "40"),
        ("activerehashing", "no"),
        ("timeout", "5"),
        ("cluster-enabled", "no"),
        ("made-up", "1"),
    ]);
    // More than one call of UpdateParameterGroup takes.
    let many = [
        "acllog-max-len",
        "active-defrag-cycle-max",
        "active-defrag-cycle-min",
        "active-defrag-threshold-lower",
        "active-defrag-threshold-upper",
        "active-expire-effort",
        "activedefrag",
        "hll-sparse-max-bytes",
        "lazyfree-lazy-eviction",
        "lazyfree-lazy-expire",
        "lazyfree-lazy-server-del",
        "lazyfree-lazy-user-del",
        "lfu-decay-time",
        "lfu-log-factor",
        "list-compress-depth",
        "maxmemory-samples",
        "set-max-intset-entries",
        "slowlog-log-slower-than",
        "slowlog-max-len",
        "stream-node-max-bytes",
    ];
    set.extend(many.map(|name| (name.to_owned(), "3".to_owned())));
    found.parameters = Ok(set);
    found
}

/// A serverless cache that may grow to 100 GiB.
pub(super) fn serverless() -> Found {
    let cache = Serverless {
        name: "carts".to_owned(),
        status: "available".to_owned(),
        engine: "valkey".to_owned(),
        version: Some("8.1".to_owned()),
        endpoint: Some(endpoint("carts-abc123.serverless.use1.cache.amazonaws.com")),
        reader: Some(Endpoint {
            port: 6380,
            ..endpoint("carts-abc123.serverless.use1.cache.amazonaws.com")
        }),
        user_group: Some("carts-users".to_owned()),
        security_groups: vec!["sg-0bbb".to_owned()],
        subnets: vec!["subnet-0a".to_owned()],
        kms_key: None,
        most_bytes: Some(100 << 30),
        snapshot_retention_days: 1,
    };
    let mut found = found(Source::Serverless(cache));
    found.users = Ok(vec![user("app", "on ~* +@all", Authentication::Password(1))]);
    found
}

/// Names that mean something else to YAML, to a shell, to a terminal, or to this program.
pub(super) fn hostile() -> Found {
    let odd = "a: b #c\n'd' \"e\" ${{ inputs.bucket }} $(reboot)\u{202e}\u{85}";
    let mut group = group("prod", "valkey", "8.1.0", "cache.r7g.large");
    group.id = odd.to_owned();
    group.kms_key = Some(odd.to_owned());
    group.user_groups = vec![odd.to_owned()];
    let host = group.endpoint.clone().expect("an endpoint").host;
    if let Ok(node) = &mut group.node {
        node.parameter_group = Some(odd.to_owned());
        node.subnet_group = Some(odd.to_owned());
        node.security_groups = vec![odd.to_owned(), "no".to_owned()];
    }
    let mut found = of(group);
    found.caller = odd.to_owned();
    found.parameters = Ok(pairs(&[(odd, odd), ("timeout", odd)]));
    found.users = Ok(vec![
        user(odd, "on ~* +@all", Authentication::Password(1)),
        user("app", "on ~it's:* +@all", Authentication::Password(1)),
        user("worse", "on ~a\nb +@all", Authentication::Password(1)),
    ]);
    found.subnets = Ok(vec![odd.to_owned()]);
    found.ssm = Ok(shelf(vec![
        parameter(odd, format!("{host}:6379")),
        parameter("/json", serde_json::json!({ odd: host }).to_string()),
    ]));
    found.secrets = Err(odd.to_owned());
    found
}
