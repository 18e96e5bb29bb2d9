//! What the export of a serverless snapshot brings, and how one sees that it is over.
//!
//! ExportServerlessCacheSnapshot takes no name for its files. AWS documents neither how they are called nor how many they
//! are, only that exported names begin with the snapshot's (ElastiCache user guide, exporting a backup). So the bucket is
//! listed before the call, and what is new afterwards under the snapshot's name is the export's.
//!
//! Nothing tells that all files are there either: events tell of failed exports only (ElastiCache user guide, serverless
//! cache events). The best there is: the snapshot is `available` again, and the listing stays the same for a while. A file
//! that never arrived is not noticed here; a comparison of the restored cluster with the source does notice it.

use serde::{Deserialize, Serialize};

use super::serverless;
use crate::engine::Failure;
use crate::steps::exports::View;
use crate::steps::{Env, s3};

/// What an export brings, and from what.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Arrivals {
    /// The source snapshot, in lower case as ElastiCache stores it.
    pub(super) snapshot: String,
    /// The bucket.
    pub(super) bucket: String,
    /// What lay there under the snapshot's name before the export was asked for.
    pub(super) before: Vec<String>,
}

/// Whether `key` begins with the snapshot's name, and not with that of another which is only longer.
fn under(key: &str, snapshot: &str) -> bool {
    key.strip_prefix(snapshot)
        .is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
}

/// Whether a snapshot's files would also be taken for those of another whose name its own begins with. What differs from
/// it by a number alone does not count: that may just as well be the number of a file.
fn rivals(name: &str, snapshot: &str) -> bool {
    let rest = name.strip_prefix(snapshot).and_then(|rest| rest.strip_prefix('-'));
    rest.is_some_and(|rest| rest.len() > 4 || !rest.bytes().all(|b| b.is_ascii_digit()))
}

impl Arrivals {
    /// A file of the bucket that the export would very likely have to overwrite, which ElastiCache refuses: the form that
    /// it gives to other exports, `<name>-<number>.rdb`, or the name alone.
    pub(super) fn in_the_way(&self) -> Option<&String> {
        self.before.iter().find(|key| {
            let rest = key.strip_prefix(&self.snapshot).and_then(|rest| rest.strip_suffix(".rdb"));
            rest.is_some_and(|rest| {
                let number = rest.strip_prefix('-');
                rest.is_empty()
                    || number.is_some_and(|number| {
                        (1..=4).contains(&number.len())
                            && number.bytes().all(|b| b.is_ascii_digit())
                    })
            })
        })
    }

    /// Every key under the snapshot's name.
    pub(super) async fn list(
        env: &Env,
        bucket: &str,
        snapshot: &str,
    ) -> Result<Vec<s3::Object>, Failure> {
        let mut objects = s3::list(env, bucket, snapshot).await?;
        objects.retain(|object| under(&object.key, snapshot));
        Ok(objects)
    }

    /// What has come since the intent was recorded, without what another snapshot's export brought.
    pub(super) async fn objects(&self, env: &Env) -> Result<Vec<s3::Object>, Failure> {
        let mut objects = Self::list(env, &self.bucket, &self.snapshot).await?;
        objects.retain(|object| object.bytes > 0 && !self.before.contains(&object.key));
        if objects.is_empty() {
            return Ok(objects);
        }
        let others = serverless::snapshots(env).await?;
        let others: Vec<_> = others
            .iter()
            .filter_map(|other| other.serverless_cache_snapshot_name())
            .map(str::to_ascii_lowercase)
            .filter(|name| rivals(name, &self.snapshot))
            .collect();
        objects.retain(|object| !others.iter().any(|other| under(&object.key, other)));
        Ok(objects)
    }

    async fn source(&self, env: &Env) -> Result<Option<String>, Failure> {
        let source = serverless::snapshot(env, &self.snapshot).await?;
        Ok(source.map(|s| s.status().unwrap_or("unknown").to_owned()))
    }

    /// Looks at both sides. The source first: an export that ends between the two looks then shows as it is.
    pub(super) async fn view(&self, env: &Env) -> Result<View, Failure> {
        let source = self.source(env).await?;
        let objects = self.objects(env).await?.into_iter().map(Some).collect();
        Ok(View { source, objects, counted: false })
    }

    /// As `view`, for a wait: asks S3 only once the source is free again, since nothing is decided before.
    pub(super) async fn glance(&self, env: &Env) -> Result<View, Failure> {
        let mut view =
            View { source: self.source(env).await?, objects: Vec::new(), counted: false };
        if view.source_is_free() {
            view.objects = self.objects(env).await?.into_iter().map(Some).collect();
        }
        Ok(view)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_apart_by_the_snapshot_s_whole_name() {
        for key in ["prod-0001.rdb", "prod.rdb", "prod", "prod/part-1.rdb", "prod_a.rdb"] {
            assert!(under(key, "prod"), "{key}");
        }
        for key in ["prod2-0001.rdb", "production.rdb", "pro", "x-prod-0001.rdb"] {
            assert!(!under(key, "prod"), "{key}");
        }
    }

    #[test]
    fn a_longer_name_is_another_snapshot_unless_it_may_be_the_number_of_a_file() {
        for name in ["prod-eu", "prod-00001", "prod-1-2"] {
            assert!(rivals(name, "prod"), "{name}");
        }
        for name in ["prod", "prod-0001", "prod-7", "prod2", "eu-prod"] {
            assert!(!rivals(name, "prod"), "{name}");
        }
    }

    #[test]
    fn only_names_that_the_export_would_write_itself_are_in_its_way() {
        let arrivals = |before: &[&str]| Arrivals {
            snapshot: "prod".into(),
            bucket: "b".into(),
            before: before.iter().map(|key| (*key).to_owned()).collect(),
        };
        for key in ["prod-0001.rdb", "prod-3.rdb", "prod.rdb"] {
            assert_eq!(arrivals(&["prod-eu-0001.rdb", key]).in_the_way().unwrap(), key);
        }
        for key in ["prod-eu-0001.rdb", "prod-0001.rdb.md5", "prod-00001.rdb", "prod-.rdb"] {
            assert_eq!(arrivals(&[key]).in_the_way(), None, "{key}");
        }
    }
}
