//! Which primaries there are, and which slots they hold.

use redis::Value;

use crate::engine::{Class, Failure};
use crate::steps::redis::slot::SLOTS;

/// A server by name and port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Node {
    pub(super) host: String,
    pub(super) port: u16,
}

/// The primaries of a cluster and the primary of each slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Topology {
    pub(super) primaries: Vec<Node>,
    /// By slot: an index into `primaries`.
    pub(super) owner: Vec<usize>,
}

impl Topology {
    /// Reads an answer to CLUSTER SLOTS, which all versions of Redis and Valkey give; CLUSTER SHARDS only came with 7.0.
    /// `seed` stands in where the cluster leaves a host out. With `tls` a host name is taken before an address, since
    /// certificates are for names.
    ///
    /// # Errors
    /// `Transient` if not every slot has a primary.
    pub(super) fn read(slots: &Value, seed: &str, tls: bool) -> Result<Self, Failure> {
        let mut primaries: Vec<Node> = Vec::new();
        let mut owner: Vec<Option<usize>> = vec![None; usize::from(SLOTS)];
        let Value::Array(ranges) = slots else { return Err(odd()) };
        for range in ranges {
            let Value::Array(fields) = range else { return Err(odd()) };
            let [Value::Int(first), Value::Int(last), Value::Array(primary), ..] = &fields[..]
            else {
                return Err(odd());
            };
            let node = node(primary, seed, tls).ok_or_else(odd)?;
            let index = primaries.iter().position(|known| *known == node).unwrap_or_else(|| {
                primaries.push(node);
                primaries.len() - 1
            });
            let first = usize::try_from(*first).map_err(|_| odd())?;
            let last = usize::try_from(*last).map_err(|_| odd())?;
            owner.get_mut(first..=last).ok_or_else(odd)?.fill(Some(index));
        }
        let served = owner.iter().flatten().count();
        if served < usize::from(SLOTS) {
            return Err(Failure::new(
                Class::Transient,
                format!("only {served} of the cluster's {SLOTS} slots have a primary"),
            ));
        }
        Ok(Self { primaries, owner: owner.into_iter().flatten().collect() })
    }
}

fn node(fields: &[Value], seed: &str, tls: bool) -> Option<Node> {
    let [host, Value::Int(port), rest @ ..] = fields else { return None };
    let host = match host {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok()?,
        _ => "",
    };
    let name = rest.get(1).and_then(hostname).filter(|_| tls);
    let host = match (name, host) {
        (Some(name), _) => name,
        (None, "" | "?") => seed,
        (None, host) => host,
    };
    Some(Node { host: host.to_owned(), port: u16::try_from(*port).ok()? })
}

/// The host name among a node's metadata, a flat list of names and values since 7.0.
fn hostname(metadata: &Value) -> Option<&str> {
    let Value::Array(pairs) = metadata else { return None };
    pairs.as_chunks::<2>().0.iter().find_map(|[name, value]| match (name, value) {
        (Value::BulkString(name), Value::BulkString(value)) if name == b"hostname" => {
            std::str::from_utf8(value).ok().filter(|host| !host.is_empty() && *host != "?")
        }
        _ => None,
    })
}

fn odd() -> Failure {
    Failure::fatal("the cluster describes its slots in a form that is not understood")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    fn range(first: i64, last: i64, host: Value, port: i64, metadata: Vec<Value>) -> Value {
        let node = Value::Array(vec![host, Value::Int(port), text("id"), Value::Array(metadata)]);
        Value::Array(vec![Value::Int(first), Value::Int(last), node])
    }

    #[test]
    fn a_missing_host_is_the_seed() {
        for host in [Value::Nil, text(""), text("?")] {
            let slots = Value::Array(vec![range(0, 16_383, host, 6379, vec![])]);
            let read = Topology::read(&slots, "seed", true).unwrap();
            assert_eq!(read.primaries, [Node { host: "seed".into(), port: 6379 }]);
        }
    }

    #[test]
    fn with_tls_the_name_is_taken_before_the_address() {
        let metadata = vec![text("hostname"), text("node-1.example")];
        let slots = Value::Array(vec![range(0, 16_383, text("10.0.0.1"), 6379, metadata)]);
        assert_eq!(Topology::read(&slots, "s", true).unwrap().primaries[0].host, "node-1.example");
        assert_eq!(Topology::read(&slots, "s", false).unwrap().primaries[0].host, "10.0.0.1");
    }

    #[test]
    fn several_ranges_of_one_primary_are_one_shard() {
        let slots = Value::Array(vec![
            range(0, 99, text("a"), 1, vec![]),
            range(100, 16_000, text("b"), 1, vec![]),
            range(16_001, 16_383, text("a"), 1, vec![]),
        ]);
        let read = Topology::read(&slots, "s", false).unwrap();
        assert_eq!(read.primaries.len(), 2);
        assert_eq!((read.owner[99], read.owner[100], read.owner[16_383]), (0, 1, 0));
    }

    #[test]
    fn a_slot_without_a_primary_is_refused() {
        let slots = Value::Array(vec![range(0, 16_000, text("a"), 1, vec![])]);
        let failure = Topology::read(&slots, "s", false).unwrap_err();
        assert_eq!(failure.class, Class::Transient);
        assert!(failure.message.contains("16001 of"), "{failure}");
    }
}
