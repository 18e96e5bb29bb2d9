//! What a rollback would do, for whoever is asked whether it should.

use super::escape;
use crate::engine::journal::{Change, Role};
use crate::engine::{Progress, RunState};
use crate::plan::UndoPolicy;

/// What data is kept in: with it goes whatever was written to it since.
const KEEPS_DATA: [&str; 2] = ["MemoryDB cluster", "replication group"];

/// A line a step, first one first; and whose data goes with what is removed.
#[must_use]
pub fn undoing(state: &RunState) -> String {
    let (mut lines, mut data) = (Vec::new(), Vec::new());
    let steps = state.to_undo();
    let width = steps.iter().map(|step| step.id.len()).max().unwrap_or(0);
    for planned in steps {
        let step = state.step(&planned.id);
        let does = match state.undo_policy(planned) {
            _ if step.change == Some(Change::Unchanged) => "has changed nothing".to_owned(),
            UndoPolicy::None(how) | UndoPolicy::Manual(how)
                if step.progress != Progress::Succeeded =>
            {
                format!(
                    "may be half done, and stays so; `orchestrate resume {}` would finish it ({})",
                    state.header.run,
                    escape(how)
                )
            }
            UndoPolicy::None(reason) => format!("stays as it is: {}", escape(reason)),
            UndoPolicy::Manual(how) => format!("stays; by hand: {}", escape(how)),
            UndoPolicy::Undo | UndoPolicy::Pivot => {
                // What was there already was not made by this run.
                let if_own = match step.change {
                    Some(Change::Adopted) => ", if this run made it",
                    _ => "",
                };
                let each = step.resources.iter().map(|resource| {
                    let name = format!("{} \"{}\"", resource.what, escape(&resource.name));
                    match resource.role {
                        Role::Creates => {
                            if KEEPS_DATA.contains(&resource.what.as_str()) {
                                data.push(name.clone());
                            }
                            format!("removes {name}{if_own}")
                        }
                        Role::Changes => format!("puts back {name}"),
                        Role::Deletes => format!("brings back {name}"),
                    }
                });
                let each: Vec<String> = each.collect();
                if each.is_empty() { "is undone".to_owned() } else { each.join("; ") }
            }
        };
        lines.push(format!("    {:width$}  {does}", planned.id));
    }
    if lines.is_empty() {
        return "  This run has changed nothing yet.".to_owned();
    }
    let mut text = format!("  To be undone, in this order:\n{}", lines.join("\n"));
    if !data.is_empty() {
        let data = data.join(" and ");
        text.push_str(&format!("\n  WHAT WAS WRITTEN TO {data} IS LOST with it."));
    }
    text
}
