//! Strings that are kept: names of keys, aux fields, the first lines of functions.

use crate::cursor::{Cursor, Length, Window};
use crate::error::{Error, Problem};
use crate::lzf;

/// A string, or its beginning if it is longer than the scan keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// Its bytes, as many as were kept.
    pub bytes: Vec<u8>,
    /// How many it has.
    pub length: u64,
}

impl Text {
    /// Whether all of it was kept.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.bytes.len() as u64 == self.length
    }
}

/// A string on its way in.
#[derive(Debug)]
pub(crate) struct Reading {
    limit: usize,
    stage: Stage,
    kept: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Length,
    Number { width: u8 },
    Compressed,
    Plain { compressed: u64 },
    Body { left: u64, length: u64 },
    Packed { left: u64, length: u64, whole: bool },
}

impl Reading {
    /// Keeps at most `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, stage: Stage::Length, kept: Vec::new() }
    }

    /// The string, once it is there.
    pub(crate) fn step(
        &mut self,
        cursor: &mut Cursor,
        window: &mut Window<'_>,
    ) -> Result<Option<Text>, Error> {
        loop {
            match self.stage {
                Stage::Length => match cursor.any_length(window)? {
                    None => return Ok(None),
                    Some(Length::Plain(length)) => {
                        cursor.expect(length)?;
                        self.stage = Stage::Body { left: length, length };
                    }
                    Some(Length::Special(width @ 0..=2)) => self.stage = Stage::Number { width },
                    Some(Length::Special(3)) => self.stage = Stage::Compressed,
                    Some(Length::Special(code)) => {
                        return Err(cursor.error(Problem::UnknownEncoding { code }));
                    }
                },
                Stage::Number { width } => {
                    let number = match width {
                        0 => cursor.take(window).map(|n| i64::from(i8::from_le_bytes(n))),
                        1 => cursor.take(window).map(|n| i64::from(i16::from_le_bytes(n))),
                        _ => cursor.take(window).map(|n| i64::from(i32::from_le_bytes(n))),
                    };
                    return Ok(number.map(|number| {
                        let mut bytes = number.to_string().into_bytes();
                        let length = bytes.len() as u64;
                        bytes.truncate(self.limit);
                        Text { bytes, length }
                    }));
                }
                Stage::Compressed => match cursor.length(window)? {
                    None => return Ok(None),
                    Some(compressed) => self.stage = Stage::Plain { compressed },
                },
                Stage::Plain { compressed } => match cursor.length(window)? {
                    None => return Ok(None),
                    Some(plain) => {
                        cursor.expect(compressed)?;
                        if !lzf::plausible(compressed, plain) {
                            return Err(cursor.error(Problem::Lzf { plain }));
                        }
                        self.stage = Stage::Packed { left: compressed, length: plain, whole: true };
                    }
                },
                Stage::Body { left, length } => {
                    let passed = cursor.pass(left, window);
                    let room = self.limit - self.kept.len();
                    self.kept.extend_from_slice(&passed[..passed.len().min(room)]);
                    let left = left - passed.len() as u64;
                    if left > 0 {
                        self.stage = Stage::Body { left, length };
                        return Ok(None);
                    }
                    return Ok(Some(Text { bytes: std::mem::take(&mut self.kept), length }));
                }
                Stage::Packed { left, length, whole } => {
                    let passed = cursor.pass(left, window);
                    // A byte of every 33 says that 32 follow as they are; nothing needs more than that.
                    let room = self.limit + self.limit / 32 + 3 - self.kept.len();
                    self.kept.extend_from_slice(&passed[..passed.len().min(room)]);
                    let whole = whole && passed.len() <= room;
                    let left = left - passed.len() as u64;
                    if left > 0 {
                        self.stage = Stage::Packed { left, length, whole };
                        return Ok(None);
                    }
                    return self
                        .unpacked(length, whole)
                        .map(Some)
                        .ok_or_else(|| cursor.error(Problem::Lzf { plain: length }));
                }
            }
        }
    }

    /// `None` if the compressed bytes are not what they claim, as far as they were kept.
    fn unpacked(&mut self, length: u64, whole: bool) -> Option<Text> {
        let packed = std::mem::take(&mut self.kept);
        if !whole {
            return Some(Text { bytes: lzf::decompress_beginning(&packed, self.limit), length });
        }
        // One byte more than should be there shows what is too long.
        let most = usize::try_from(length).unwrap_or(usize::MAX).min(self.limit);
        let mut bytes = lzf::decompress(&packed, most.saturating_add(1))?;
        let fits = if length > self.limit as u64 {
            bytes.len() > self.limit
        } else {
            bytes.len() as u64 == length
        };
        bytes.truncate(self.limit);
        fits.then_some(Text { bytes, length })
    }
}
