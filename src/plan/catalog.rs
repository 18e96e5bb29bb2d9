use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::playbook::Segment;

/// The step kinds a playbook may use, as data: the plan is checked against it without knowing any step.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// By name.
    pub kinds: BTreeMap<&'static str, KindInfo>,
    /// What an entry of `guards` takes; nothing is known of them without.
    pub guard: Option<KindInfo>,
}

/// What one step kind takes, gives, and does to the world.
#[derive(Clone, Debug)]
pub struct KindInfo {
    /// The key under which a playbook names it, such as `elasticache.create_snapshot`.
    pub name: &'static str,
    /// One line for lists.
    pub summary: Cow<'static, str>,
    /// The user documentation, in Markdown.
    pub docs: Cow<'static, str>,
    /// JSON Schema of the arguments, as schemars generates it.
    pub spec_schema: Value,
    /// JSON Schema of the outputs; its properties are what `steps.<id>.<output>` may name.
    pub output_schema: Value,
    /// What the step does to the world.
    pub effect: Effect,
    /// The step takes the copy of the data that later goes live: writes after it are not in the copy.
    pub copies_data: bool,
    /// After this step the source takes no more writes.
    pub stops_writes: bool,
    /// After this step the source takes writes again.
    pub resumes_writes: bool,
    /// The argument by which a playbook accepts, by name, that writes after the copy are lost.
    /// `None` if this kind has no such argument.
    pub accepts_loss: Option<Cow<'static, str>>,
    /// The rules of the kind that its schema cannot say, over arguments that fit the schema. Pure; the arguments hold
    /// `null` where a value is not known yet, and of those it says nothing.
    pub check: fn(&Value) -> Vec<Fault>,
}

/// What a kind's own rules say against an argument.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fault {
    /// Where in the arguments; empty for the arguments as a whole.
    pub path: Vec<Segment>,
    /// What is wrong, as a clause.
    pub message: String,
    /// What to write instead.
    pub mend: Option<String>,
    /// The value may be a secret that was written out: it is not shown.
    pub secret: bool,
}

impl Fault {
    /// A fault of the arguments as a whole.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }

    /// Points at a key of what was pointed at so far.
    #[must_use]
    pub fn key(mut self, name: &str) -> Self {
        self.path.push(Segment::Field(name.to_owned()));
        self
    }

    /// Points at an item, from 0, of what was pointed at so far.
    #[must_use]
    pub fn item(mut self, index: usize) -> Self {
        self.path.push(Segment::Index(index));
        self
    }

    /// Says what to write instead.
    #[must_use]
    pub fn mend(mut self, mend: impl Into<String>) -> Self {
        self.mend = Some(mend.into());
        self
    }

    /// Keeps the value from being shown.
    #[must_use]
    pub fn secret(mut self) -> Self {
        self.secret = true;
        self
    }
}

/// Whether a step changes anything outside this process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It only reads.
    ReadOnly,
    /// It changes something, and this is done about it in a rollback.
    Mutates(UndoPolicy),
}

/// What a rollback does about a step that was carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UndoPolicy {
    /// The step compensates itself.
    Undo,
    /// Nothing is to be undone, and why.
    None(Cow<'static, str>),
    /// From here forward the way back is another road: it is proved before the step starts.
    Pivot,
    /// A person undoes it, and how.
    Manual(Cow<'static, str>),
}

impl Catalog {
    /// Builds a catalog; of two kinds with one name the later one stays.
    pub fn new(kinds: impl IntoIterator<Item = KindInfo>) -> Self {
        Self { kinds: kinds.into_iter().map(|kind| (kind.name, kind)).collect(), guard: None }
    }

    /// The kind of this name, if there is one.
    pub fn get(&self, kind: &str) -> Option<&KindInfo> {
        self.kinds.get(kind)
    }
}

impl Effect {
    /// Whether the way back from it is another road.
    pub fn is_pivot(&self) -> bool {
        matches!(self, Self::Mutates(UndoPolicy::Pivot))
    }

    /// Whether it changes anything.
    pub fn mutates(&self) -> bool {
        matches!(self, Self::Mutates(_))
    }
}
