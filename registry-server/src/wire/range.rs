//! `Range` of a blob read (RFC 9110 section 14) and `Content-Range` of an upload chunk (distribution-spec).

/// What to answer to a `Range` header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RangeAnswer {
    /// 200 with the whole content.
    Full,
    /// 206 with these bytes; `start <= end_inclusive < size`.
    Part {
        /// Offset of the first byte.
        start: u64,
        /// Offset of the last byte.
        end_inclusive: u64,
    },
    /// 416 with `Content-Range: bytes */size`.
    Unsatisfiable,
}

impl RangeAnswer {
    /// Decides what `header`, the value of a `Range` header, gets of content of `size` bytes.
    ///
    /// One range is honoured, its end clipped to the content. Several ranges, another unit and what is no
    /// range at all get the whole content, which RFC 9110 section 14.2 allows. A reversed range (`500-0`) is
    /// unsatisfiable: the conformance suite asks for 416 there.
    pub fn to(header: &str, size: u64) -> Self {
        let Some((unit, ranges)) = header.split_once('=') else { return Self::Full };
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return Self::Full;
        }
        let mut ranges = ranges.split(',').map(str::trim).filter(|range| !range.is_empty());
        match (ranges.next(), ranges.next()) {
            (Some(range), None) => Self::to_one(range, size).unwrap_or(Self::Full),
            _ => Self::Full,
        }
    }

    /// `None` when `range` is none of `a-b`, `a-` and `-n`.
    fn to_one(range: &str, size: u64) -> Option<Self> {
        let (first, last) = range.split_once('-')?;
        let (start, end) = match (first.trim_end(), last.trim_start()) {
            ("", suffix) => (size.saturating_sub(saturating_digits(suffix)?), u64::MAX),
            (first, "") => (saturating_digits(first)?, u64::MAX),
            (first, last) => (saturating_digits(first)?, saturating_digits(last)?),
        };
        if start > end || start >= size {
            return Some(Self::Unsatisfiable);
        }
        Some(Self::Part { start, end_inclusive: end.min(size - 1) })
    }
}

/// The place of an upload chunk in its blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentRange {
    /// Offset of the first byte.
    pub start: u64,
    /// Offset of the last byte; never before `start`.
    pub end_inclusive: u64,
}

/// A `Content-Range` that is not `<start>-<end>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("content range is not of the form <start>-<end>")]
pub struct ContentRangeError;

impl ContentRange {
    /// Reads the `Content-Range` of a chunk: `a-b` as the distribution-spec has it, and `bytes a-b/*` or
    /// `bytes a-b/total` as HTTP has it.
    ///
    /// # Errors
    /// Anything else, a reversed range, and offsets whose length does not fit 64 bits.
    pub fn parse(header: &str) -> Result<Self, ContentRangeError> {
        let header = header.trim();
        let range = match header.split_once(' ') {
            Some((unit, rest)) if unit.eq_ignore_ascii_case("bytes") => rest.trim_start(),
            Some(_) => return Err(ContentRangeError),
            None => header,
        };
        let range = match range.split_once('/') {
            Some((range, total)) if total == "*" || digits(total).is_some() => range,
            Some(_) => return Err(ContentRangeError),
            None => range,
        };
        let (start, end) = range.split_once('-').ok_or(ContentRangeError)?;
        let (start, end_inclusive) = digits(start).zip(digits(end)).ok_or(ContentRangeError)?;
        if start > end_inclusive || end_inclusive == u64::MAX {
            return Err(ContentRangeError);
        }
        Ok(Self { start, end_inclusive })
    }

    /// Number of bytes in the chunk, at least one.
    #[expect(clippy::len_without_is_empty, reason = "a content range is never empty")]
    pub fn len(&self) -> u64 {
        self.end_inclusive - self.start + 1
    }
}

/// The value of decimal digits alone (no sign, no space); one too large for 64 bits counts as the largest.
fn saturating_digits(text: &str) -> Option<u64> {
    let all_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    all_digits.then(|| text.parse().unwrap_or(u64::MAX))
}

/// The value of decimal digits alone, if it fits 64 bits.
fn digits(text: &str) -> Option<u64> {
    saturating_digits(text).and_then(|_| text.parse().ok())
}

#[cfg(test)]
mod tests;
