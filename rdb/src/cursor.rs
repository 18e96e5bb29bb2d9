//! Small reads across the borders of chunks.

use crate::error::{Error, Problem};

/// The longest thing that is read whole: a length of nine bytes, or the head.
const LONGEST: usize = 9;

/// The chunk that is being read.
#[derive(Debug)]
pub(crate) struct Window<'c> {
    pub(crate) chunk: &'c [u8],
    /// How much of it has been read.
    pub(crate) at: usize,
    /// From where on the bytes of the current value have not been handed out.
    pub(crate) raw_from: usize,
}

impl<'c> Window<'c> {
    pub(crate) fn rest(&self) -> &'c [u8] {
        self.chunk.get(self.at..).unwrap_or_default()
    }
}

/// Where the scan is in the file, and the bytes of something small that a chunk's end has cut.
#[derive(Debug, Default)]
pub(crate) struct Cursor {
    /// The byte that the next thing begins at.
    pub(crate) offset: u64,
    carry: [u8; LONGEST],
    carried: usize,
    /// Bytes in the whole file, if that is known.
    size: Option<u64>,
}

/// A length, or the number of a special way in which a string is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    Plain(u64),
    Special(u8),
}

impl Cursor {
    /// At the start of a file of that many bytes, if that is known.
    pub(crate) fn new(size: Option<u64>) -> Self {
        Self { size, ..Self::default() }
    }

    /// Bytes read so far.
    pub(crate) fn read(&self) -> u64 {
        self.offset + self.carried as u64
    }

    pub(crate) fn error(&self, problem: Problem) -> Error {
        Error { offset: self.offset, problem, within: None }
    }

    /// The next `N` bytes, or `None` until there are so many. Asked again, it goes on where the last chunk ended.
    #[inline]
    pub(crate) fn take<const N: usize>(&mut self, window: &mut Window<'_>) -> Option<[u8; N]> {
        const { assert!(N <= LONGEST) };
        if self.carried == 0
            && let Some(bytes) = window.rest().first_chunk::<N>()
        {
            window.at += N;
            self.offset += N as u64;
            return Some(*bytes);
        }
        self.take_over_border(N, window)?;
        self.carry.first_chunk::<N>().copied()
    }

    #[cold]
    fn take_over_border(&mut self, count: usize, window: &mut Window<'_>) -> Option<()> {
        let more = window.rest();
        let more = &more[..more.len().min(count - self.carried)];
        self.carry[self.carried..self.carried + more.len()].copy_from_slice(more);
        window.at += more.len();
        self.carried += more.len();
        if self.carried < count {
            return None;
        }
        self.carried = 0;
        self.offset += count as u64;
        Some(())
    }

    #[inline]
    pub(crate) fn byte(&mut self, window: &mut Window<'_>) -> Option<u8> {
        self.take::<1>(window).map(|[byte]| byte)
    }

    fn peek(&self, window: &Window<'_>) -> Option<u8> {
        if self.carried > 0 { Some(self.carry[0]) } else { window.rest().first().copied() }
    }

    /// A length as `rdbLoadLenByRef` reads it.
    #[inline]
    pub(crate) fn any_length(&mut self, window: &mut Window<'_>) -> Result<Option<Length>, Error> {
        let Some(first) = self.peek(window) else { return Ok(None) };
        let begun = self.offset;
        let length = match first >> 6 {
            0 => self.byte(window).map(|byte| Length::Plain(u64::from(byte))),
            1 => self
                .take::<2>(window)
                .map(|[high, low]| Length::Plain(u64::from(high & 0x3f) << 8 | u64::from(low))),
            2 => match first {
                0x80 => self
                    .take::<5>(window)
                    .map(|[_, n @ ..]| Length::Plain(u64::from(u32::from_be_bytes(n)))),
                0x81 => {
                    self.take::<9>(window).map(|[_, n @ ..]| Length::Plain(u64::from_be_bytes(n)))
                }
                byte => {
                    return Err(Error {
                        offset: begun,
                        problem: Problem::NotALength { byte },
                        within: None,
                    });
                }
            },
            _ => self.byte(window).map(|byte| Length::Special(byte & 0x3f)),
        };
        Ok(length)
    }

    /// A length that cannot be a string's special encoding.
    #[inline]
    pub(crate) fn length(&mut self, window: &mut Window<'_>) -> Result<Option<u64>, Error> {
        let begun = self.offset;
        match self.any_length(window)? {
            None => Ok(None),
            Some(Length::Plain(length)) => Ok(Some(length)),
            Some(Length::Special(code)) => Err(Error {
                offset: begun,
                problem: Problem::NotALength { byte: 0xc0 | code },
                within: None,
            }),
        }
    }

    /// Complains of bytes that cannot follow any more.
    #[inline]
    pub(crate) fn expect(&self, length: u64) -> Result<(), Error> {
        match self.size.map(|size| size.saturating_sub(self.offset)) {
            Some(left) if length > left => Err(self.error(Problem::BeyondEnd { length, left })),
            _ => Ok(()),
        }
    }

    /// Passes over up to `length` bytes; gives those.
    #[inline]
    pub(crate) fn pass<'c>(&mut self, length: u64, window: &mut Window<'c>) -> &'c [u8] {
        let rest = window.rest();
        let count = usize::try_from(length).unwrap_or(usize::MAX).min(rest.len());
        window.at += count;
        self.offset += count as u64;
        &rest[..count]
    }
}
