//! Valid changes with damage and a right checksum: nothing panics, and what is taken is canonical.

use outrider_core::crdt::{decode, encode, header};

use super::{dice::Dice, honest, raw::frame};

const ROUNDS: usize = 60_000;

#[test]
fn damaged_changes_never_panic_and_what_is_taken_is_canonical() {
    let mut dice = Dice::new();
    let honest: Vec<Vec<u8>> =
        (0..300).map(|_| body(&encode(honest::change(&mut dice)).bytes).to_vec()).collect();
    let mut taken = 0;
    for _ in 0..ROUNDS {
        let mut damaged = honest[dice.below(honest.len())].clone();
        for _ in 0..=dice.below(3) {
            damage(&mut damaged, &mut dice);
        }
        let bytes = frame(1, &damaged);
        let _ = header(&bytes);
        if let Ok(read) = decode(&bytes) {
            assert_eq!(read.bytes, bytes);
            let theirs = automerge::Change::from_bytes(bytes).unwrap();
            assert_eq!(theirs.hash().0, read.hash.0);
            assert_eq!(theirs.len(), read.change.ops.len());
            taken += 1;
        }
    }
    assert!(taken > ROUNDS / 100, "only {taken} were taken: the damage is too great");
}

/// What is inside the frame.
fn body(bytes: &[u8]) -> &[u8] {
    let length = bytes[9..].iter().take_while(|byte| **byte >= 0x80).count() + 1;
    &bytes[9 + length..]
}

fn damage(bytes: &mut Vec<u8>, dice: &mut Dice) {
    if bytes.is_empty() {
        return;
    }
    let at = dice.below(bytes.len());
    match dice.below(6) {
        0 => bytes[at] ^= 1 << dice.below(8),
        1 => bytes[at] = dice.next() as u8,
        2 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][dice.below(5)],
        3 => bytes.insert(at, dice.next() as u8),
        4 => drop(bytes.remove(at)),
        _ => {
            let end = (at + 1 + dice.below(8)).min(bytes.len());
            let again = bytes[at..end].to_vec();
            bytes.splice(at..at, again);
        }
    }
}
