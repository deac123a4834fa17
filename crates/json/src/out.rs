//! Where JSON is printed to.

/// A text, or bytes, that grow. A text takes pieces of text without checking them again.
pub(crate) trait Out {
    fn push_str(&mut self, piece: &str);
    fn reserve(&mut self, bytes: usize);
}

impl Out for String {
    #[inline]
    fn push_str(&mut self, piece: &str) {
        self.push_str(piece);
    }

    fn reserve(&mut self, bytes: usize) {
        self.reserve(bytes);
    }
}

impl Out for Vec<u8> {
    #[inline]
    fn push_str(&mut self, piece: &str) {
        self.extend_from_slice(piece.as_bytes());
    }

    fn reserve(&mut self, bytes: usize) {
        self.reserve(bytes);
    }
}
