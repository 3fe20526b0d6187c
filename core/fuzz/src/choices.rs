//! Choices that come from the input's bytes: where a test would throw dice, a fuzzer turns knobs.

/// A source of choices; when the bytes have run out every choice is the first one.
#[derive(Debug, Clone)]
pub struct Dice {
    bytes: Vec<u8>,
    at: usize,
}

impl Dice {
    /// Choices from these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec(), at: 0 }
    }

    /// Whether there are choices left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        let byte = self.bytes.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        byte
    }

    /// Any number, of eight bytes.
    pub fn number(&mut self) -> u64 {
        u64::from_be_bytes(std::array::from_fn(|_| self.byte()))
    }

    /// A number below `limit`; one byte where that is enough.
    pub fn below(&mut self, limit: usize) -> usize {
        match limit {
            0 | 1 => 0,
            2..=256 => usize::from(self.byte()) % limit,
            _ => (self.number() % limit as u64) as usize,
        }
    }

    /// Whether a choice of this many percent falls.
    pub fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of these.
    ///
    /// # Panics
    ///
    /// If there are none.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// The next bytes, as many as the next byte says (times 16 if it is odd).
    pub fn take(&mut self) -> Vec<u8> {
        let count = usize::from(self.byte());
        let count = if count % 2 == 1 { count * 16 } else { count };
        let begin = self.at.min(self.bytes.len());
        let end = (begin + count).min(self.bytes.len());
        self.at = end;
        self.bytes[begin..end].to_vec()
    }

    /// All that is left.
    pub fn rest(&mut self) -> Vec<u8> {
        let rest = self.bytes[self.at.min(self.bytes.len())..].to_vec();
        self.at = self.bytes.len();
        rest
    }
}
