//! Lines out of a stream of bytes.

/// Cuts what arrives into lines, whatever the chunks.
///
/// A line ends with a line feed; a carriage return before it is dropped. What is not ended is no line yet. A line longer than
/// the limit is skipped without being kept: secure-gossip itself takes megabytes, so a peer that passes one on is not to
/// blame, and a peer that never ends its line fills no memory.
#[derive(Debug)]
pub(crate) struct Lines {
    limit: usize,
    /// The beginning of a line whose end has not come.
    begun: Vec<u8>,
    /// Whether what stands in `begun` was handed out as a line and can go.
    used: bool,
    /// Whether the rest of a line that is too long is being skipped.
    skipping: bool,
}

/// What was cut off.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Cut<'a> {
    /// A line without its end.
    Line(&'a [u8]),
    /// A line beyond the limit ended here.
    TooLong,
}

impl Lines {
    /// Lines of at most `limit` bytes, their ends not counted.
    pub(crate) const fn new(limit: usize) -> Self {
        Self {
            limit,
            begun: Vec::new(),
            used: false,
            skipping: false,
        }
    }

    /// Takes bytes up to the end of the first line among them, or all; the rest stays in `bytes`, since after some lines
    /// another protocol begins.
    pub(crate) fn next<'a, 'i: 'a>(&'a mut self, bytes: &mut &'i [u8]) -> Option<Cut<'a>> {
        if std::mem::take(&mut self.used) {
            self.begun.clear();
        }
        let Some(end) = memchr::memchr(b'\n', bytes) else {
            self.begin(std::mem::take(bytes));
            return None;
        };
        let (line, rest) = bytes.split_at(end);
        *bytes = rest.get(1..).unwrap_or_default();
        if self.begun.is_empty() && !self.skipping {
            return Some(self.cut(line));
        }
        self.begin(line);
        self.used = true;
        if std::mem::take(&mut self.skipping) {
            return Some(Cut::TooLong);
        }
        Some(self.cut(&self.begun))
    }

    /// How many bytes are kept of a line that has not ended.
    #[cfg(any(test, feature = "_check"))]
    pub(crate) fn kept(&self) -> usize {
        if self.used { 0 } else { self.begun.len() }
    }

    fn cut<'a>(&self, line: &'a [u8]) -> Cut<'a> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.len() > self.limit {
            return Cut::TooLong;
        }
        Cut::Line(line)
    }

    fn begin(&mut self, part: &[u8]) {
        // One byte more than the limit, for the carriage return.
        if self.skipping || self.begun.len() + part.len() > self.limit + 1 {
            self.skipping = true;
            self.begun = Vec::new();
            return;
        }
        self.begun.extend_from_slice(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cuts(chunks: &[&str], limit: usize) -> Vec<Option<String>> {
        let mut lines = Lines::new(limit);
        let mut cuts = Vec::new();
        for chunk in chunks {
            let mut bytes = chunk.as_bytes();
            while let Some(cut) = lines.next(&mut bytes) {
                cuts.push(match cut {
                    Cut::Line(line) => Some(String::from_utf8(line.to_vec()).unwrap()),
                    Cut::TooLong => None,
                });
            }
            assert!(bytes.is_empty());
        }
        cuts
    }

    #[test]
    fn lines_come_whole_whatever_the_chunks() {
        let expected: Vec<_> = ["ab", "c", "", "d"].map(|line| Some(line.to_owned())).into();
        assert_eq!(cuts(&["ab\nc\r\n\nd\nend"], 9), expected);
        assert_eq!(cuts(&["a", "b", "\n", "c\r", "\n", "\nd", "\ne"], 9), expected);
    }

    #[test]
    fn a_line_that_is_too_long_is_skipped_and_the_next_one_is_read() {
        let expected = [
            Some("12345".to_owned()),
            None,
            Some("ok".to_owned()),
            None,
            Some("12345".to_owned()),
        ];
        assert_eq!(cuts(&["12345\n123456\nok\n1234567\n12345\r\n"], 5), expected);
        assert_eq!(
            cuts(
                &["123", "45\n1", "23456\nok", "\n1234", "567\n", "12345", "\r", "\n"],
                5
            ),
            expected
        );
    }

    #[test]
    fn a_line_without_end_keeps_no_more_than_the_limit() {
        let mut lines = Lines::new(10);
        for _ in 0..1000 {
            assert_eq!(lines.next(&mut &[b'x'; 100][..]), None);
            assert!(lines.kept() <= 11);
        }
    }
}
