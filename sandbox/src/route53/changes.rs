//! Changes and whether every name server has them.

use super::state::{Change, Route53State};
use crate::context::Ctx;
use crate::wire::ApiError;
use crate::wire::query::Xml;

/// Records a change that was just made, under a new id, and gives its `ChangeInfo`.
pub(super) fn submit(state: &mut Route53State, ctx: &Ctx, comment: Option<String>) -> Xml {
    let id = format!("C{}", ctx.hex(20).to_uppercase());
    let in_sync = ctx.due(ctx.timings().dns_change);
    let change = Change { submitted: ctx.now, in_sync, comment };
    let shown = info(&id, &change, ctx);
    state.changes.insert(id, change);
    shown
}

pub(super) fn get(state: &Route53State, ctx: &Ctx, id: &str) -> Result<Xml, ApiError> {
    let change = state.changes.get(id).ok_or_else(|| {
        ApiError::missing(
            "NoSuchChange",
            format!("A change with the specified change ID does not exist: {id}"),
        )
    })?;
    Ok(Xml::new("GetChangeResponse").child(info(id, change, ctx)))
}

fn info(id: &str, change: &Change, ctx: &Ctx) -> Xml {
    let status = if ctx.now < change.in_sync { "PENDING" } else { "INSYNC" };
    Xml::new("ChangeInfo")
        .text("Id", format!("/change/{id}"))
        .text("Status", status)
        .time("SubmittedAt", change.submitted)
        .maybe("Comment", change.comment.clone())
}
