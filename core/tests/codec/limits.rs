//! Each limit: what reaches it is taken, one more is refused.

use outrider_core::crdt::{
    ChangeError, header,
    op::{
        CHANGE_BYTES_MAX, CHANGE_DEPS_MAX, CHANGE_OPS_MAX, KEY_BYTES_MAX, MESSAGE_BYTES_MAX,
        OP_COUNTER_MAX, OP_PREDS_MAX, TEXT_CHANGE_OPS_MAX, TIME_MS_MAX, TIME_MS_MIN,
        VALUE_BYTES_MAX,
    },
    plain_bytes,
};

use super::raw::{
    KEY, PRED_ACTOR, PRED_COUNT, PRED_COUNTER, Raw, VALUE, VALUE_META, deflated, one, prefixed,
    signed, unsigned,
};

/// Nulls under `count` keys.
fn many(count: usize) -> Raw {
    let keys = (0..count).flat_map(|key| prefixed(format!("{key}").as_bytes()));
    let column = signed(-(count as i64)).into_iter().chain(keys).collect();
    Raw::put("k").rows(count as i64).column(KEY, column)
}

/// What a push is counted by before anything of it is looked at.
#[test]
fn a_compressed_change_that_breaks_off_counts_as_it_came() {
    const DEFLATED: u8 = 2;
    let begun = [[0; 8].as_slice(), &[DEFLATED, 200, 1, 7]].concat();
    assert_eq!(plain_bytes(&begun), begun.len());
    assert_eq!(plain_bytes(&begun[..3]), 3);
}

#[test]
fn a_compressed_change_counts_as_it_is_unpacked() {
    let whole = many(100);
    assert_eq!(plain_bytes(&deflated(&whole.body())), whole.body().len());
}

#[test]
fn operations() {
    many(CHANGE_OPS_MAX).taken();
    many(CHANGE_OPS_MAX + 1).refused(ChangeError::TooManyOps);
}

#[test]
fn bytes_of_a_change() {
    // Five texts of 64 KiB would be over the limit with what is around them.
    let texts = |last: usize| {
        let mut sizes = [VALUE_BYTES_MAX; 5];
        sizes[4] = last;
        let metas = sizes.map(|size| (size as u64) << 4 | 6);
        let run = [signed(4), unsigned(metas[0]), signed(-1), unsigned(metas[4])].concat();
        many(5).column(VALUE_META, run).column(VALUE, vec![b'x'; sizes.iter().sum()])
    };
    let around = texts(60_000).bytes().len() - 4 * VALUE_BYTES_MAX - 60_000;
    let last = CHANGE_BYTES_MAX - 4 * VALUE_BYTES_MAX - around;
    assert_eq!(texts(last).bytes().len(), CHANGE_BYTES_MAX);
    texts(last).taken();
    texts(last + 1).refused(ChangeError::TooLarge);
    let compressed = |last| deflated(&texts(last).body());
    assert!(outrider_core::crdt::decode(&compressed(last)).is_ok());
    assert_eq!(outrider_core::crdt::decode(&compressed(last + 1)), Err(ChangeError::TooLarge));
}

#[test]
fn dependencies() {
    let with = |count: usize| Raw {
        deps: (0..count)
            .map(|dep| [(dep as u16).to_be_bytes(); 16].concat().try_into().unwrap())
            .collect(),
        ..Raw::put("name")
    };
    with(CHANGE_DEPS_MAX).taken();
    with(CHANGE_DEPS_MAX + 1).refused(ChangeError::TooManyDeps);
}

#[test]
fn predecessors() {
    let with = |count: u64| {
        Raw { start_op: 1_000, ..Raw::put("name") }
            .column(PRED_COUNT, one(count))
            .column(PRED_ACTOR, [signed(count as i64), unsigned(0)].concat())
            .column(PRED_COUNTER, [signed(count as i64), signed(1)].concat())
    };
    with(OP_PREDS_MAX as u64).taken();
    with(OP_PREDS_MAX as u64 + 1).refused(ChangeError::TooManyPreds);
}

#[test]
fn bytes_of_a_key() {
    Raw::put(&"k".repeat(KEY_BYTES_MAX)).taken();
    Raw::put(&"k".repeat(KEY_BYTES_MAX + 1)).refused(ChangeError::KeyTooLong);
}

#[test]
fn bytes_of_a_value() {
    Raw::put("name").value(VALUE_BYTES_MAX).taken();
    Raw::put("name").value(VALUE_BYTES_MAX + 1).refused(ChangeError::ValueTooLarge);
}

#[test]
fn bytes_of_a_message() {
    let with = |length| Raw { message: vec![b'x'; length], ..Raw::put("name") };
    with(MESSAGE_BYTES_MAX).taken();
    with(MESSAGE_BYTES_MAX + 1).refused(ChangeError::MessageTooLong);
}

#[test]
fn counters() {
    let with = |start_op| Raw { start_op, ..Raw::put("name") };
    with(OP_COUNTER_MAX - 1).taken();
    with(OP_COUNTER_MAX).refused(ChangeError::CounterTooHigh);
    let with = |seq| Raw { seq: unsigned(seq), ..Raw::put("name") };
    with(OP_COUNTER_MAX).taken();
    with(OP_COUNTER_MAX + 1).refused(ChangeError::SeqTooHigh);
}

#[test]
fn times() {
    let with = |time_ms| Raw { time_ms, ..Raw::put("name") };
    with(TIME_MS_MIN).taken();
    with(TIME_MS_MAX).taken();
    with(TIME_MS_MIN - 1).refused(ChangeError::TimeOutOfRange);
    with(TIME_MS_MAX + 1).refused(ChangeError::TimeOutOfRange);
}

#[test]
fn operations_of_a_text() {
    let with = |ops: usize| header(&Raw::put("k").rows(ops as i64).bytes()).map(|h| h.op_count);
    assert_eq!(with(TEXT_CHANGE_OPS_MAX), Ok(TEXT_CHANGE_OPS_MAX));
    assert_eq!(with(TEXT_CHANGE_OPS_MAX + 1), Err(ChangeError::TooManyOps));
}
