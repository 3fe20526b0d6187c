//! Sums of what is stored, by which a bit that flipped on the disk is noticed.
//!
//! A digest names the changes of a document, not the bytes that it is stored in: a flipped bit
//! within a value is still a state. A CRC-32 finds every single flip and every burst up to 32 bits;
//! it is no protection against people, who can count it too. It takes a tenth of a microsecond.

use crc32fast::Hasher;

use crate::ids::DocumentId;

/// Bytes of a sum.
pub const SUM_BYTES: usize = 4;

/// The sum of a stored document: of its name, the name of its entity, and its pieces.
#[must_use]
pub fn sum_of(id: &DocumentId, entity: &str, pieces: &[&[u8]]) -> u32 {
    let mut sum = Hasher::new();
    sum.update(id.record.as_bytes());
    let names = [id.part.as_str().as_bytes(), entity.as_bytes()];
    for piece in names.iter().chain(pieces) {
        // With their lengths, so that no byte moves from one to the next unnoticed.
        sum.update(&(piece.len() as u64).to_be_bytes());
        sum.update(piece);
    }
    sum.finalize()
}

/// Bytes with their sum behind them. Whoever does not know of it reads the bytes as before.
#[must_use]
pub fn with_sum(mut bytes: Vec<u8>) -> Vec<u8> {
    let sum = crc32fast::hash(&bytes);
    bytes.extend(sum.to_be_bytes());
    bytes
}

/// Whether the sum behind `length` bytes is theirs; `None` if there is no sum.
#[must_use]
pub fn is_whole(bytes: &[u8], length: usize) -> Option<bool> {
    let (bytes, sum) = bytes.split_at_checked(length)?;
    let sum: [u8; SUM_BYTES] = sum.try_into().ok()?;
    Some(u32::from_be_bytes(sum) == crc32fast::hash(bytes))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::ids::{Part, RecordId};

    #[test]
    fn every_flipped_bit_changes_the_sum() {
        let id = DocumentId { record: RecordId(Uuid::from_u128(7)), part: Part::Main };
        let bytes = b"what was typed".to_vec();
        let sum = sum_of(&id, "customer", &[&bytes]);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(sum_of(&id, "customer", &[&flipped]), sum, "bit {bit}");
        }
        assert_ne!(sum_of(&id, "custome", &[b"r", &bytes]), sum_of(&id, "customer", &[&bytes]));
        let kept = with_sum(bytes.clone());
        assert_eq!(is_whole(&kept, bytes.len()), Some(true));
        assert_eq!(is_whole(&bytes, bytes.len()), None);
        for bit in 0..kept.len() * 8 {
            let mut flipped = kept.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(is_whole(&flipped, bytes.len()), Some(false), "bit {bit}");
        }
    }
}
