//! Access strings: what a user can do, and what of it MemoryDB has not.

/// What an access string says, read from left to right as the server does (Redis and Valkey ACL documentation).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Whether the user may log in. Without `on` it may not (MemoryDB developer guide, access strings).
    pub on: bool,
    /// Whether any key is open to it.
    pub keys: bool,
    /// Whether all keys are.
    pub all_keys: bool,
    /// Whether it has selectors: rules in parentheses, which may allow more and are not weighed here.
    pub selectors: bool,
    commands: Vec<Rule>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    allow: bool,
    what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    All,
    Category(String),
    /// A command, or `command|subcommand`.
    Command(String),
}

/// A command that matters here, and the ACL categories that hold it (output of ACL CAT on Redis 7).
struct Known(&'static str, &'static [&'static str]);

const KNOWN: &[Known] = &[
    Known("append", &["write", "string", "fast"]),
    Known("del", &["keyspace", "write", "slow"]),
    Known("expire", &["keyspace", "write", "fast"]),
    Known("hset", &["write", "hash", "fast"]),
    Known("incr", &["write", "string", "fast"]),
    Known("lpush", &["write", "list", "fast"]),
    Known("rpush", &["write", "list", "fast"]),
    Known("sadd", &["write", "set", "fast"]),
    Known("set", &["write", "string", "slow"]),
    Known("setex", &["write", "string", "slow"]),
    Known("xadd", &["write", "stream", "fast"]),
    Known("zadd", &["write", "sortedset", "fast"]),
    Known("get", &["read", "string", "fast"]),
    Known("cluster|nodes", &["slow"]),
    Known("cluster|shards", &["slow"]),
    Known("cluster|slots", &["slow"]),
    Known("ping", &["fast", "connection"]),
    Known("readonly", &["fast", "connection"]),
    Known("scan", &["keyspace", "read", "slow"]),
    Known("dbsize", &["keyspace", "read", "fast"]),
    Known("time", &["fast"]),
    Known("info", &["slow", "dangerous"]),
    Known("memory|usage", &["read", "slow"]),
    Known("function|list", &["slow", "scripting"]),
];

/// What `redis.compare` calls, besides reading values.
const COMPARING: [&str; 8] =
    ["get", "scan", "dbsize", "time", "info", "memory|usage", "cluster|slots", FUNCTIONS];
/// Since version 7.0.
const FUNCTIONS: &str = "function|list";

const WRITES: usize = 12;

/// The commands by which cluster clients find the shards; any one will do.
const TOPOLOGY: [&str; 3] = ["cluster|slots", "cluster|shards", "cluster|nodes"];

/// Commands that MemoryDB has not (MemoryDB developer guide, restricted commands).
const FORBIDDEN: [&str; 19] = [
    "acl|deluser",
    "acl|load",
    "acl|save",
    "acl|setuser",
    "bgrewriteaof",
    "bgsave",
    "cluster|addslot",
    "cluster|delslot",
    "cluster|setslot",
    "config",
    "debug",
    "migrate",
    "module",
    "psync",
    "replicaof",
    "save",
    "shutdown",
    "slaveof",
    "sync",
];

impl Access {
    /// Reads an access string. What it does not know it passes over.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let mut access = Self {
            on: false,
            keys: false,
            all_keys: false,
            selectors: false,
            commands: Vec::new(),
        };
        for word in words(text) {
            let folded = word.to_ascii_lowercase();
            match folded.as_str() {
                "on" => access.on = true,
                "off" => access.on = false,
                "allkeys" | "~*" | "%rw~*" => (access.keys, access.all_keys) = (true, true),
                "resetkeys" => (access.keys, access.all_keys) = (false, false),
                "allcommands" => access.commands.push(Rule { allow: true, what: What::All }),
                "nocommands" => access.commands.push(Rule { allow: false, what: What::All }),
                "reset" => access = Self::read(""),
                rule if rule.starts_with('(') => access.selectors = true,
                rule if rule.starts_with('~') || rule.starts_with('%') => access.keys = true,
                rule => access.commands.extend(command_rule(rule)),
            }
        }
        access
    }

    /// Whether the rules allow a command, such as "ping" or "cluster|slots"; of those listed here.
    #[must_use]
    pub fn may(&self, command: &str) -> bool {
        let categories = KNOWN.iter().find(|known| known.0 == command).map_or(&[][..], |k| k.1);
        let container = command.split_once('|').map(|(container, _)| container);
        let concerns = |what: &What| match what {
            What::All => true,
            What::Category(name) => categories.contains(&name.as_str()),
            What::Command(name) => name == command || container == Some(name.as_str()),
        };
        let last = self.commands.iter().rev().find(|rule| concerns(&rule.what));
        last.is_some_and(|rule| rule.allow)
    }

    /// Whether it may log in and write something. In doubt, with selectors, it may.
    #[must_use]
    pub fn writes(&self) -> bool {
        let open = self.keys && KNOWN[..WRITES].iter().any(|known| self.may(known.0));
        self.on && (open || self.selectors)
    }

    /// What a cluster client needs and this user may not, in words. MemoryDB has no other clients: it is always in
    /// cluster mode.
    #[must_use]
    pub fn lacks_for_clusters(&self) -> Vec<&'static str> {
        let mut lacks = Vec::new();
        if !TOPOLOGY.iter().any(|command| self.may(command)) {
            lacks.push(
                "+cluster|slots +cluster|shards +cluster|nodes (clients cannot find the shards)",
            );
        }
        if !self.may("ping") {
            lacks.push("+ping (pools cannot test connections)");
        }
        if !self.may("readonly") {
            lacks.push("+readonly (clients cannot read from replicas)");
        }
        lacks
    }
}

impl Access {
    /// What a user lacks who is to read everything for a comparison, as rules that give it. Selectors are not weighed.
    #[must_use]
    pub fn lacks_for_comparing(&self, functions: bool) -> Vec<String> {
        if self.selectors {
            return Vec::new();
        }
        let keys = (!self.all_keys).then(|| "~*".to_owned());
        let commands = COMPARING.iter().filter(|name| functions || **name != FUNCTIONS);
        let commands = commands.filter(|name| !self.may(name));
        let rule =
            |name: &&str| if *name == "get" { "+@read".to_owned() } else { format!("+{name}") };
        keys.into_iter().chain(commands.map(rule)).collect()
    }
}

/// The words of an access string; a selector, with the blanks in it, is one.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut open = false;
    for word in text.split_whitespace() {
        match words.last_mut() {
            Some(selector) if open => {
                selector.push(' ');
                selector.push_str(word);
            }
            _ => words.push(word.to_owned()),
        }
        open = (open || word.starts_with('(')) && !word.ends_with(')');
    }
    words
}

fn command_rule(rule: &str) -> Option<Rule> {
    let allow = match rule.chars().next()? {
        '+' => true,
        '-' => false,
        _ => return None,
    };
    let name = &rule[1..];
    let what = match name.strip_prefix('@') {
        Some("all") => What::All,
        Some(category) => What::Category(category.to_owned()),
        None => What::Command(name.to_owned()),
    };
    Some(Rule { allow, what })
}

/// The access string for MemoryDB: without rules that allow commands it has not. Gives those rules too.
#[must_use]
pub fn without_forbidden(text: &str) -> (String, Vec<String>) {
    let forbidden = |word: &String| {
        let name = word.to_ascii_lowercase();
        let Some(name) = name.strip_prefix('+') else { return false };
        let container = name.split_once('|').map_or(name, |(container, _)| container);
        FORBIDDEN.contains(&name) || FORBIDDEN.contains(&container)
    };
    let (dropped, kept): (Vec<_>, Vec<_>) = words(text).into_iter().partition(forbidden);
    (kept.join(" "), dropped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_rule_that_concerns_a_command_counts() {
        for (text, command, may) in [
            ("on ~* +@all", "set", true),
            ("on ~* allcommands", "cluster|slots", true),
            ("on ~* +@all -@write", "set", false),
            ("on ~* +@all -@write +set", "set", true),
            ("on ~* +@read", "ping", false),
            ("on ~* +@read +@connection", "ping", true),
            ("on ~* +@read +@connection", "cluster|slots", false),
            ("on ~* +cluster", "cluster|shards", true),
            ("on ~* +cluster -cluster|shards", "cluster|shards", false),
            ("on ~* -@all +@FAST", "PING", false),
            ("on ~* -@all +@FAST", "ping", true),
            ("on ~* +@all nocommands +get", "set", false),
            ("on ~* +@all reset", "get", false),
        ] {
            assert_eq!(Access::read(text).may(command), may, "{text}: {command}");
        }
    }

    #[test]
    fn who_may_write_and_who_may_enter() {
        for (text, on, writes) in [
            ("on ~* &* +@all", true, true),
            ("off ~* +@all", false, false),
            ("~* +@all", false, false),
            ("on +@all", true, false),
            ("on ~app:* -@all +@read +hset", true, true),
            ("on ~* -@all +@read", true, false),
            ("on %W~app:* +@write", true, true),
            ("on ~* -@all +@read (~tmp:* +@all)", true, true),
            ("", false, false),
        ] {
            let access = Access::read(text);
            assert_eq!((access.on, access.writes()), (on, writes), "{text}");
        }
    }

    #[test]
    fn what_cluster_clients_miss_is_named() {
        assert!(Access::read("on ~* +@all").lacks_for_clusters().is_empty());
        assert!(
            Access::read("on ~* +@read +@connection +cluster|nodes")
                .lacks_for_clusters()
                .is_empty()
        );
        let lacks = Access::read("on ~* -@all +@read").lacks_for_clusters();
        assert_eq!(lacks.len(), 3, "{lacks:?}");
        let lacks = Access::read("on ~* +@all -readonly").lacks_for_clusters();
        assert!(matches!(lacks[..], [only] if only.contains("+readonly")), "{lacks:?}");
    }

    #[test]
    fn commands_that_memorydb_has_not_are_left_out() {
        let (kept, dropped) = without_forbidden(
            "on ~* &* +@all -config +CONFIG|get +bgsave +acl|whoami (~t:* +@all)",
        );
        assert_eq!(kept, "on ~* &* +@all -config +acl|whoami (~t:* +@all)");
        assert_eq!(dropped, ["+CONFIG|get", "+bgsave"]);
        assert_eq!(without_forbidden("on ~* +@all"), ("on ~* +@all".to_owned(), Vec::new()));
    }
}
