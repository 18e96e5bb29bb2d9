//! DescribeEvents.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::call::page;
use crate::context::Ctx;
use crate::events::Wanted;
use crate::wire::ApiError;
use crate::wire::json::epoch;

/// DescribeEvents.
pub(super) fn describe(ctx: &Ctx, input: &Value) -> Result<Value, ApiError> {
    let time = |name: &str| {
        let seconds = input[name].as_f64()?;
        Timestamp::from_millisecond((seconds * 1000.0) as i64).ok()
    };
    let wanted = Wanted {
        source: input["SourceName"].as_str().map(str::to_owned),
        kind: input["SourceType"].as_str().map(str::to_owned),
        from: time("StartTime"),
        to: time("EndTime"),
        minutes: input["Duration"].as_u64(),
    };
    let world = ctx.world();
    let events = wanted.pick(&world.memorydb.events, ctx.now);
    let items = events.into_iter().map(|event| {
        json!({
            "SourceName": event.source,
            "SourceType": event.kind,
            "Message": event.message,
            "Date": epoch(event.at),
        })
    });
    page(input, "Events", items.collect())
}
