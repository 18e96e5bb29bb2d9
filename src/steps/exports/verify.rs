//! Every file of an export, read to its last byte before it counts.

use futures::{FutureExt, StreamExt, stream};
use orchestrate_rdb::{Checksum, Summary};

use super::manifest::{Band, ExportedFile, Kept};
use crate::engine::{Class, Cx, Failure};
use crate::steps::rdb::{File, read};
use crate::steps::{Env, s3};

/// Files read at a time.
const AT_ONCE: usize = 4;
/// How many earlier exports a new one is held against.
pub(super) const HISTORY: usize = 5;

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

/// What sizes pass.
#[derive(Clone, Copy, Debug)]
pub(in crate::steps) struct Tolerance {
    /// By how many hundredths a size may differ from the middle of those before.
    pub(in crate::steps) band_percent: u32,
    /// Whether this one passes whatever it is, and begins the history that later ones are held against.
    pub(in crate::steps) accept_size: bool,
}

impl Tolerance {
    /// For the plan: that the size is not weighed, where it is not.
    pub(in crate::steps) fn words(args: &serde_json::Value) -> &'static str {
        match args["accept_size"].as_bool() {
            Some(true) => "; TAKE ITS SIZE AS IT IS, whatever the exports before it had",
            _ => "",
        }
    }
}

/// Holds the size of an export against those of the last ones before it, newest first, back to one whose size was accepted.
/// What has lost files since still tells how large it was.
///
/// # Errors
/// `Fatal` if it is out of the band: the data of a day rarely halves, and a cluster that lost shards or came up empty
/// exports without complaint.
pub(super) fn within(bytes: u64, history: &[Kept], allowed: Tolerance) -> Result<Band, Failure> {
    let last = || history.iter().map(|kept| &kept.manifest).take(HISTORY);
    let since = last().position(|manifest| manifest.band.accepted).map_or(HISTORY, |at| at + 1);
    let mut sizes: Vec<u64> = last().take(since).map(|manifest| manifest.bytes).collect();
    sizes.sort_unstable();
    let median_bytes = sizes.get(sizes.len() / 2).copied().unwrap_or(0);
    let Tolerance { band_percent: percent, accept_size: accepted } = allowed;
    let band = Band { exports: sizes.len(), median_bytes, percent, accepted };
    let room = u128::from(median_bytes) * u128::from(percent) / 100;
    if !accepted && !sizes.is_empty() && u128::from(bytes.abs_diff(median_bytes)) > room {
        return Err(Failure::new(
            Class::Fatal,
            format!(
                "the export has {bytes} bytes, and the middle of the last {} has {median_bytes}: more than {percent} \
                 hundredths apart",
                sizes.len()
            ),
        )
        .mend(
            "look whether the cluster lost data or shards; if it is this large now, run once with `accept_size: true`: \
             later exports are held against that one",
        ));
    }
    Ok(band)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::exports::manifest::tests::kept;

    #[test]
    fn a_size_that_was_accepted_begins_the_history_anew() {
        let allowed = |accept_size| Tolerance { band_percent: 50, accept_size };
        let old = [kept(100, false), kept(110, false), kept(90, false)];
        assert_eq!(within(140, &old, allowed(false)).unwrap().median_bytes, 100);
        let failure = within(250, &old, allowed(false)).unwrap_err();
        assert!(failure.mend.unwrap_or_default().contains("accept_size"));
        assert!(within(250, &old, allowed(true)).unwrap().accepted);
        // The next ordinary one is held against the accepted one alone.
        let grown = [&[kept(250, true)][..], &old].concat();
        let band = within(240, &grown, allowed(false)).unwrap();
        assert_eq!((band.exports, band.median_bytes), (1, 250));
        assert!(within(100, &grown, allowed(false)).is_err());
        let later = [&[kept(260, false), kept(250, true)][..], &old].concat();
        assert_eq!(within(240, &later, allowed(false)).unwrap().exports, 2);
    }

    #[test]
    fn the_last_five_count_whole_or_not() {
        let damaged = Kept { whole: false, ..kept(100, false) };
        let allowed = Tolerance { band_percent: 10, accept_size: false };
        let old = [vec![damaged; 5], vec![kept(900, false); 6]].concat();
        let band = within(100, &old, allowed).unwrap();
        assert_eq!((band.exports, band.median_bytes), (5, 100));
    }
}
