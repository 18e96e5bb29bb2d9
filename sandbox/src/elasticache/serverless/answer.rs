//! The XML forms of caches and their snapshots.

use super::state::{Cache, CacheSnapshot};
use crate::context::Ctx;
use crate::elasticache::answer::{arn, endpoint};
use crate::wire::query::Xml;

/// A `ServerlessCache`. Statuses are in lower case, as AWS's samples have them; the API model has them in upper case.
pub(super) fn cache(ctx: &Ctx, c: &Cache) -> Xml {
    let mut xml = Xml::new("member")
        .text("ServerlessCacheName", &c.name)
        .text("Description", &c.name)
        .time("CreateTime", c.created)
        .text("Status", &c.status)
        .text("Engine", &c.engine)
        .text("MajorEngineVersion", &c.major_version)
        .text("FullEngineVersion", &c.full_version)
        .values("SecurityGroupIds", "SecurityGroupId", &c.security_groups);
    if let Some(cluster) = &c.cluster {
        // On AWS the reader endpoint is the same host with port 6380. Here nothing listens on another port.
        let (host, port) = cluster.endpoint();
        xml = xml.child(endpoint("Endpoint", &host, port)).child(endpoint(
            "ReaderEndpoint",
            &host,
            port,
        ));
    }
    xml.text("ARN", arn(ctx, "serverlesscache", &c.name))
        .maybe("UserGroupId", c.user_group.as_deref())
        .values("SubnetIds", "SubnetId", &c.subnets)
        .show("SnapshotRetentionLimit", 0)
}

/// A `ServerlessCacheSnapshot` as an element of this name. It has a size once it is done.
pub(super) fn snapshot(ctx: &Ctx, name: &'static str, s: &CacheSnapshot) -> Xml {
    let bytes: usize = s.files.iter().flatten().map(|file| file.rdb.len()).sum();
    let bytes = (s.status != "creating").then(|| bytes.to_string());
    Xml::new(name)
        .text("ServerlessCacheSnapshotName", &s.name)
        .text("ARN", arn(ctx, "serverlesscachesnapshot", &s.name))
        .maybe("KmsKeyId", s.kms_key.as_deref())
        .text("SnapshotType", "manual")
        .text("Status", &s.status)
        .time("CreateTime", s.created)
        .maybe("BytesUsedForCache", bytes)
        .child(
            Xml::new("ServerlessCacheConfiguration")
                .text("ServerlessCacheName", &s.cache)
                .text("Engine", &s.engine)
                .text("MajorEngineVersion", &s.major_version),
        )
}
