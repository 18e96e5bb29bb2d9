//! Every file of an export, read to its last byte before it counts.

use futures::{FutureExt, StreamExt, stream};
use orchestrate_rdb::{Checksum, Summary};

use super::manifest::{Band, ExportedFile, Kept};
use crate::engine::{Class, Cx, Failure};
use crate::steps::rdb::{File, read};
use crate::steps::{Env, s3};

/// Files read at a time.
const AT_ONCE: usize = 4;

/// Reads each file: head, checksum, keys.
///
/// # Errors
/// `Fatal` if one is damaged, `Conflict` if one is gone or replaced; as `aws::call`.
pub(super) async fn verify(
    env: &Env,
    cx: &Cx,
    bucket: &str,
    keys: &[String],
) -> Result<Vec<ExportedFile>, Failure> {
    let reads = keys.iter().map(|key| one(env, cx, bucket, key).boxed_local());
    let mut files = Vec::new();
    let read: Vec<_> = stream::iter(reads).buffered(AT_ONCE).collect().await;
    for file in read {
        files.push(file?);
    }
    Ok(files)
}

async fn one(env: &Env, cx: &Cx, bucket: &str, key: &str) -> Result<ExportedFile, Failure> {
    let Some(found) = s3::version_of(env, bucket, key, None).await? else {
        return Err(super::call::vanished(bucket, key));
    };
    let file = File {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        bytes: found.bytes,
        etag: found.etag.clone(),
    };
    let summary: Summary = read(env, cx, &file, 0, |_| {}).await?;
    let checksum = match summary.checksum {
        Some(Checksum::Fits) => "fits",
        Some(Checksum::Differs { stored, computed }) => {
            return Err(Failure::fatal(format!("s3://{bucket}/{key} is damaged"))
                .because(format!(
                    "its checksum is {stored:016x}, and that of its bytes {computed:016x}"
                ))
                .mend("export again; the source is not changed by that"));
        }
        Some(Checksum::Absent) | None => {
            cx.warn(format!(
                "s3://{bucket}/{key} has no checksum: damage to it would not be noticed"
            ));
            "absent"
        }
    };
    Ok(ExportedFile {
        key: key.to_owned(),
        bytes: found.bytes,
        etag: found.etag,
        version: found.version,
        rdb: summary.head.map(|head| head.to_string()).unwrap_or_default(),
        checksum: checksum.to_owned(),
        keys: summary.all.keys,
        keys_with_expiry: summary.all.expiring,
    })
}

/// Holds the size of an export against those before it.
///
/// # Errors
/// `Fatal` if it is out of the band: the data of a day rarely halves, and a cluster that lost shards or came up empty
/// exports without complaint.
pub(super) fn within(bytes: u64, history: &[Kept], percent: u32) -> Result<Band, Failure> {
    let mut sizes: Vec<u64> = history.iter().map(|kept| kept.manifest.bytes).collect();
    sizes.sort_unstable();
    let median_bytes = sizes.get(sizes.len() / 2).copied().unwrap_or(0);
    let band = Band { exports: sizes.len(), median_bytes, percent };
    let room = u128::from(median_bytes) * u128::from(percent) / 100;
    if !sizes.is_empty() && u128::from(bytes.abs_diff(median_bytes)) > room {
        return Err(Failure::new(
            Class::Fatal,
            format!(
                "the export has {bytes} bytes, and the middle of the last {} has {median_bytes}: more than {percent} \
                 hundredths apart",
                sizes.len()
            ),
        )
        .mend(
            "look whether the cluster lost data or shards; if the change is meant, run once with a wider `band_percent`",
        ));
    }
    Ok(band)
}
