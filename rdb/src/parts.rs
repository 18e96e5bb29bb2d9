//! The parts of a value: passed over by their lengths, never built.

use crate::cursor::{Cursor, Length, Window};
use crate::error::{Error, Problem};
use crate::event::Value;
use crate::module::Module;
use crate::shape::{DEPTH, Item};

/// How far the parts of a value have been read.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    frames: [Frame; DEPTH],
    depth: usize,
    pending: Pending,
    begun: u64,
    pub(crate) seen: Value,
}

/// Parts that are read over and over.
#[derive(Clone, Copy, Debug, Default)]
struct Frame {
    items: &'static [Item],
    at: usize,
    left: u64,
}

/// What is left of the current part.
#[derive(Clone, Copy, Debug, Default)]
enum Pending {
    #[default]
    Nothing,
    Bytes(u64),
    Str,
    Number,
    Compressed,
    Plain(u64),
}

impl Parts {
    pub(crate) fn begin(&mut self, items: &'static [Item], at: u64) {
        self.frames[0] = Frame { items, at: 0, left: 1 };
        self.depth = 1;
        self.pending = Pending::Nothing;
        self.begun = at;
        self.seen = Value::default();
    }

    pub(crate) fn end(&self, at: u64) -> Value {
        Value { bytes: at - self.begun, ..self.seen }
    }

    /// Reads on. Gives whether the end was reached; if not, the window is empty.
    pub(crate) fn step(
        &mut self,
        cursor: &mut Cursor,
        window: &mut Window<'_>,
    ) -> Result<bool, Error> {
        loop {
            match self.pending {
                Pending::Nothing => {}
                Pending::Bytes(left) => {
                    let left = left - cursor.pass(left, window).len() as u64;
                    if left > 0 {
                        self.pending = Pending::Bytes(left);
                        return Ok(false);
                    }
                    self.pending = Pending::Nothing;
                }
                Pending::Str => {
                    let Some(length) = cursor.any_length(window)? else { return Ok(false) };
                    self.pending = string(length, cursor)?;
                    continue;
                }
                Pending::Number => {
                    if cursor.length(window)?.is_none() {
                        return Ok(false);
                    }
                    self.pending = Pending::Nothing;
                }
                Pending::Compressed => {
                    let Some(compressed) = cursor.length(window)? else { return Ok(false) };
                    self.pending = Pending::Plain(compressed);
                    continue;
                }
                Pending::Plain(compressed) => {
                    let Some(plain) = cursor.length(window)? else { return Ok(false) };
                    if !crate::lzf::plausible(compressed, plain) {
                        return Err(cursor.error(Problem::Lzf { plain }));
                    }
                    cursor.expect(compressed)?;
                    self.pending = Pending::Bytes(compressed);
                    continue;
                }
            }
            let Some(frame) = self.depth.checked_sub(1).and_then(|top| self.frames.get_mut(top))
            else {
                return Ok(true);
            };
            let Some(item) = frame.items.get(frame.at) else {
                frame.left -= 1;
                frame.at = 0;
                if frame.left == 0 {
                    self.depth -= 1;
                }
                continue;
            };
            if !self.item(item, cursor, window)? {
                return Ok(false);
            }
        }
    }

    /// Reads a part, or what of it is small. Gives whether it was there.
    fn item(
        &mut self,
        item: &'static Item,
        cursor: &mut Cursor,
        window: &mut Window<'_>,
    ) -> Result<bool, Error> {
        let begun = cursor.offset;
        let wrong = |problem| Error { offset: begun, problem, within: None };
        let mut inner = None;
        match item {
            Item::Str => {
                let Some(length) = cursor.any_length(window)? else { return Ok(false) };
                self.pending = string(length, cursor)?;
            }
            Item::Fixed(bytes) => self.pending = Pending::Bytes(*bytes),
            Item::TextScore => {
                let Some(length) = cursor.byte(window) else { return Ok(false) };
                if length < 253 {
                    self.pending = Pending::Bytes(u64::from(length));
                }
            }
            Item::StreamId => match cursor.any_length(window)? {
                None => return Ok(false),
                Some(Length::Plain(16)) => self.pending = Pending::Bytes(16),
                Some(_) => return Err(wrong(Problem::StreamId)),
            },
            Item::FieldExpiry => {
                let Some(at) = cursor.take(window) else { return Ok(false) };
                let at = i64::from_le_bytes(at);
                if at < -1 {
                    return Err(wrong(Problem::FieldExpiry { at }));
                }
                self.seen.field_expiry |= at != -1;
            }
            Item::Len
            | Item::Many(_)
            | Item::Elements(_)
            | Item::Count
            | Item::NodeKind
            | Item::FieldTtl
            | Item::ModuleId
            | Item::ModuleParts => {
                let Some(number) = cursor.length(window)? else { return Ok(false) };
                match item {
                    Item::Many(items) => inner = Some((*items, number)),
                    Item::Elements(items) => {
                        self.seen.elements = Some(number);
                        inner = Some((*items, number));
                    }
                    Item::Count => self.seen.elements = Some(number),
                    Item::NodeKind if !matches!(number, 1 | 2) => {
                        return Err(wrong(Problem::ListNode { kind: number }));
                    }
                    Item::FieldTtl => self.seen.field_expiry |= number != 0,
                    Item::ModuleId => self.seen.module = Some(Module::new(number)),
                    Item::ModuleParts => {
                        // `RDB_MODULE_OPCODE_*`: 0 ends the value; the others come before this again.
                        self.pending = match number {
                            0 => Pending::Nothing,
                            1 | 2 => Pending::Number,
                            3 => Pending::Bytes(4),
                            4 => Pending::Bytes(8),
                            5 => Pending::Str,
                            kind => return Err(wrong(Problem::ModulePart { kind })),
                        };
                        if number != 0 {
                            return Ok(true);
                        }
                    }
                    _ => {}
                }
            }
        }
        self.frames[self.depth - 1].at += 1;
        if let Some((items, left @ 1..)) = inner {
            // DEPTH is what the shapes need; a test holds it.
            self.frames[self.depth] = Frame { items, at: 0, left };
            self.depth += 1;
        }
        Ok(true)
    }
}

/// What is left of a string after its length.
#[inline]
fn string(length: Length, cursor: &Cursor) -> Result<Pending, Error> {
    match length {
        Length::Plain(length) => {
            cursor.expect(length)?;
            Ok(Pending::Bytes(length))
        }
        Length::Special(width @ 0..=2) => Ok(Pending::Bytes(1 << width)),
        Length::Special(3) => Ok(Pending::Compressed),
        Length::Special(code) => Err(cursor.error(Problem::UnknownEncoding { code })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head::Dialect;
    use crate::kind::value_type;

    fn depth(items: &[Item]) -> usize {
        let inner = items.iter().map(|item| match item {
            Item::Many(items) | Item::Elements(items) => depth(items),
            _ => 0,
        });
        1 + inner.max().unwrap_or(0)
    }

    #[test]
    fn the_frames_are_as_many_as_the_deepest_shape_needs() {
        let types = (0..=255).flat_map(|code| {
            [Dialect::Redis, Dialect::Valkey].into_iter().filter_map(move |d| value_type(d, code))
        });
        let deepest = types.map(|value_type| depth(value_type.shape)).max();
        assert_eq!(deepest, Some(DEPTH));
    }

    #[test]
    fn each_repeated_part_takes_bytes_so_that_a_count_costs_nothing() {
        fn hollow(items: &[Item]) -> bool {
            items.iter().any(|item| match item {
                Item::Many(items) | Item::Elements(items) => items.is_empty() || hollow(items),
                Item::Fixed(bytes) => *bytes == 0,
                _ => false,
            })
        }
        for code in 0..=255 {
            for dialect in [Dialect::Redis, Dialect::Valkey] {
                assert!(value_type(dialect, code).is_none_or(|found| !hollow(found.shape)));
            }
        }
    }
}
