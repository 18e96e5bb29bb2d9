//! Whether the data fits.

use serde_json::Value;

use super::super::super::cluster::SERVICE;
use super::super::{Env, Finding, Op, s3, split_s3_object_arn};
use super::fit::{self, Fill, Part, fullest, percent, size, what_fits};
use super::number;
use super::sizes::Sizes;
use super::source::Source;
use crate::facts;

const CHECK: &str = "target.memory";

pub(super) async fn findings(env: &Env, args: &Value, source: &Source) -> Option<Finding> {
    let node_type = args["node_type"].as_str()?;
    let (shards, replicas) =
        (number(args, "shards", 1)?, number(args, "replicas_per_shard", 1)?.min(5));
    let (sizes, missed) = match (args.get("restore_from"), &args["restore_from_snapshot"]) {
        (Some(Value::Array(files)), _) if !files.is_empty() => {
            (of_files(env, files).await?, vec![])
        }
        (_, Value::String(name)) => (of_snapshot(env, name).await?, vec![]),
        (Some(Value::Null), _) => match Sizes::of(env, source, env.survey.now()).await {
            (Some(sizes), missed) => (sizes, missed),
            (None, missed) if missed.is_empty() => return None,
            (None, missed) => {
                return Some(unknown(&format!(
                    "how much memory the source uses cannot be told: {}",
                    missed.join("; ")
                )));
            }
        },
        _ => return None,
    };
    let missed: String = missed.iter().map(|why| format!("; {why}")).collect();
    let Some(memory) = facts::memorydb_node_type(node_type).map(|node| node.maxmemory) else {
        return Some(unknown(&format!("no page tells how much memory {node_type} has")));
    };
    Some(judge(&sizes, &missed, node_type, memory, (shards.max(1), replicas)))
}

fn unknown(why: &str) -> Finding {
    Finding::cannot_know(CHECK, why).mend(
        "compare the source's BytesUsedForCache by shard with the node type's memory yourself; a restore that does not \
         fit ends as restore-failed",
    )
}

fn judge(
    sizes: &Sizes,
    missed: &str,
    node_type: &str,
    memory: u64,
    (shards, replicas): (u64, u64),
) -> Finding {
    let bytes = fullest(&sizes.parts, shards);
    let total = sizes.parts.iter().map(|part| part.bytes).fold(0, u64::saturating_add);
    let at_most = if sizes.bound { "at most " } else { "" };
    let places = match sizes.parts.len() {
        1 => String::new(),
        count => format!(" in {count} shards"),
    };
    let fullest = match shards {
        1 => "the one shard".to_owned(),
        count => format!("the fullest of {count} shards"),
    };
    let what = format!(
        "{at_most}{}{places} ({}{missed}) make {at_most}{} in {fullest}, if each shard's keys are spread evenly over its \
         slots: {} % of the {} that {node_type} holds",
        size(total),
        sizes.from,
        size(bytes),
        percent(bytes, memory),
        size(memory),
    );
    let mend = || what_fits(&sizes.parts, node_type, shards, replicas);
    let finding = match (fit::fill(bytes, memory), sizes.bound) {
        (Fill::Fits, _) => Finding::ok(CHECK, what),
        (_, true) => Finding::cannot_know(CHECK, format!("{what}; how much it is, is not known"))
            .mend(format!("look at the source's BytesUsedForCache; to be safe, {}", mend())),
        (Fill::Tight, _) => Finding::cannot_know(
            CHECK,
            format!("{what}; that leaves too little for growth, fragmentation and slots that are not even: one hot slot cannot be split"),
        )
        .mend(mend()),
        (Fill::Over, _) => Finding::will_fail(
            CHECK,
            format!("{what}; the cluster would end as restore-failed"),
            mend(),
        ),
    };
    finding.seen("source shards", sizes.parts.len())
}

/// Files by their own size: keys take more room in memory than in a file, about one to two times as much.
async fn of_files(env: &Env, files: &[Value]) -> Option<Sizes> {
    let mut bytes = 0_u64;
    for arn in files {
        let (bucket, key) = split_s3_object_arn(arn.as_str()?)?;
        // What is not there, or may not be looked at, is for `prepare` to say.
        bytes = bytes.saturating_add(s3::head(env, bucket, key).await.ok()??.bytes);
    }
    Some(Sizes {
        parts: vec![Part { slots: None, bytes: bytes.saturating_mul(2) }],
        from: format!(
            "twice the {} of the files, as keys take up to twice the room in memory",
            size(bytes)
        ),
        bound: true,
    })
}

/// A snapshot of MemoryDB tells the size of its shards.
async fn of_snapshot(env: &Env, name: &str) -> Option<Sizes> {
    let client = &env.aws.memorydb;
    let name = name.to_ascii_lowercase();
    let look = || client.describe_snapshots().snapshot_name(&name).show_detail(true).send();
    let answer = env.survey.ask(Op::read(SERVICE, "DescribeSnapshots"), look).await.ok()?;
    let shards = answer.snapshots().first()?.cluster_configuration()?.shards();
    let parts: Option<Vec<Part>> = shards
        .iter()
        .map(|shard| {
            let slots = shard.configuration().and_then(|c| c.slots()).map(str::to_owned);
            Some(Part { slots, bytes: crate::survey::size(shard.size()?)? })
        })
        .collect();
    let parts = parts.filter(|parts| !parts.is_empty())?;
    Some(Sizes { parts, from: format!("MemoryDB snapshot \"{name}\""), bound: false })
}
