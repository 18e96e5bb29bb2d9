//! Tags that say whose a resource is. Set in the call that creates it, since neither service has an idempotency token.

use crate::engine::{Class, Cx, Failure};

/// The run that made it.
pub(crate) const RUN_TAG: &str = "orchestrate:run";
/// The step that made it.
pub(crate) const STEP_TAG: &str = "orchestrate:step";

/// The fencing epoch of the process that made it: which of the processes that worked on the run it was.
pub(crate) const EPOCH_TAG: &str = "orchestrate:epoch";

/// The tags of what this step creates: key and value.
pub(crate) fn tags(cx: &Cx) -> [(&'static str, String); 3] {
    let [run, step] = owner(cx);
    [run, step, (EPOCH_TAG, cx.epoch().to_string())]
}

/// The tags by which this step knows its own. Not the epoch: what an earlier process of the run made is its own too.
fn owner(cx: &Cx) -> [(&'static str, String); 2] {
    // A for_each step is `copy[2]`; brackets are not allowed in tag values.
    let step = cx.step.replace('[', ".").replace(']', "");
    [(RUN_TAG, cx.run.to_string()), (STEP_TAG, step)]
}

/// Whether tags, as key and value, name this run and step.
pub(crate) fn is_ours<'a>(cx: &Cx, found: impl IntoIterator<Item = (&'a str, &'a str)>) -> bool {
    let found: Vec<_> = found.into_iter().collect();
    owner(cx).iter().all(|(key, value)| found.contains(&(*key, value.as_str())))
}

/// The failure for a resource of the wanted name that somebody else made. `differences` lists what is not as intended.
pub(crate) fn not_ours(what: &str, differences: &[String]) -> Failure {
    let mut failure = Failure::new(
        Class::Conflict,
        format!("{what} exists already and was not made by this run; it was not touched"),
    );
    for difference in differences {
        failure = failure.because(difference.clone());
    }
    failure.mend("choose another name in the playbook, or remove it yourself if nobody needs it")
}
