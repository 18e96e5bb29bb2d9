//! Hosted zones, their records, and the changes that were made.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::name::{sort_key, stored};
use crate::seed::SeedRecord;

/// All hosted zones by id, and all changes by id; both without the path in front.
#[derive(Debug, Clone, Default)]
pub(crate) struct Route53State {
    pub(super) zones: BTreeMap<String, Zone>,
    pub(super) changes: BTreeMap<String, Change>,
}

#[derive(Debug, Clone)]
pub(super) struct Zone {
    /// In stored form.
    pub(super) name: String,
    pub(super) caller_reference: String,
    pub(super) comment: Option<String>,
    pub(super) private: bool,
    pub(super) records: BTreeMap<RecordKey, Record>,
}

/// A change batch that was taken on.
#[derive(Debug, Clone)]
pub(super) struct Change {
    pub(super) submitted: Timestamp,
    /// From when every name server has it.
    pub(super) in_sync: Timestamp,
    pub(super) comment: Option<String>,
}

/// What identifies a record set, in the order of the listing: labels from the right, type, set
/// identifier.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RecordKey {
    pub(super) labels: Vec<String>,
    pub(super) kind: String,
    pub(super) set: Option<String>,
}

/// One resource record set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    /// In stored form.
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) set: Option<String>,
    /// Weight, region, failover and the like: members of the routing policy.
    pub(super) routing: Vec<(&'static str, String)>,
    pub(super) geo: Vec<(&'static str, String)>,
    pub(super) ttl: Option<u64>,
    pub(super) values: Vec<String>,
    /// The members of an alias target.
    pub(super) alias: Vec<(&'static str, String)>,
}

impl Record {
    pub(super) fn plain(name: &str, kind: &str, ttl: u64, values: Vec<String>) -> Self {
        Self {
            name: stored(name),
            kind: kind.to_owned(),
            set: None,
            routing: Vec::new(),
            geo: Vec::new(),
            ttl: Some(ttl),
            values,
            alias: Vec::new(),
        }
    }

    pub(super) fn key(&self) -> RecordKey {
        RecordKey { labels: sort_key(&self.name), kind: self.kind.clone(), set: self.set.clone() }
    }

    /// Whether DELETE may take `self` for the record that is there: everything the same, the
    /// values in any order.
    pub(super) fn same_as(&self, other: &Self) -> bool {
        let sorted = |record: &Self| {
            let mut record = record.clone();
            record.values.sort();
            record.routing.sort();
            record.geo.sort();
            record.alias.sort();
            record
        };
        sorted(self) == sorted(other)
    }
}

/// The name servers of every zone here.
pub(super) const NAME_SERVERS: [&str; 4] =
    ["ns-1.awsdns-01.org.", "ns-2.awsdns-02.co.uk.", "ns-3.awsdns-03.com.", "ns-4.awsdns-04.net."];

impl Zone {
    /// A zone with the NS and SOA records that every zone starts with.
    pub(super) fn new(name: &str, caller_reference: &str, private: bool) -> Self {
        let name = stored(name);
        let soa =
            format!("{} awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400", NAME_SERVERS[0]);
        let servers = NAME_SERVERS.map(str::to_owned).to_vec();
        let records = [
            Record::plain(&name, "NS", 172_800, servers),
            Record::plain(&name, "SOA", 900, vec![soa]),
        ];
        Self {
            name,
            caller_reference: caller_reference.to_owned(),
            comment: None,
            private,
            records: records.into_iter().map(|record| (record.key(), record)).collect(),
        }
    }
}

impl Route53State {
    /// See `World::describe`.
    pub(crate) fn describe(&self) -> Value {
        let record = |r: &Record| {
            let mut shown = json!({ "name": r.name, "type": r.kind });
            if let Some(set) = &r.set {
                shown["set_identifier"] = json!(set);
            }
            let members = r.routing.iter().chain(&r.geo).chain(&r.alias);
            for (member, value) in members {
                shown[*member] = json!(value);
            }
            if let Some(ttl) = r.ttl {
                shown["ttl"] = json!(ttl);
                shown["values"] = json!(r.values);
            }
            shown
        };
        let zone = |z: &Zone| {
            let records: Vec<_> = z.records.values().map(record).collect();
            json!({ "name": z.name, "private": z.private, "records": records })
        };
        self.zones.iter().map(|(id, z)| (id.clone(), zone(z))).collect()
    }

    /// Puts a hosted zone with these records, each with its values.
    pub(crate) fn seed(
        &mut self,
        id: &str,
        name: &str,
        private: bool,
        records: &[(SeedRecord, Vec<String>)],
    ) {
        let mut zone = Zone::new(name, id, private);
        for (seed, values) in records {
            let mut record = Record::plain(&seed.name, &seed.kind, seed.ttl, values.clone());
            if let Some(alias) = &seed.alias {
                record.ttl = None;
                record.values.clear();
                record.alias = vec![
                    ("HostedZoneId", id.to_owned()),
                    ("DNSName", stored(alias)),
                    ("EvaluateTargetHealth", "false".to_owned()),
                ];
            }
            if let Some(weight) = seed.weight {
                record.set = Some("seeded".to_owned());
                record.routing = vec![("Weight", weight.to_string())];
            }
            zone.records.insert(record.key(), record);
        }
        self.zones.insert(id.trim_start_matches("/hostedzone/").to_owned(), zone);
    }
}
