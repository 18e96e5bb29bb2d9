//! What a person should do about a text that is not YAML.

use super::diagnostic::{Code, Diagnostic};
use super::source::Span;

/// The parser found `info` at the byte `at`. Says what to do where the text around it tells.
pub(super) fn problem(text: &str, at: usize, info: &str) -> Diagnostic {
    let message = format!("this is not valid YAML: {info}");
    Diagnostic::error(Code::Syntax, Span::new(at, at), message)
        .help("check quotes, brackets and indentation here and on the line before")
        .hint(mend(&Place::of(text, at), info))
}

/// The line of the problem, cut at it, and the line before that one.
struct Place<'a> {
    before: &'a str,
    after: &'a str,
    previous: &'a str,
}

impl<'a> Place<'a> {
    fn of(text: &'a str, at: usize) -> Self {
        let start = text[..at].rfind('\n').map_or(0, |end| end + 1);
        let written = |line: &&str| {
            let line = line.trim_start();
            !line.is_empty() && !line.starts_with('#')
        };
        Self {
            before: &text[start..at],
            after: text[at..].lines().next().unwrap_or_default(),
            previous: text[..start].lines().rfind(written).unwrap_or_default(),
        }
    }
}

fn mend(place: &Place<'_>, info: &str) -> Option<String> {
    let is = |words: &str| info.contains(words);
    if place.before.ends_with('$') && place.after.starts_with("{{") {
        return Some("quote values that hold `${{ … }}` inside `{ }` or `[ ]`".to_owned());
    }
    if is("anchor or alias") {
        return Some("quote a text that starts with `*` or `&`".to_owned());
    }
    if is("mapping values") {
        return Some(second_colon(place));
    }
    let mend = if is("indentation in quoted scalar") || is("end of stream") && is("quoted") {
        "the quote that opens here is not closed; close it, or indent the lines of a long text under its key"
    } else if is("after double-quoted scalar") || is("after single-quoted scalar") {
        "the quoted text ends before this; inside '…' write a quote as '', inside \"…\" as \\\""
    } else if is("escape character") {
        "write a backslash as \\\\, or put the text in single quotes"
    } else if is("unexpected character") {
        "quote a text that starts with this character"
    } else if is("flow") || is("',' or") {
        "a `{` or `[` before this is not closed, or a comma is missing"
    } else if is("bracket") {
        "there is one bracket too many, or a text with brackets that must be quoted"
    } else if is("simple key") {
        "the line before this is no `key: value`; the `:` is missing, or the blank after it"
    } else if is("expected '-'") || is("expected key") {
        "the indentation fits no line before this: keys of one mapping, and the `-` of one list, stand in one column"
    } else {
        return None;
    };
    Some(mend.to_owned())
}

/// A `:` where no key can be: after a value on its line, or on a line that is indented under a value.
fn second_colon(place: &Place<'_>) -> String {
    if let Some((key, value)) = split(place.before) {
        let rest = place.after.trim_end();
        return format!("a text that holds `: ` is quoted: `{key}: \"{value}{rest}\"`");
    }
    let previous = place.previous.trim_start().trim_start_matches("- ");
    match previous.split_once(':') {
        Some((key, value))
            if !key.contains(' ') && !value.starts_with([' ', '/']) && !value.is_empty() =>
        {
            format!("the line before this needs a blank after the colon: `{key}: {value}`")
        }
        Some(_) => {
            "this line is indented deeper than the line before it, which has a value already; \
             keys of one mapping stand in one column"
                .to_owned()
        }
        None => "the line before this is no `key: value`".to_owned(),
    }
}

/// Key and value of a line up to a second colon.
fn split(before: &str) -> Option<(&str, &str)> {
    before.trim_start().trim_start_matches("- ").split_once(": ")
}
