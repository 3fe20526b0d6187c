//! Reads bytes from the front: numbers in their shortest form, and nothing past the end.

use super::ChangeError;

/// The bytes that are still to be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Begins at the front of `bytes`.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Whether everything has been read.
    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next `length` bytes.
    pub(super) fn take(&mut self, length: u64) -> Result<&'a [u8], ChangeError> {
        let length = usize::try_from(length).map_err(|_| ChangeError::Truncated)?;
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(ChangeError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    /// The next `N` bytes.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], ChangeError> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(ChangeError::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// The next byte.
    pub(super) fn byte(&mut self) -> Result<u8, ChangeError> {
        let (first, rest) = self.rest.split_first().ok_or(ChangeError::Truncated)?;
        self.rest = rest;
        Ok(*first)
    }

    /// A text with its length in front.
    pub(super) fn text(
        &mut self,
        bytes_max: usize,
        too_long: ChangeError,
    ) -> Result<&'a str, ChangeError> {
        let length = self.unsigned()?;
        if length > bytes_max as u64 {
            return Err(too_long);
        }
        std::str::from_utf8(self.take(length)?).map_err(|_| ChangeError::NotUtf8)
    }

    /// A number from 0, seven bits per byte, lowest first.
    pub(super) fn unsigned(&mut self) -> Result<u64, ChangeError> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            if shift == 63 && byte > 1 {
                return Err(ChangeError::NumberTooLarge);
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                let minimal = shift == 0 || byte != 0;
                return if minimal { Ok(value) } else { Err(ChangeError::NumberNotMinimal) };
            }
        }
        Err(ChangeError::NumberTooLarge)
    }

    /// A number with a sign, which is bit 6 of the last byte.
    pub(super) fn signed(&mut self) -> Result<i64, ChangeError> {
        let mut value = 0;
        let mut previous = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            if shift == 63 && byte != 0 && byte != 0x7f {
                return Err(ChangeError::NumberTooLarge);
            }
            value |= i64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                let negative = byte & 0x40 != 0;
                let sign_alone = if negative { byte == 0x7f } else { byte == 0 };
                if shift > 0 && sign_alone && negative == (previous & 0x40 != 0) {
                    return Err(ChangeError::NumberNotMinimal);
                }
                if negative && shift < 63 {
                    value |= -1 << (shift + 7);
                }
                return Ok(value);
            }
            previous = byte;
        }
        Err(ChangeError::NumberTooLarge)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unsigned(bytes: &[u8]) -> Result<u64, ChangeError> {
        Reader::new(bytes).unsigned()
    }

    fn signed(bytes: &[u8]) -> Result<i64, ChangeError> {
        Reader::new(bytes).signed()
    }

    #[test]
    fn unsigned_numbers_are_read_in_their_shortest_form_alone() {
        assert_eq!(unsigned(&[0]), Ok(0));
        assert_eq!(unsigned(&[0x80, 1]), Ok(128));
        assert_eq!(unsigned(&[&[0xff; 9][..], &[1]].concat()), Ok(u64::MAX));
        assert_eq!(unsigned(&[0x80, 0]), Err(ChangeError::NumberNotMinimal));
        assert_eq!(unsigned(&[&[0xff; 9][..], &[2]].concat()), Err(ChangeError::NumberTooLarge));
        assert_eq!(unsigned(&[0x80; 11]), Err(ChangeError::NumberTooLarge));
        assert_eq!(unsigned(&[0x80]), Err(ChangeError::Truncated));
        assert_eq!(unsigned(&[]), Err(ChangeError::Truncated));
    }

    #[test]
    fn signed_numbers_are_read_in_their_shortest_form_alone() {
        assert_eq!(signed(&[0x7f]), Ok(-1));
        assert_eq!(signed(&[0x3f]), Ok(63));
        assert_eq!(signed(&[0xc0, 0]), Ok(64));
        assert_eq!(signed(&[0x40]), Ok(-64));
        assert_eq!(signed(&[&[0xff; 9][..], &[0]].concat()), Ok(i64::MAX));
        assert_eq!(signed(&[&[0x80; 9][..], &[0x7f]].concat()), Ok(i64::MIN));
        assert_eq!(signed(&[0x80, 0]), Err(ChangeError::NumberNotMinimal));
        assert_eq!(signed(&[0xff, 0x7f]), Err(ChangeError::NumberNotMinimal));
        assert_eq!(signed(&[&[0xff; 9][..], &[1]].concat()), Err(ChangeError::NumberTooLarge));
    }
}
