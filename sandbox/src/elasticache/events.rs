//! DescribeEvents.

use super::call::{invalid_value, page};
use crate::context::Ctx;
use crate::events::Wanted;
use crate::wire::ApiError;
use crate::wire::query::{Params, Xml};

/// DescribeEvents.
pub(super) fn describe(ctx: &Ctx, params: &Params) -> Result<Xml, ApiError> {
    let time = |name: &str| {
        let parse = |text: &str| {
            text.parse().map_err(|_| invalid_value(format!("{name} is not a time: {text}")))
        };
        params.get(name).map(parse).transpose()
    };
    let wanted = Wanted {
        source: params.get("SourceIdentifier").map(str::to_owned),
        kind: params.get("SourceType").map(str::to_owned),
        from: time("StartTime")?,
        to: time("EndTime")?,
        minutes: params.number("Duration")?,
    };
    if wanted.source.is_some() && wanted.kind.is_none() {
        return Err(super::call::invalid_combination(
            "SourceType must be specified with SourceIdentifier.",
        ));
    }
    let world = ctx.world();
    let events = wanted.pick(&world.elasticache.events, ctx.now);
    let items = events.into_iter().map(|event| {
        Xml::new("Event")
            .text("SourceIdentifier", &event.source)
            .text("SourceType", event.kind)
            .text("Message", &event.message)
            .time("Date", event.at)
    });
    page(params, "Events", items.collect(), 100)
}
