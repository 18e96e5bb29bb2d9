//! Which steps a step draws on.

use std::collections::BTreeSet;

use super::model::{Plan, PlannedStep};
use super::template::Reference;

impl Plan {
    /// The steps whose outputs a step's arguments come from, also by way of others; nearest first, each once.
    ///
    /// ```text
    /// cluster ← export ← snapshot      `cluster` restores the files of `export`, which exports what `snapshot` took
    /// ```
    #[must_use]
    pub fn upstream(&self, step: &PlannedStep) -> Vec<&PlannedStep> {
        let mut found: Vec<&PlannedStep> = Vec::new();
        let mut seen = BTreeSet::from([step.id.as_str()]);
        let mut next = vec![step];
        while !next.is_empty() {
            let mut further = Vec::new();
            for from in next {
                for id in drawn_on(from) {
                    if let Some(source) = self.step(id)
                        && seen.insert(&source.id)
                    {
                        further.push(source);
                    }
                }
            }
            found.extend(&further);
            next = further;
        }
        found
    }

    /// The steps that draw on a step's outputs, also by way of others, in the order in which they run.
    #[must_use]
    pub fn downstream(&self, step: &PlannedStep) -> Vec<&PlannedStep> {
        let draws = |other: &&PlannedStep| self.upstream(other).iter().any(|up| up.id == step.id);
        self.steps().filter(draws).collect()
    }
}

fn drawn_on(step: &PlannedStep) -> Vec<&str> {
    let outputs = step.args.references().into_iter().filter_map(|reference| match reference {
        Reference::Output { step, .. } => Some(step.as_str()),
        _ => None,
    });
    outputs.collect()
}
