use std::fmt;

use serde::{Serialize, Serializer};

use super::diagnostic::Severity;

macro_rules! codes {
    ($($number:literal $name:ident $meaning:literal)*) => {
        /// The kind of a problem. Numbers are stable: none is reused, none changes meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $($name,)* }

        impl Code {
            /// Every code, in order.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Such as `P0007`.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $number,)* }
            }

            /// Such as `DuplicateKey`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// One line for the list of codes.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)* }
            }
        }
    };
}

codes! {
    "P0001" FileTooLarge "The file is larger than 1 MiB."
    "P0002" NotUtf8 "The file is not UTF-8."
    "P0003" NotText "The file is UTF-16 or holds NUL characters."
    "P0004" Empty "The file holds no playbook."
    "P0005" Syntax "The text is not YAML."
    "P0006" Tab "A tab stands where YAML allows only spaces."
    "P0007" DuplicateKey "A key stands twice in one mapping."
    "P0008" Anchor "An alias names no anchor, or an anchor contains itself."
    "P0009" TooDeep "Values are nested more than 64 deep."
    "P0010" Expansion "Aliases make the file expand beyond any playbook's size."
    "P0011" MergeKey "The merge key `<<` is not supported."
    "P0012" Tag "YAML tags such as `!name` are not supported."
    "P0013" SeveralDocuments "The file holds more than one YAML document."
    "P0014" KeyNotText "A key is a list or a mapping."
    "P0015" ScalarTooLong "One value is longer than 64 KiB."
    "P0016" NumberTooLarge "A whole number does not fit into 64 bits."
    "P0020" UnknownKey "A key is not known at this place."
    "P0021" MissingKey "A required key is missing."
    "P0022" WrongType "A value has the wrong type."
    "P0023" InvalidValue "A value has the right type and is not allowed."
    "P0024" Version "`playbook:` names no known version of the language."
    "P0025" BadName "A name or id has a form that is not allowed."
    "P0026" BadDuration "A text is not a duration."
    "P0027" NoKind "A step does not say what to do."
    "P0028" SeveralKinds "A step says more than one thing to do."
    "P0029" UnknownKind "No step kind has this name."
    "P0030" DuplicateId "Two steps have the same id."
    "P0031" Nesting "A `parallel` stands where none may stand."
    "P0032" InvalidArgument "An argument breaks a rule of its step kind."
    "P0040" BadExpression "A `${{ }}` expression cannot be read."
    "P0041" UnknownInput "An expression names an input that is not declared."
    "P0042" UnknownStep "An expression names a step that does not exist."
    "P0043" LaterStep "An expression names a step that has not run by then."
    "P0044" SiblingLane "An expression names a step that runs at the same time."
    "P0045" UnknownOutput "An expression names an output the step does not have."
    "P0046" ItemOutside "`item` is used outside a `for_each` step."
    "P0047" NotYetKnown "A value is needed before the run and only known during it."
    "P0048" NotJoinable "A list, mapping or fraction is joined to text."
    "P0049" AlmostExpression "Text looks like an expression and is none."
    "P0050" WritesLost "Writes after the snapshot would be lost, and nobody accepted that."
    "P0051" SeveralPivots "More than one step is a point of no simple return."
    "P0052" PivotPlace "A pivot stands in `parallel` or `for_each`."
    "P0053" NotAPivot "`accept_no_way_back` stands at a step that is not a pivot."
    "P0054" UnknownFunction "An expression calls a function that does not exist."
    "P0055" BadCall "A function is given too few or too many arguments."
    "P0056" BadArgument "A function cannot take one of its arguments."
    "P0057" NoTag "A tag is looked up that is not there."
    "P0058" NothingToKeep "`keep` stands at a step that a rollback would not undo."
    "P0060" MissingInput "A required input was not given."
    "P0061" BadInput "A given input does not fit its declaration."
    "P0062" UndeclaredInput "A given input is not declared by the playbook."
    "P0063" UnusedInput "An input is declared and never used."
    "P0070" BadCron "A cron expression cannot be read, or fits no day."
    "P0071" UnknownZone "No time zone has this name."
    "P0072" BadBlackout "A blackout window cannot be read."
    "P0073" BadSchedule "Keys of a schedule do not go together."
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl Code {
    /// Whether a playbook can be used in spite of it.
    pub fn severity(self) -> Severity {
        match self {
            Self::AlmostExpression | Self::UnusedInput => Severity::Warning,
            _ => Severity::Error,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
