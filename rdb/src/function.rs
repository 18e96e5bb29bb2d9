//! Libraries of functions: their names, as released servers and release candidates write them.

use crate::cursor::{Cursor, Window};
use crate::error::{Error, escaped};
use crate::event::Function;
use crate::text::{Reading, Text};

/// How much of a name is shown.
const SHOWN: usize = 60;

/// Name, engine, whether there is a description, it, the code (`rdbFunctionLoad` in Redis 7.0's release candidates).
#[derive(Debug)]
pub(crate) struct OldFunction {
    name: Option<Text>,
    texts_left: u8,
    reading: Option<Reading>,
    described: Option<bool>,
}

impl OldFunction {
    pub(crate) fn new(reading: Reading) -> Self {
        Self { name: None, texts_left: 2, reading: Some(reading), described: None }
    }

    pub(crate) fn step(
        &mut self,
        cursor: &mut Cursor,
        window: &mut Window<'_>,
        limit: usize,
    ) -> Result<Option<Function>, Error> {
        loop {
            let Some(reading) = &mut self.reading else {
                let Some(described) = cursor.length(window)? else { return Ok(None) };
                self.described = Some(described != 0);
                self.texts_left = 1 + u8::from(described != 0);
                self.reading = Some(Reading::new(limit));
                continue;
            };
            let Some(text) = reading.step(cursor, window)? else { return Ok(None) };
            self.texts_left -= 1;
            let length = text.length;
            self.name.get_or_insert(text);
            if self.texts_left > 0 {
                self.reading = Some(Reading::new(limit));
            } else if self.described.is_none() {
                self.reading = None;
            } else {
                let name = self.name.as_ref().map(|name| escaped(&name.bytes, SHOWN));
                return Ok(Some(Function { name, length, before_release: true }));
            }
        }
    }
}

/// The name in the first line of a library: `#!lua name=mylib`.
pub(crate) fn library_name(code: &[u8]) -> Option<String> {
    let line = code.split(|byte| *byte == b'\n').next()?.strip_prefix(b"#!")?;
    let mut words = line.split(u8::is_ascii_whitespace);
    let name = words.find_map(|word| {
        let (start, rest) = word.split_at_checked(5)?;
        start.eq_ignore_ascii_case(b"name=").then_some(rest)
    })?;
    Some(escaped(name, SHOWN))
}

#[cfg(test)]
mod tests {
    use super::library_name;

    #[test]
    fn the_name_of_a_library_is_in_its_first_line() {
        assert_eq!(library_name(b"#!lua name=mylib\nredis.call()").as_deref(), Some("mylib"));
        assert_eq!(library_name(b"#!LUA NAME=x\n").as_deref(), Some("x"));
        assert_eq!(library_name(b"return 1 -- name=no"), None);
    }
}
