//! What a playbook can do: one file per kind, `<service>/<verb>.rs`, all of one shape (`Step`).
//!
//! The list below is the only place that names them all; dispatch, schema, documentation and permissions come from it.

mod approve;
mod assert;
#[cfg(test)]
mod check_tests;
pub mod checks;
mod cloudwatch;
mod creation;
mod elasticache;
mod endpoint;
mod env;
mod exec;
mod exports;
mod memorydb;
mod need;
mod notify;
mod ownership;
mod page;
mod pause;
mod permitted;
mod rdb;
pub mod redis;
mod s3;
mod secret;
mod secretsmanager;
mod step;
#[cfg(test)]
pub(crate) mod testing;

use std::collections::BTreeMap;
use std::rc::Rc;

pub use cloudwatch::guard;
pub use env::Env;
pub use need::Need;
pub use permitted::permissions_findings;
pub(crate) use s3::bucket_fault;
pub use step::{About, Cargo, Done, Sketch, Step, Touch, about};

use crate::engine::{Kind, Kinds};
use crate::permissions;
pub use crate::permissions::{Action, action};
use crate::plan::Catalog;

macro_rules! kinds {
    ($($step:path),* $(,)?) => {
        /// Everything known about every kind, in alphabetical order.
        #[must_use]
        pub fn all() -> Vec<About> {
            let mut all: Vec<About> = vec![$(about::<$step>()),*];
            all.sort_by_key(|kind| kind.info.name);
            all
        }

        /// Every kind, ready to act with `env`.
        #[must_use]
        pub fn registry(env: &Rc<Env>) -> Registry {
            let mut kinds: BTreeMap<&'static str, Box<dyn Kind>> = BTreeMap::new();
            $(kinds.insert(<$step as Step>::KIND, step::Erased::<$step>::boxed(Rc::clone(env)));)*
            Registry { kinds }
        }
    };
}

kinds![
    approve::Approve,
    assert::Assert,
    cloudwatch::MetricGate,
    cloudwatch::PutAlarms,
    cloudwatch::PutDashboard,
    cloudwatch::PutMetric,
    cloudwatch::PutMetricIfUndone,
    elasticache::CreateReplicationGroup,
    elasticache::CreateServerlessSnapshot,
    elasticache::CreateSnapshot,
    elasticache::DeleteReplicationGroup,
    elasticache::DeleteServerlessSnapshot,
    elasticache::DeleteSnapshot,
    elasticache::ExportFleet,
    elasticache::ExportLatest,
    elasticache::ExportServerless,
    elasticache::ExportServerlessSnapshot,
    elasticache::ExportSnapshot,
    elasticache::FreezeWrites,
    elasticache::ModifyReplicationGroup,
    elasticache::ScaleReplicas,
    elasticache::ScaleShards,
    elasticache::TestFailover,
    elasticache::ThawWrites,
    elasticache::UpgradeEngine,
    endpoint::Swap,
    exec::Exec,
    memorydb::CopySnapshot,
    memorydb::CreateAcl,
    memorydb::CreateCluster,
    memorydb::CreateParameterGroup,
    memorydb::CreateSnapshot,
    memorydb::CreateSubnetGroup,
    memorydb::CreateUser,
    memorydb::DeleteCluster,
    memorydb::DeleteSnapshot,
    memorydb::ExportSnapshot,
    memorydb::FailoverShard,
    memorydb::UpdateAcl,
    memorydb::UpdateCluster,
    notify::sns::Sns,
    notify::webhook::Webhook,
    pause::Pause,
    rdb::Check,
    redis::compare::Compare,
    redis::count::Count,
    s3::DeleteObjects,
    s3::NewestExport,
    s3::PruneExports,
    secretsmanager::CreateSecret,
];

/// The kinds by name.
pub struct Registry {
    kinds: BTreeMap<&'static str, Box<dyn Kind>>,
}

impl Kinds for Registry {
    fn kind(&self, name: &str) -> Option<&dyn Kind> {
        self.kinds.get(name).map(AsRef::as_ref)
    }
}

/// What the kind of this name declares of permissions.
#[must_use]
pub fn declared(name: &str) -> Option<permissions::Kind> {
    if name == guard::GUARD {
        return Some(guard::declared());
    }
    all().into_iter().find(|kind| kind.info.name == name).map(|kind| kind.permissions)
}

/// What plans are checked against.
#[must_use]
pub fn catalog() -> Catalog {
    let kinds = Catalog::new(all().into_iter().map(|kind| kind.info));
    Catalog { guard: Some(guard::info()), ..kinds }
}
