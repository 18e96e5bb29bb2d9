//! One change of a replication group, forward and back: what `modify_replication_group`, `scale_replicas`, `scale_shards`
//! and `upgrade_engine` have in common.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::group;
use super::values::{Values, explain};
use crate::aws::elasticache_arn;
use crate::engine::journal::{Resource, Role};
use crate::engine::{Class, Cx, Failure};
use crate::steps::Env;
use crate::steps::creation::{self, Call};
use crate::survey::Group;

/// The intent, and what the undo puts back.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Change {
    pub(super) group: String,
    pub(super) before: Values,
    pub(super) wanted: Values,
    /// Whether it is carried out now; else in the maintenance window, as far as AWS lets it wait.
    pub(super) at_once: bool,
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was carried out, or left to the window.
    Changed,
    /// An earlier call of this step had asked for it.
    Adopted,
    /// It was so already.
    Unchanged,
}

impl Change {
    /// Reads what there is. Changes nothing.
    ///
    /// # Errors
    /// `Busy` if the group is not at rest, or as the reads.
    pub(super) fn planned(group: &Group, wanted: Values, at_once: bool) -> Result<Self, Failure> {
        group::at_rest(group)?;
        let before = Values::of(group, &wanted);
        Ok(Self { group: group.id.clone(), before, wanted, at_once })
    }

    pub(super) fn resources(&self, env: &Env) -> Vec<Resource> {
        vec![Resource {
            what: "replication group".to_owned(),
            name: self.group.clone(),
            arn: Some(elasticache_arn(&env.identity, "replicationgroup", &self.group)),
            role: Role::Changes,
        }]
    }

    /// Asks for it unless that was done, and waits until it is so.
    ///
    /// # Errors
    /// `Conflict` if somebody else changed the group meanwhile; those of the call and of the wait.
    pub(super) async fn carry_out(
        &self,
        env: &Env,
        cx: &Cx,
        expected: Duration,
    ) -> Result<Outcome, Failure> {
        let asked = creation::call_state(cx);
        let now = match asked {
            // The answer was lost: the effect may show late, and asking again is not refused by everything.
            Call::Asked => {
                let shown = || async {
                    let group = group::need(env, &self.group).await?;
                    let shows = group.status != "available" || self.is_there(&group);
                    Ok(shows.then_some(group))
                };
                match creation::until_visible(cx, shown).await? {
                    Some(group) => group,
                    None => group::need(env, &self.group).await?,
                }
            }
            _ => group::need(env, &self.group).await?,
        };
        let done = self.is_there(&now);
        if done && asked == Call::Never {
            return Ok(Outcome::Unchanged);
        }
        let begun = asked != Call::Never && asked != Call::Refused;
        if !done && !(begun && (asked != Call::Asked || now.status != "available")) {
            group::at_rest(&now)?;
            let is = Values::of(&now, &self.wanted);
            if is != self.before {
                return Err(Failure::new(
                    Class::Conflict,
                    format!(
                        "replication group \"{}\" was changed by somebody else meanwhile",
                        self.group
                    ),
                )
                .because(format!("it had {}, and has {}", self.before.words(), is.words()))
                .mend("see who changed it, then roll back and run again"));
            }
            creation::ask(cx, self.wanted.ask(env, &now, self.at_once)).await.map_err(explain)?;
            creation::note_call(cx, Call::Taken).await?;
        }
        group::wait_for(env, cx, &self.group, &self.wanted, !self.at_once, expected).await?;
        creation::note_call(cx, Call::Over).await?;
        Ok(if begun { Outcome::Adopted } else { Outcome::Changed })
    }

    fn is_there(&self, group: &Group) -> bool {
        let waiting = group::pending(group);
        let mut unmet = self.wanted.unmet(group);
        if !self.at_once {
            unmet.retain(|unmet| !waiting.contains(&unmet.pending));
        }
        unmet.is_empty()
    }

    /// Puts the former values back, unless somebody else has changed them meanwhile.
    ///
    /// # Errors
    /// Those of the call and of the wait.
    pub(super) async fn take_back(
        &self,
        env: &Env,
        cx: &Cx,
        expected: Duration,
    ) -> Result<Vec<String>, Failure> {
        let asked = creation::call_state(cx);
        if matches!(asked, Call::Never | Call::Refused) {
            return Ok(Vec::new());
        }
        let id = &self.group;
        let look = || group::read(env, id);
        let Some(mut now) = creation::look_for_made(cx, look).await? else {
            cx.warn(format!("replication group \"{id}\" is gone; nothing to put back"));
            return Ok(Vec::new());
        };
        if asked == Call::Asked && now.status == "available" && self.was(&now) {
            // The call may have been taken, and shows late.
            let shown = || async {
                let group = group::need(env, id).await?;
                Ok((group.status != "available" || !self.was(&group)).then_some(group))
            };
            match creation::until_visible(cx, shown).await? {
                Some(group) => now = group,
                None => return Ok(Vec::new()),
            }
        }
        if now.status != "available" {
            group::wait_for(env, cx, id, &Values::default(), true, expected).await?;
            now = group::need(env, id).await?;
        }
        if self.was(&now) {
            return Ok(Vec::new());
        }
        if !self.is_there(&now) {
            let is = Values::of(&now, &self.wanted);
            let left = format!(
                "left replication group \"{id}\" with {}, which is neither what it had nor what this run asked for: AWS \
                 gave up halfway, or somebody else changed it",
                is.words()
            );
            cx.warn(left.clone());
            return Ok(vec![left]);
        }
        self.before.ask(env, &now, self.at_once).await.map_err(explain)?;
        // What waits for a window has changed nothing yet.
        group::wait_for(env, cx, id, &self.before, false, expected).await?;
        Ok(vec![format!("put {} of replication group \"{id}\" back", self.before.words())])
    }

    /// Whether the group is as it was, with nothing on its way.
    fn was(&self, group: &Group) -> bool {
        self.before.unmet(group).is_empty() && group::pending(group).is_empty()
    }
}

#[cfg(test)]
mod tests;
