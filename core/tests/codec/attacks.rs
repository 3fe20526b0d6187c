//! Every attack on a change's bytes that has hurt Automerge, and what else is not a change.

use std::{
    io::Write as _,
    time::{Duration, Instant},
};

use automerge::{ActorId, Automerge, ObjType, ROOT, ScalarValue, transaction::Transactable as _};
use outrider_core::crdt::{ChangeError, decode, header, op::CHANGE_BYTES_MAX};

use super::raw::{
    ACTION, ELEMENT_ACTOR, INSERT, KEY, OBJECT_ACTOR, PRED_ACTOR, PRED_COUNT, PRED_COUNTER, Raw,
    VALUE, VALUE_META, deflated, frame, framed, one, prefixed, signed, unsigned,
};

fn refused(bytes: &[u8], reason: ChangeError) {
    assert_eq!(decode(bytes).map(|_| ()), Err(reason));
    assert_eq!(header(bytes).map(|_| ()), Err(reason));
}

/// The bytes of the change that `write` makes with Automerge.
fn automerge_change(write: impl FnOnce(&mut automerge::transaction::Transaction<'_>)) -> Vec<u8> {
    let mut doc = Automerge::new().with_actor(ActorId::from([7; 16]));
    let mut transaction = doc.transaction();
    write(&mut transaction);
    transaction.commit();
    doc.get_last_local_change().unwrap().raw_bytes().to_vec()
}

#[test]
fn a_change_made_by_hand_is_the_one_that_automerge_makes() {
    let theirs = automerge_change(|transaction| transaction.put(ROOT, "name", "Ada").unwrap());
    assert_eq!(Raw::put("name").bytes(), theirs);
    Raw::put("name").taken();
    assert_eq!(decode(&deflated(&Raw::put("name").body())).unwrap().bytes, theirs);
}

#[test]
fn inflate_bombs_are_refused_within_the_limit() {
    for mebibytes in [64, 256] {
        let best = flate2::Compression::best();
        let mut bomb = flate2::write::DeflateEncoder::new(Vec::new(), best);
        for _ in 0..mebibytes {
            bomb.write_all(&vec![0; 1024 * 1024]).unwrap();
        }
        // The checksum does not matter: the size is found out before it.
        let bytes = framed(2, &[0; 4], &bomb.finish().unwrap());
        let start = Instant::now();
        refused(&bytes, ChangeError::TooLarge);
        assert!(start.elapsed() < Duration::from_millis(500));
    }
}

#[test]
fn run_length_bombs_are_refused_before_a_row_is_made() {
    for rows in [1_000_000, 5_000_000, i64::MAX] {
        let bomb = Raw::put("name").rows(rows);
        assert!(bomb.bytes().len() < 150);
        refused(&bomb.bytes(), ChangeError::TooManyOps);
    }
    let literal = [signed(i64::MIN), unsigned(1)].concat();
    refused(&Raw::put("name").column(ACTION, literal).bytes(), ChangeError::TooManyOps);
    let nulls = [signed(0), unsigned(u64::MAX)].concat();
    refused(&Raw::put("name").column(ACTION, nulls).bytes(), ChangeError::TooManyOps);
    let twice = [signed(i64::MAX), unsigned(1), signed(i64::MAX), unsigned(1)].concat();
    refused(&Raw::put("name").column(ACTION, twice).bytes(), ChangeError::TooManyOps);
    Raw::put("name").column(INSERT, unsigned(u64::MAX)).refused(ChangeError::TooManyOps);
    Raw::put("name").column(PRED_COUNT, one(u64::MAX)).refused(ChangeError::TooManyPreds);
}

#[test]
fn predecessors_beyond_their_count_are_refused() {
    let one_pred = Raw { start_op: 5, ..Raw::put("name") }.column(PRED_COUNT, one(1));
    one_pred.clone().column(PRED_ACTOR, one(0)).column(PRED_COUNTER, one(3)).taken();
    let many = [signed(i64::MAX), unsigned(0)].concat();
    one_pred.clone().column(PRED_ACTOR, many.clone()).refused(ChangeError::ColumnLengths);
    one_pred.clone().column(PRED_ACTOR, one(0)).refused(ChangeError::ColumnLengths);
    Raw::put("name").column(PRED_ACTOR, one(0)).refused(ChangeError::ColumnLengths);
    let with_actor = |actor| one_pred.clone().column(PRED_ACTOR, one(actor));
    with_actor(1).column(PRED_COUNTER, one(3)).refused(ChangeError::UnknownActorIndex);
    for counter in [-1, 0, 5, i64::MAX] {
        let counter = [signed(-1), signed(counter)].concat();
        with_actor(0).column(PRED_COUNTER, counter).refused(ChangeError::PredCounter);
    }
    let two = one_pred.column(PRED_COUNT, one(2)).column(PRED_ACTOR, [2, 0].to_vec());
    for second in [0, 0x7f] {
        let counters = [&signed(-2)[..], &signed(3), &[second]].concat();
        two.clone().column(PRED_COUNTER, counters).refused(ChangeError::PredsNotAscending);
    }
}

/// Of long texts the head alone is read here, and Automerge the rest.
#[test]
fn actors_that_are_not_listed_are_refused_in_every_column() {
    let put = Raw::put("name");
    let with_pred =
        Raw { start_op: 5, ..put.clone() }.column(PRED_COUNT, one(1)).column(PRED_COUNTER, one(3));
    for (column, raw) in [(PRED_ACTOR, &with_pred), (OBJECT_ACTOR, &put), (ELEMENT_ACTOR, &put)] {
        for listed in [0, 1] {
            let raw = Raw { others: vec![vec![9; 16]; listed], ..raw.clone() };
            let of = |actor: usize| header(&raw.clone().column(column, one(actor as u64)).bytes());
            assert!(of(listed).is_ok(), "{column:#x}");
            assert_eq!(of(listed + 1), Err(ChangeError::UnknownActorIndex), "{column:#x}");
        }
    }
}

#[test]
fn a_start_near_the_end_of_counters_is_refused() {
    for start_op in [u64::from(u32::MAX) - 1, u64::from(u32::MAX), u64::MAX] {
        let raw = Raw { start_op, ..Raw::put("name") };
        refused(&raw.bytes(), ChangeError::CounterTooHigh);
    }
    refused(&Raw { start_op: 0, ..Raw::put("name") }.bytes(), ChangeError::StartOpZero);
}

#[test]
fn sequence_numbers_begin_with_1() {
    refused(&Raw { seq: unsigned(0), ..Raw::put("name") }.bytes(), ChangeError::SeqZero);
    refused(&Raw { seq: unsigned(u64::MAX), ..Raw::put("name") }.bytes(), ChangeError::SeqTooHigh);
}

#[test]
fn actors_of_other_lengths_are_refused() {
    for length in [0, 15, 17, 200_000] {
        let raw = Raw { actor: vec![7; length], ..Raw::put("name") };
        refused(&raw.bytes(), ChangeError::ActorLength(length as u64));
        let raw = Raw { others: vec![vec![9; length]], ..Raw::put("name") };
        refused(&raw.bytes(), ChangeError::ActorLength(length as u64));
    }
    let long = Raw { actor: vec![7; 1_000_000], ..Raw::put("name") };
    refused(&long.bytes(), ChangeError::TooLarge);
}

#[test]
fn other_actors_are_sorted_used_and_not_the_author() {
    let other = |byte| vec![byte; 16];
    for others in [vec![other(7)], vec![other(9), other(9)], vec![other(9), other(8)]] {
        let raw = Raw { others, ..Raw::put("name") };
        refused(&raw.bytes(), ChangeError::ActorsNotAscending);
    }
    Raw { others: vec![other(9)], ..Raw::put("name") }.refused(ChangeError::NotCanonical);
}

#[test]
fn impossible_times_are_refused() {
    for time_ms in [i64::MIN, i64::MAX] {
        let raw = Raw { time_ms, ..Raw::put("name") };
        refused(&raw.bytes(), ChangeError::TimeOutOfRange);
    }
}

#[test]
fn documents_bundles_and_unknown_chunks_are_refused() {
    let mut doc = Automerge::new();
    let mut transaction = doc.transaction();
    transaction.put(ROOT, "name", "Ada").unwrap();
    transaction.commit();
    refused(&doc.save(), ChangeError::DocumentChunk);
    let hashes: Vec<_> = doc.get_changes(&[]).iter().map(automerge::Change::hash).collect();
    refused(doc.bundle(hashes).unwrap().bytes(), ChangeError::BundleChunk);
    refused(&frame(4, &Raw::put("name").body()), ChangeError::UnknownChunk(4));
}

#[test]
fn a_wrong_checksum_and_any_flipped_bit_are_refused() {
    let bytes = Raw::put("name").bytes();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(decode(&flipped).is_err(), "bit {bit}");
        assert!(header(&flipped).is_err(), "bit {bit}");
    }
    let mut wrong = bytes;
    wrong[4] ^= 1;
    refused(&wrong, ChangeError::BadChecksum);
    let body = Raw::put("name").body();
    let compressed = deflated(&body);
    let mut wrong = compressed;
    wrong[4] ^= 1;
    refused(&wrong, ChangeError::BadChecksum);
}

#[test]
fn bytes_before_after_and_missing_are_refused() {
    let bytes = Raw::put("name").bytes();
    for length in 0..bytes.len() {
        refused(&bytes[..length], ChangeError::Truncated);
    }
    refused(&[&bytes[..], &[0]].concat(), ChangeError::TrailingBytes);
    refused(&[&bytes[..], &bytes[..]].concat(), ChangeError::TrailingBytes);
    refused(&[&[0], &bytes[..]].concat(), ChangeError::BadMagic);
    let extra = Raw { extra: b"author".to_vec(), ..Raw::put("name") };
    refused(&extra.bytes(), ChangeError::ExtraBytes);
}

#[test]
fn broken_compression_is_refused() {
    refused(&framed(2, &[0; 4], &[0xff; 20]), ChangeError::BadDeflate);
    let whole = deflated(&Raw::put("name").body());
    let content = &whole[10..];
    let longer = [content, &[0; 3]].concat();
    let checksum = [whole[4], whole[5], whole[6], whole[7]];
    refused(&framed(2, &checksum, &longer), ChangeError::TrailingBytes);
}

#[test]
fn nested_objects_and_operations_within_them_are_refused() {
    for (kind, action) in [(ObjType::Map, 0), (ObjType::List, 2), (ObjType::Text, 4)] {
        let bytes = automerge_change(|transaction| {
            transaction.put_object(ROOT, "name", kind).unwrap();
        });
        assert_eq!(decode(&bytes), Err(ChangeError::ActionNotAllowed(action)));
    }
    let bytes = automerge_change(|transaction| {
        let list = transaction.put_object(ROOT, "name", ObjType::List).unwrap();
        transaction.insert(&list, 0, "Ada").unwrap();
    });
    assert_eq!(decode(&bytes), Err(ChangeError::NotAtRoot));
    Raw::put("name").column(INSERT, [0, 1].to_vec()).refused(ChangeError::InsertInMap);
}

#[test]
fn counters_marks_and_other_scalars_are_refused() {
    for (value, kind) in [
        (ScalarValue::Uint(1), 3),
        (ScalarValue::F64(1.5), 5),
        (ScalarValue::counter(1), 8),
        (ScalarValue::Timestamp(1), 9),
        (ScalarValue::Unknown { type_code: 12, bytes: vec![1] }, 12),
    ] {
        let bytes = automerge_change(|transaction| transaction.put(ROOT, "name", value).unwrap());
        assert_eq!(decode(&bytes), Err(ChangeError::ValueKindNotAllowed(kind)));
    }
    for action in [5, 6, 7, 8, u64::MAX] {
        Raw::put("name").column(ACTION, one(action)).refused(ChangeError::ActionNotAllowed(action));
    }
    refused(
        &Raw::put("name").column(0x94, [0, 1].to_vec()).bytes(),
        ChangeError::UnknownColumn(0x94),
    );
}

#[test]
fn numbers_that_are_too_long_are_refused() {
    let raw = Raw { seq: [0x81, 0].to_vec(), ..Raw::put("name") };
    refused(&raw.bytes(), ChangeError::NumberNotMinimal);
    let raw = Raw { seq: vec![0xff; 12], ..Raw::put("name") };
    refused(&raw.bytes(), ChangeError::NumberTooLarge);
    let long_run = [0xff, 0x7f, 1].to_vec();
    refused(&Raw::put("name").column(ACTION, long_run).bytes(), ChangeError::NumberNotMinimal);
    Raw::put("name")
        .column(VALUE_META, one(3 << 4 | 4))
        .column(VALUE, [0x80, 0x80, 0].to_vec())
        .refused(ChangeError::NumberNotMinimal);
    let length = [&Raw::put("name").bytes()[..9], &[0xae, 0x00]].concat();
    refused(&length, ChangeError::NumberNotMinimal);
}

#[test]
fn columns_are_known_sorted_filled_and_not_compressed() {
    let put = || Raw::put("name");
    refused(&put().column(0x86, one(0)).bytes(), ChangeError::UnknownColumn(0x86));
    refused(&put().column(0x25, one(0)).bytes(), ChangeError::UnknownColumn(0x25));
    refused(&put().column(ACTION | 8, one(1)).bytes(), ChangeError::DeflatedColumn);
    let mut swapped = put();
    swapped.columns.swap(0, 1);
    refused(&swapped.bytes(), ChangeError::ColumnsNotAscending);
    let mut twice = put();
    twice.columns.insert(0, twice.columns[0].clone());
    refused(&twice.bytes(), ChangeError::ColumnsNotAscending);
    let mut empty = put();
    empty.columns.push((PRED_ACTOR, Vec::new()));
    refused(&empty.bytes(), ChangeError::EmptyColumn);
    for missing in [KEY, INSERT, VALUE_META, PRED_COUNT] {
        put().column(missing, Vec::new()).refused(ChangeError::ColumnLengths);
    }
    put().column(VALUE, Vec::new()).refused(ChangeError::Truncated);
    refused(&put().column(VALUE, b"Ada Lovelace".to_vec()).bytes(), ChangeError::ColumnLengths);
}

#[test]
fn one_content_has_one_form() {
    let put = || Raw::put("name");
    put().column(ACTION, [1, 1].to_vec()).refused(ChangeError::NotCanonical);
    put().column(INSERT, [0, 0, 1].to_vec()).refused(ChangeError::InsertInMap);
    put().column(ACTION, [0, 0, 0x7f, 1].to_vec()).refused(ChangeError::EmptyRun);
    put().column(ACTION, [0, 1].to_vec()).refused(ChangeError::NullInColumn);
    put().column(VALUE_META, one(1 << 4)).refused(ChangeError::ValueMalformed);
    let mut first = put();
    first.deps = vec![[2; 32], [1; 32]];
    refused(&first.bytes(), ChangeError::DepsNotAscending);
    first.deps = vec![[1; 32], [1; 32]];
    refused(&first.bytes(), ChangeError::DepsNotAscending);
}

#[test]
fn a_key_twice_is_refused() {
    let twice = |keys: Vec<u8>| {
        Raw::put("k").rows(2).column(KEY, keys).refused(ChangeError::DuplicateKey);
    };
    twice([signed(2), prefixed(b"k")].concat());
    twice([signed(-2), prefixed(b"k"), prefixed(b"k")].concat());
    Raw::put("").refused(ChangeError::KeyEmpty);
}

#[test]
fn a_change_that_does_nothing_is_refused() {
    let nothing = Raw { columns: Vec::new(), ..Raw::put("name") };
    refused(&nothing.bytes(), ChangeError::NoOps);
    let mut doc = Automerge::new().with_actor(ActorId::from([7; 16]));
    doc.empty_commit(automerge::transaction::CommitOptions::default());
    refused(doc.get_changes(&[])[0].raw_bytes(), ChangeError::NoOps);
}

#[test]
fn deletes_have_something_to_delete_and_no_value() {
    Raw::put("name").column(ACTION, one(3)).refused(ChangeError::DeleteWithValue);
    Raw::put("name")
        .column(ACTION, one(3))
        .column(VALUE_META, one(0))
        .column(VALUE, Vec::new())
        .refused(ChangeError::DeleteWithoutPred);
}

#[test]
fn text_that_is_not_utf_8_is_refused() {
    Raw::put("name").column(VALUE, vec![0xff; 3]).refused(ChangeError::NotUtf8);
    let key = [signed(-1), prefixed(&[0xff])].concat();
    Raw::put("name").column(KEY, key).refused(ChangeError::NotUtf8);
    let raw = Raw { message: vec![0xff], ..Raw::put("name") };
    refused(&raw.bytes(), ChangeError::NotUtf8);
}

#[test]
fn every_reason_has_a_code_of_its_own() {
    let reasons = [ChangeError::TooLarge, ChangeError::BadMagic, ChangeError::NotCanonical];
    assert_eq!(
        reasons.map(|reason| reason.code()),
        ["change_too_large", "bad_magic", "not_canonical"]
    );
    assert!(ChangeError::TooLarge.to_string().contains(&CHANGE_BYTES_MAX.to_string()));
}
