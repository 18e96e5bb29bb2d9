//! Fields of a JSON text, found by their place in the text: what is not replaced stays byte for byte as it was, the
//! order of fields, white space and the spelling of numbers included.

use std::ops::Range;

use serde::de::IgnoredAny;
use serde_json::Value;

/// A JSON text that is known to be well-formed.
#[derive(Clone, Copy)]
pub(super) struct Document<'a>(&'a str);

impl<'a> Document<'a> {
    /// Checks the text. The error quotes nothing of it: it may hold secrets.
    pub(super) fn new(text: &'a str) -> Result<Self, String> {
        match serde_json::from_str::<IgnoredAny>(text) {
            Ok(_) => Ok(Self(text)),
            Err(error) => Err(format!(
                "it is not a JSON document (line {}, column {})",
                error.line(),
                error.column()
            )),
        }
    }

    /// Where the value at a dotted path stands. A segment of digits is a place in a list.
    pub(super) fn find(self, path: &str) -> Result<Range<usize>, String> {
        let mut at = self.blank(0);
        for segment in path.split('.') {
            at = match self.byte(at) {
                Some(b'{') => self.member(at, segment)?,
                Some(b'[') => {
                    let index = segment.parse().ok();
                    index.and_then(|index| self.item(at, index))
                }
                _ => None,
            }
            .ok_or_else(|| format!("it has no field \"{path}\""))?;
        }
        Ok(at..self.end(at))
    }

    /// The value at a range that `find` gave.
    pub(super) fn value(self, range: &Range<usize>) -> Value {
        // A number too large for any Rust type is the only well-formed value that does not read.
        self.0
            .get(range.clone())
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default()
    }

    /// The text with each range replaced. Ranges must not overlap.
    pub(super) fn replaced(self, mut edits: Vec<(Range<usize>, String)>) -> String {
        edits.sort_by_key(|(range, _)| std::cmp::Reverse(range.start));
        let mut text = self.0.to_owned();
        for (range, with) in edits {
            text.replace_range(range, &with);
        }
        text
    }

    fn byte(self, at: usize) -> Option<u8> {
        self.0.as_bytes().get(at).copied()
    }

    fn blank(self, mut at: usize) -> usize {
        while self.byte(at).is_some_and(|b| b.is_ascii_whitespace()) {
            at += 1;
        }
        at
    }

    /// The end of the value that begins at `at`.
    fn end(self, mut at: usize) -> usize {
        let mut depth = 0_usize;
        loop {
            match self.byte(at) {
                None => return self.0.len(),
                Some(b'"') => at = self.string_end(at),
                Some(b'{' | b'[') => {
                    depth += 1;
                    at += 1;
                }
                Some(b'}' | b']') => {
                    depth = depth.saturating_sub(1);
                    at += 1;
                }
                Some(_) if depth == 0 => {
                    let scalar = |b: u8| !b.is_ascii_whitespace() && !b",]}".contains(&b);
                    while self.byte(at).is_some_and(scalar) {
                        at += 1;
                    }
                }
                Some(_) => {
                    at += 1;
                    continue;
                }
            }
            if depth == 0 {
                return at;
            }
        }
    }

    fn string_end(self, mut at: usize) -> usize {
        at += 1;
        loop {
            match self.byte(at) {
                Some(b'\\') => at += 2,
                Some(b'"') => return at + 1,
                Some(_) => at += 1,
                None => return self.0.len(),
            }
        }
    }

    fn member(self, object: usize, name: &str) -> Result<Option<usize>, String> {
        let mut found = None;
        let mut at = self.blank(object + 1);
        while self.byte(at) == Some(b'"') {
            let key_end = self.string_end(at);
            let key: String = self
                .0
                .get(at..key_end)
                .and_then(|k| serde_json::from_str(k).ok())
                .unwrap_or_default();
            // Past the colon.
            let value = self.blank(self.blank(key_end) + 1);
            if key == name && found.replace(value).is_some() {
                return Err(format!("it has the field \"{name}\" twice"));
            }
            at = self.next(value);
        }
        Ok(found)
    }

    fn item(self, list: usize, index: usize) -> Option<usize> {
        let mut at = self.blank(list + 1);
        for _ in 0..index {
            if self.byte(at) == Some(b']') {
                return None;
            }
            at = self.next(at);
        }
        self.byte(at).filter(|b| *b != b']').map(|_| at)
    }

    /// What follows the value at `at`: the next one, or the closing bracket.
    fn next(self, at: usize) -> usize {
        let at = self.blank(self.end(at));
        if self.byte(at) == Some(b',') { self.blank(at + 1) } else { at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_where_it_stands() {
        let text = r#" { "a" : [1, {"b.c":0, "h" : "x\"]}" }, 1e400 ], "n":{"p":6379},"z":null}"#;
        let document = Document::new(text).unwrap();
        for (path, raw) in [
            ("a.0", "1"),
            ("a.1.h", r#""x\"]}""#),
            ("a.2", "1e400"),
            ("n.p", "6379"),
            ("n", r#"{"p":6379}"#),
            ("z", "null"),
        ] {
            assert_eq!(document.find(path).map(|range| &text[range]), Ok(raw), "{path}");
        }
        for path in ["b", "a.3", "a.x", "n.p.q", "", "a.1.b"] {
            assert!(document.find(path).is_err(), "{path}");
        }
    }

    #[test]
    fn a_field_that_is_there_twice_is_refused() {
        let document = Document::new(r#"{"a":1,"a":2}"#).unwrap();
        assert_eq!(document.find("a"), Err("it has the field \"a\" twice".to_owned()));
    }

    #[test]
    fn a_complaint_quotes_nothing() {
        let error = Document::new(r#"{"password":"hunter2" oops"#).err().unwrap();
        assert!(!error.contains("hunter2"), "{error}");
    }
}
