//! Reading a mapping key by key, so that what is left over can be reported.

use super::diagnostic::{Code, Diagnostic, Diagnostics, suggestion};
use super::source::{Located, Span};
use super::tree::{Key, Node, Value};

/// The entries of one mapping, of which some keys are known.
pub(super) struct Fields<'a> {
    /// What it is, for messages: "the playbook", "step `copy`".
    what: String,
    span: Span,
    entries: &'a [(Key, Node)],
}

impl<'a> Fields<'a> {
    /// `None`, and a report, if the node is not a mapping.
    pub(super) fn of(node: &'a Node, what: String, problems: &mut Diagnostics) -> Option<Self> {
        if let Value::Map(entries) = &node.value {
            return Some(Self { what, span: node.span, entries });
        }
        let help = match what.as_str() {
            "a step" => "write `- id: …`, and what the step does as a key on the next line",
            _ => "write one `key: value` on each line, indented alike",
        };
        problems.push(
            Diagnostic::error(
                Code::WrongType,
                node.span,
                format!("{what} must be a mapping, and this is {}", node.describe()),
            )
            .help(help),
        );
        None
    }

    pub(super) fn name_it(&mut self, what: String) {
        self.what = what;
    }

    pub(super) fn span(&self) -> Span {
        self.span
    }

    pub(super) fn what(&self) -> &str {
        &self.what
    }

    pub(super) fn entries(&self) -> &'a [(Key, Node)] {
        self.entries
    }

    pub(super) fn entry(&self, key: &str) -> Option<&'a (Key, Node)> {
        self.entries.iter().find(|(name, _)| name.name == key)
    }

    pub(super) fn get(&self, key: &str) -> Option<&'a Node> {
        self.entry(key).map(|(_, node)| node)
    }

    pub(super) fn required(&self, key: &str, problems: &mut Diagnostics) -> Option<&'a Node> {
        let found = self.get(key);
        if found.is_none() {
            // The head of the mapping is enough to show where the key belongs.
            let head = self.entries.first().map_or(self.span, |(key, _)| key.span);
            problems.push(
                Diagnostic::error(Code::MissingKey, head, format!("{} needs `{key}`", self.what))
                    .help(match key {
                        "playbook" => "add `playbook: v1`".to_owned(),
                        _ => format!("add `{key}: …`"),
                    }),
            );
        }
        found
    }

    pub(super) fn text(&self, key: &str, problems: &mut Diagnostics) -> Option<Located<String>> {
        self.get(key).and_then(|node| self.as_text(key, node, problems))
    }

    pub(super) fn required_text(
        &self,
        key: &str,
        problems: &mut Diagnostics,
    ) -> Option<Located<String>> {
        self.required(key, problems).and_then(|node| self.as_text(key, node, problems))
    }

    /// Reports every key that is not among `known`.
    pub(super) fn only(&self, known: &[&str], problems: &mut Diagnostics) {
        for (key, _) in self.entries.iter().filter(|(key, _)| !known.contains(&key.name.as_str())) {
            self.unknown(key, known, problems);
        }
    }

    pub(super) fn unknown(&self, key: &Key, known: &[&str], problems: &mut Diagnostics) {
        let help = suggestion(&key.name, known.iter().copied(), "known here")
            .or("remove it; docs/playbook.md lists the keys");
        problems.push(
            Diagnostic::error(
                Code::UnknownKey,
                key.span,
                format!("{} has no key `{}`", self.what, key.name),
            )
            .hint(help),
        );
    }

    fn as_text(
        &self,
        key: &str,
        node: &Node,
        problems: &mut Diagnostics,
    ) -> Option<Located<String>> {
        if let Value::Str(text) = &node.value {
            return Some(Located::new(text.clone(), node.span));
        }
        let problem = Diagnostic::error(
            Code::WrongType,
            node.span,
            format!("`{key}` must be text, and this is {}", node.describe()),
        );
        let quotable = matches!(node.value, Value::Int(_) | Value::Float(_) | Value::Bool(_));
        problems.push(problem.help(if quotable { "quote it" } else { "write a text here" }));
        None
    }
}

/// Whether a text is a lower-case name: a letter, then letters, digits and `separator`, 40 at most.
pub(super) fn is_name(text: &str, separator: char) -> bool {
    text.len() <= 40
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == separator)
}

/// Reports a name that has the wrong form.
pub(super) fn check_name(
    name: &Located<String>,
    separator: char,
    what: &str,
    problems: &mut Diagnostics,
) {
    if is_name(&name.value, separator) {
        return;
    }
    let mut mended: String = name
        .value
        .to_ascii_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { separator })
        .collect();
    mended.truncate(40);
    let problem = Diagnostic::error(
        Code::BadName,
        name.span,
        format!(
            "{what} starts with a lower-case letter and goes on with lower-case letters, digits \
             and `{separator}`, 40 at most"
        ),
    );
    let help = match is_name(&mended, separator) {
        true => format!("for example `{mended}`"),
        false => "choose another name".to_owned(),
    };
    problems.push(problem.help(help));
}
