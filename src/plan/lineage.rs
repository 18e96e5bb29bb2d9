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
}

fn drawn_on(step: &PlannedStep) -> Vec<&str> {
    let outputs = step.args.references().into_iter().filter_map(|reference| match reference {
        Reference::Output { step, .. } => Some(step.as_str()),
        _ => None,
    });
    outputs.collect()
}
