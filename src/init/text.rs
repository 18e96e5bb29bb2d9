//! Text that holds words from outside: every one of them is quoted, in YAML, in comments and in commands.

use std::fmt::Write;

/// A comment is broken at this column.
const WIDTH: usize = 100;

/// A playbook while it is written.
#[derive(Debug, Default)]
pub(super) struct Page {
    out: String,
}

impl Page {
    /// A line of YAML. What comes from outside in it went through `argument` or `literal`.
    pub(super) fn line(&mut self, text: impl AsRef<str>) {
        self.out += text.as_ref();
        self.out.push('\n');
    }

    /// An empty line, unless there is one.
    pub(super) fn gap(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }

    /// A comment, in lines that are not too long.
    pub(super) fn comment(&mut self, indent: usize, text: impl AsRef<str>) {
        self.paragraph(indent, "# ", "# ", text.as_ref());
    }

    /// One of a list, in a comment.
    pub(super) fn item(&mut self, indent: usize, text: impl AsRef<str>) {
        self.paragraph(indent, "# - ", "#   ", text.as_ref());
    }

    /// An empty line within a comment.
    pub(super) fn hash(&mut self) {
        self.line("#");
    }

    /// A title in a comment.
    pub(super) fn title(&mut self, text: &str) {
        self.hash();
        self.line(format!("# {text}"));
        self.hash();
    }

    /// A command in a comment, one part a line. What comes from outside in it went through `shell`.
    pub(super) fn command(&mut self, parts: &[String]) {
        for (i, part) in parts.iter().enumerate() {
            let indent = if i == 0 { "#   " } else { "#     " };
            let end = if i + 1 == parts.len() { "" } else { " \\" };
            self.line(format!("{indent}{}{end}", shown(part)));
        }
    }

    /// `key: value`, with why it is so behind it, or above where it would be too long.
    pub(super) fn entry(&mut self, indent: usize, key: &str, value: &str, why: &str) {
        let pad = " ".repeat(indent);
        let why = shown(why);
        let line = format!("{pad}{key}: {value}");
        if why.is_empty() {
            self.line(line);
        } else if line.chars().count() + why.chars().count() + 4 <= WIDTH {
            self.line(format!("{line}  # {why}"));
        } else {
            self.comment(indent, why);
            self.line(line);
        }
    }

    fn paragraph(&mut self, indent: usize, first: &str, next: &str, text: &str) {
        let pad = " ".repeat(indent);
        let mut line = format!("{pad}{first}");
        let mut empty = true;
        for word in shown(text).split(' ').filter(|word| !word.is_empty()) {
            if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
                self.line(&line);
                line = format!("{pad}{next}");
                empty = true;
            }
            if !empty {
                line.push(' ');
            }
            line += word;
            empty = false;
        }
        self.line(line.trim_end());
    }

    pub(super) fn finish(self) -> String {
        self.out
    }
}

/// Text that stays on its line and shows what it is: no control character, no other line end, nothing that turns the
/// direction of writing.
pub(super) fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if hidden(c) {
            let _ = write!(out, "{}", c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

fn hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}')
}

/// A value where no expression is looked for: a default, a description.
pub(super) fn literal(text: &str) -> String {
    if plain(text) { text.to_owned() } else { quoted(text) }
}

/// A value where an expression would be looked for: what looks like one is kept as it is.
pub(super) fn argument(text: &str) -> String {
    literal(&text.replace("${{", "$${{"))
}

/// A list of such values.
pub(super) fn arguments(items: &[String]) -> String {
    let items: Vec<String> = items.iter().map(|item| argument(item)).collect();
    format!("[{}]", items.join(", "))
}

/// Whether every YAML reader takes it for the same text without quotes.
fn plain(text: &str) -> bool {
    let words = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"];
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c))
        && !words.contains(&text.to_ascii_lowercase().as_str())
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out += "\\\"",
            '\\' => out += "\\\\",
            '\n' => out += "\\n",
            '\t' => out += "\\t",
            ' '..='~' => out.push(c),
            c if (c as u32) < 0x1_0000 => {
                let _ = write!(out, "\\u{:04X}", c as u32);
            }
            c => {
                let _ = write!(out, "\\U{:08X}", c as u32);
            }
        }
    }
    out.push('"');
    out
}

/// Whether a command can hold it: it would not survive being made visible otherwise.
pub(super) fn fits_a_command(text: &str) -> bool {
    !text.chars().any(hidden)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_where_yaml_would_take_them_for_something_else() {
        assert_eq!(literal("db.r7g.large"), "db.r7g.large");
        assert_eq!(literal("/prod/redis/endpoint"), "/prod/redis/endpoint");
        for odd in ["", "on", "No", "7.1", "0123", "a: b", "a #b", "- a", "*a", "&a", "é", "!a"] {
            assert!(literal(odd).starts_with('"'), "{odd}");
        }
        assert_eq!(literal("a\"b\\c\nd\u{2028}e"), r#""a\"b\\c\nd\u2028e""#);
        assert_eq!(argument("${{ inputs.x }}"), "\"$${{ inputs.x }}\"");
    }

    #[test]
    fn comments_stay_comments() {
        let mut page = Page::default();
        page.comment(2, "a\nplaybook: v2\u{85}b\u{202e}c");
        page.entry(0, "a", "1", "why\nnot");
        page.command(&["aws x\ny".to_owned(), "z".to_owned()]);
        assert_eq!(
            page.finish(),
            "  # a\\nplaybook: v2\\u{85}b\\u{202e}c\na: 1  # why\\nnot\n#   aws x\\ny \\\n#     z\n"
        );
    }

    #[test]
    fn long_comments_are_broken() {
        let mut page = Page::default();
        page.item(0, "word ".repeat(40));
        let text = page.finish();
        assert!(text.lines().count() == 3 && text.lines().all(|line| line.len() <= WIDTH));
        assert!(text.lines().skip(1).all(|line| line.starts_with("#   word")));
    }

    #[test]
    fn what_a_command_cannot_hold_is_known() {
        assert!(fits_a_command("it's $(rm)"));
        assert!(!fits_a_command("a\nb"));
    }
}
