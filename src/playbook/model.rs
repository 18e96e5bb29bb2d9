use super::expr::Arg;
use super::input::InputDecl;
use super::source::{Located, Span};

/// A playbook as written: well formed, every part located, not yet checked against the step kinds.
#[derive(Clone, Debug, PartialEq)]
pub struct Playbook {
    pub name: Located<String>,
    pub description: Option<Located<String>>,
    pub guard: Option<GuardNode>,
    pub inputs: Vec<InputDecl>,
    /// A duration as text, or an expression that gives one.
    pub timeout: Option<Arg>,
    pub items: Vec<Item>,
    /// What the run leaves for people and for `--inputs-from`: a mapping of names to values.
    pub outputs: Option<Arg>,
}

/// Where the playbook may run: values, or expressions over inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct GuardNode {
    pub span: Span,
    pub account: Option<Arg>,
    pub region: Option<Arg>,
}

/// One entry of `steps`.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    Step(Box<StepNode>),
    Parallel(ParallelNode),
}

#[derive(Clone, Debug, PartialEq)]
pub struct ParallelNode {
    pub span: Span,
    pub max_parallel: u32,
    pub steps: Vec<StepNode>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct StepNode {
    pub span: Span,
    pub id: Located<String>,
    /// The step kind's name, at its key.
    pub kind: Located<String>,
    pub args: Arg,
    pub description: Option<String>,
    /// A duration as text, or an expression that gives one.
    pub timeout: Option<Arg>,
    /// A list, or an expression that gives one before the run.
    pub for_each: Option<Arg>,
    pub max_parallel: u32,
    pub accept_no_way_back: Option<Located<bool>>,
}

impl Playbook {
    /// Every step as written, in order.
    pub fn steps(&self) -> impl Iterator<Item = &StepNode> {
        self.items.iter().flat_map(|item| match item {
            Item::Step(step) => std::slice::from_ref(step.as_ref()),
            Item::Parallel(parallel) => &parallel.steps,
        })
    }

    pub fn input(&self, name: &str) -> Option<&InputDecl> {
        self.inputs.iter().find(|input| input.name.value == name)
    }
}
