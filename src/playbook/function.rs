//! The functions an expression may call, by name. What they compute is in `plan`, which knows types and values.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A function of expressions. Each is total, reads nothing but its arguments, and ends at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Function {
    /// The items of a list as one text.
    Join,
    /// A text in lower case.
    Lower,
    /// A point in time as text, in UTC.
    Date,
    /// The value of one tag.
    Tag,
    /// A value, or another one where there is none.
    Default,
}

impl Function {
    /// Every function.
    pub const ALL: [Self; 5] = [Self::Join, Self::Lower, Self::Date, Self::Tag, Self::Default];

    /// As an expression writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::Lower => "lower",
            Self::Date => "date",
            Self::Tag => "tag",
            Self::Default => "default",
        }
    }

    /// How it is called, for messages.
    pub fn form(self) -> &'static str {
        match self {
            Self::Join => "join(list, ', ')",
            Self::Lower => "lower(text)",
            Self::Date => "date(run.started, '%Y-%m-%d')",
            Self::Tag => "tag(tags, 'key')` or `tag(tags, 'key', 'if there is none')",
            Self::Default => "default(value, 'if there is none')",
        }
    }

    /// The least and the greatest number of arguments.
    pub fn arity(self) -> (usize, usize) {
        match self {
            Self::Lower => (1, 1),
            Self::Join | Self::Date | Self::Default => (2, 2),
            Self::Tag => (2, 3),
        }
    }

    pub(crate) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|function| function.name() == name)
    }
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
