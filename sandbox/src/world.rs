//! The state: everything that exists, one part per service.

use serde_json::Value;

use crate::cloudwatch::state::CloudWatchState;
use crate::data::Cluster;
use crate::elasticache::state::ElastiCacheState;
use crate::kms::state::KmsState;
use crate::memorydb::state::MemoryDbState;
use crate::route53::state::Route53State;
use crate::s3::state::S3State;
use crate::secretsmanager::state::SecretsManagerState;
use crate::sns::state::SnsState;
use crate::ssm::state::SsmState;

/// The one VPC that a seed does not name.
pub(crate) const VPC: &str = "vpc-0sandbox";

/// Everything that exists. A clone is a snapshot of the control plane; cluster handles in it are shared.
#[derive(Debug, Clone, Default)]
pub(crate) struct World {
    pub(crate) elasticache: ElastiCacheState,
    pub(crate) memorydb: MemoryDbState,
    pub(crate) s3: S3State,
    pub(crate) ssm: SsmState,
    pub(crate) secretsmanager: SecretsManagerState,
    pub(crate) route53: Route53State,
    pub(crate) kms: KmsState,
    pub(crate) cloudwatch: CloudWatchState,
    pub(crate) sns: SnsState,
}

/// The keys of a cluster: counted in the model; of real servers, what they were given.
pub(crate) fn key_count(cluster: Option<&Cluster>, given: u64) -> u64 {
    cluster.and_then(Cluster::model).map_or(given, |model| model.keys())
}

impl World {
    /// Every cluster that has servers or a model behind it.
    pub(crate) fn clusters(&self) -> Vec<Cluster> {
        let groups = self.elasticache.groups.values().filter_map(|group| group.cluster.clone());
        let caches = self.elasticache.caches.values().filter_map(|cache| cache.cluster.clone());
        let clusters = self.memorydb.clusters.values().filter_map(|c| c.cluster.clone());
        groups.chain(caches).chain(clusters).collect()
    }

    /// What exists, in order, without anything that differs between two runs of the same effect: no timestamps, random
    /// ids, version numbers or request ids.
    pub(crate) fn describe(&self) -> Value {
        const PARTS: [&str; 9] = [
            "elasticache",
            "memorydb",
            "s3",
            "ssm",
            "secretsmanager",
            "route53",
            "kms",
            "monitoring",
            "sns",
        ];
        PARTS.iter().map(|part| ((*part).to_owned(), self.describe_part(part))).collect()
    }

    /// The part of one service, by its signing name.
    pub(crate) fn describe_part(&self, service: &str) -> Value {
        match service {
            "elasticache" => self.elasticache.describe(),
            "memorydb" => self.memorydb.describe(),
            "s3" => self.s3.describe(),
            "ssm" => self.ssm.describe(),
            "secretsmanager" => self.secretsmanager.describe(),
            "route53" => self.route53.describe(),
            "kms" => self.kms.describe(),
            "monitoring" => self.cloudwatch.describe(),
            "sns" => self.sns.describe(),
            _ => Value::Null,
        }
    }
}
