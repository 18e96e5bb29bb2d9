//! Playbook text to [`Playbook`]: pure, every problem located and all of them reported together.

mod almost;
mod arg;
mod code;
mod diagnostic;
mod duration;
mod expr;
mod fields;
mod function;
mod grammar;
mod input;
mod lower;
mod model;
mod scalar;
mod schedule;
mod source;
mod step;
mod syntax;
#[cfg(test)]
mod tests;
mod tree;
mod yaml;

pub use arg::{Arg, ArgValue, Part};
pub use diagnostic::{Code, Diagnostic, Diagnostics, Entry, Related, Severity};
pub(crate) use diagnostic::{Hint, closest, quoted_list, suggestion};
pub use duration::parse_duration;
pub(crate) use duration::parse_timeout;
pub use expr::{Expr, Root, Segment};
pub use function::Function;
pub use input::{InputDecl, InputType};
pub use lower::read;
pub(crate) use lower::{is_account, not_an_account};
pub use model::{GuardNode, Item, ParallelNode, Playbook, StepNode};
pub use source::{Located, Position, Source, Span};
pub(crate) use step::{DEFAULT_PARALLEL, MAX_PARALLEL};
pub use tree::{Key, Node, Value};
pub(crate) use yaml::parse as parse_yaml;
