//! The clusters that a run works on: one run at a time, whatever its playbook.

use super::account::Account;
use super::drive::myself;
use super::error::CommandError;
use super::exit::Exit;
use super::state::Runs;
use super::view::needs;
use crate::engine::RunId;
use crate::engine::journal::JournalError;
use crate::plan::{Plan, Writes};
use crate::report::instant;
use crate::state::{Claim, claim, claimed, disclaim};
use crate::steps::{Need, all};

/// The clusters of one plan in one account.
pub(crate) struct Clusters {
    /// The key of each claim, and the cluster in words.
    all: Vec<(String, String)>,
    playbook: String,
    stops_writes: bool,
}

impl Clusters {
    /// The sources of `plan`, if it changes anything. A sandbox inside the process is nobody else's.
    pub(crate) fn of(plan: &Plan, account: &Account) -> Self {
        let mut all_of_it = Vec::new();
        let changes = plan.steps().any(|step| step.effect.mutates());
        for need in needs(plan, &all()).into_iter().filter(|_| changes && !account.is_embedded()) {
            let (folder, what, name) = match need {
                Need::ReplicationGroup(id) => ("replication-group", "replication group", id),
                Need::ServerlessCache(name) => ("serverless-cache", "serverless cache", name),
                Need::Cluster(name) => ("memorydb-cluster", "MemoryDB cluster", name),
                _ => continue,
            };
            let (of, region) = (&account.identity.account, &account.identity.region);
            // Both services fold names to lower case.
            let name = name.to_lowercase();
            let key = format!("clusters/{of}/{region}/{folder}/{}.json", as_file(&name));
            all_of_it.push((key, format!("{what} \"{name}\"")));
        }
        let stops_writes = matches!(plan.writes, Writes::StoppedBy { .. });
        Self { all: all_of_it, playbook: plan.playbook.clone(), stops_writes }
    }

    /// Refuses if another unfinished run has one of them. Claims nothing.
    ///
    /// # Errors
    /// `Locked`, naming the other run; `State`.
    pub(crate) async fn free(&self, runs: &Runs) -> Result<(), CommandError> {
        for (key, cluster) in &self.all {
            if let Some(other) = claimed(runs.store(), key).await.map_err(unread)? {
                return Err(self.taken(runs, cluster, &other));
            }
        }
        Ok(())
    }

    /// Claims them for a run, all or none.
    ///
    /// # Errors
    /// As `free`.
    pub(crate) async fn claim(&self, run: &RunId, runs: &Runs) -> Result<(), CommandError> {
        let wanted = Claim {
            run: run.clone(),
            playbook: self.playbook.clone(),
            by: myself(),
            at: runs.clock.now(),
            free: false,
        };
        for (index, (key, cluster)) in self.all.iter().enumerate() {
            let refused = match claim(runs.store(), key, &wanted).await {
                Ok(None) => continue,
                Ok(Some(other)) => self.taken(runs, cluster, &other),
                Err(error) => unread(error),
            };
            for (key, _) in &self.all[..index] {
                // What cannot be given back now is free as soon as somebody sees that this run never began.
                let _ = disclaim(runs.store(), key, run).await;
            }
            return Err(refused);
        }
        Ok(())
    }

    /// Gives them back. What cannot be given back now holds nobody up: the run is finished.
    pub(crate) async fn disclaim(&self, run: &RunId, runs: &Runs) {
        for (key, _) in &self.all {
            let _ = disclaim(runs.store(), key, run).await;
        }
    }

    fn taken(&self, runs: &Runs, cluster: &str, other: &Claim) -> CommandError {
        let Claim { run, playbook, by, at, .. } = other;
        let error = CommandError::new(
            Exit::Locked,
            format!("run {run} works on {cluster} too, and is not finished; nothing was changed"),
        )
        .because(format!("it carries out {playbook}, begun by {by} at {}", instant(*at)));
        let error = if self.stops_writes {
            error.because("its rollback could let the source take writes again in the middle of this run, and they would be lost")
        } else {
            error
        };
        error.hint(format!(
            "wait until it is done; or finish it: `{}` says how",
            runs.typed("status", run)
        ))
    }
}

/// A name as a part of a key, whatever is in it: a playbook may name what no service would.
fn as_file(name: &str) -> String {
    let fine = |c: char| c.is_ascii_alphanumeric() || c == '-';
    name.chars()
        .map(|c| if fine(c) { c.to_string() } else { format!("_{:x}_", u32::from(c)) })
        .collect()
}

fn unread(error: JournalError) -> CommandError {
    CommandError::state("it cannot be told whether another run works on the same cluster", &error)
        .hint("nothing was changed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leaves_the_folder_of_claims() {
        assert_eq!(as_file("prod-1"), "prod-1");
        assert_eq!(as_file("../../x"), "_2e__2e__2f__2e__2e__2f_x");
        assert_ne!(as_file("a_b"), as_file("a.b"));
    }
}
