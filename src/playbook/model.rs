use super::arg::Arg;
use super::input::InputDecl;
use super::source::{Located, Span};
use crate::schedule::Schedule;

/// A playbook as written: well formed, every part located, not yet checked against the step kinds.
#[derive(Clone, Debug, PartialEq)]
pub struct Playbook {
    /// Its name, by which runs are listed.
    pub name: Located<String>,
    /// What it is for.
    pub description: Option<Located<String>>,
    /// Where it may run.
    pub guard: Option<GuardNode>,
    /// What it is told from outside.
    pub inputs: Vec<InputDecl>,
    /// A duration as text, or an expression that gives one.
    pub timeout: Option<Arg>,
    /// When it runs by itself.
    pub schedule: Option<Located<Schedule>>,
    /// The entries of `guards`, in order: mappings.
    pub guards: Vec<Arg>,
    /// The entries of `steps`, in order.
    pub items: Vec<Item>,
    /// What the run leaves for people and for `--inputs-from`: a mapping of names to values.
    pub outputs: Option<Arg>,
}

/// Where the playbook may run: values, or expressions over inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct GuardNode {
    pub span: Span,
    /// 12 digits.
    pub account: Option<Arg>,
    /// Such as `us-east-1`.
    pub region: Option<Arg>,
}

/// One entry of `steps`.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// One step, or one for each item of a list.
    Step(Box<StepNode>),
    /// Steps that run at the same time.
    Parallel(ParallelNode),
}

/// A `parallel` and the steps inside.
#[derive(Clone, Debug, PartialEq)]
pub struct ParallelNode {
    pub span: Span,
    /// How many of them run at once.
    pub max_parallel: u32,
    pub steps: Vec<StepNode>,
}

/// A step as written.
#[derive(Clone, Debug, PartialEq)]
pub struct StepNode {
    pub span: Span,
    /// Unique in the playbook; `steps.<id>` names its outputs.
    pub id: Located<String>,
    /// The step kind's name, at its key.
    pub kind: Located<String>,
    /// What stands under the kind.
    pub args: Arg,
    /// What it is for.
    pub description: Option<String>,
    /// A duration as text, or an expression that gives one.
    pub timeout: Option<Arg>,
    /// A list, or an expression that gives one before the run.
    pub for_each: Option<Arg>,
    /// How many items of `for_each` run at once.
    pub max_parallel: u32,
    /// Set if a pivot may go ahead though the way back was not proved. The span is the key's.
    pub accept_no_way_back: Option<Located<bool>>,
    /// Set if a rollback is to leave what the step has made. The span is the key's.
    pub keep: Option<Located<bool>>,
}

impl Playbook {
    /// Every step as written, in order.
    pub fn steps(&self) -> impl Iterator<Item = &StepNode> {
        self.items.iter().flat_map(|item| match item {
            Item::Step(step) => std::slice::from_ref(step.as_ref()),
            Item::Parallel(parallel) => &parallel.steps,
        })
    }

    /// The declaration of an input.
    pub fn input(&self, name: &str) -> Option<&InputDecl> {
        self.inputs.iter().find(|input| input.name.value == name)
    }
}
