//! Why bytes are not a change that Outrider takes.

use crate::crdt::op::{
    CHANGE_BYTES_MAX, CHANGE_DEPS_MAX, KEY_BYTES_MAX, MESSAGE_BYTES_MAX, OP_COUNTER_MAX,
    OP_PREDS_MAX, VALUE_BYTES_MAX,
};

/// Gives each variant its words, and its code for refusals on the wire.
macro_rules! change_errors {
    ($($(#[doc = $doc:literal])+ $name:ident $(($kind:ty))? => $code:literal, $text:literal $(, $arg:expr)*;)+) => {
        /// Why bytes are not a change that Outrider takes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
        pub enum ChangeError {
            $($(#[doc = $doc])+ #[error($text $(, $arg)*)] $name $(($kind))?,)+
        }

        impl ChangeError {
            /// The stable name of the reason, as it goes over the wire.
            #[must_use]
            pub fn code(&self) -> &'static str {
                match self {
                    $(Self::$name { .. } => $code,)+
                }
            }
        }
    };
}

change_errors! {
    // The frame.
    /// More bytes than a change may have, sent or inflated.
    TooLarge => "change_too_large", "a change has at most {} bytes", CHANGE_BYTES_MAX;
    /// The first four bytes are not Automerge's.
    BadMagic => "bad_magic", "the bytes do not begin like an Automerge chunk";
    /// A whole document where one change is expected.
    DocumentChunk => "document_chunk", "a document was sent in place of a change";
    /// A bundle of changes where one change is expected.
    BundleChunk => "bundle_chunk", "a bundle was sent in place of a change";
    /// A kind of chunk that nobody knows.
    UnknownChunk(u8) => "unknown_chunk", "chunks of type {0} are unknown";
    /// The content is not what the checksum says.
    BadChecksum => "bad_checksum", "the checksum does not match the content";
    /// The bytes end too early.
    Truncated => "truncated", "the bytes end too early";
    /// Bytes after the end.
    TrailingBytes => "trailing_bytes", "there are bytes after the end of the change";
    /// The compressed content cannot be inflated.
    BadDeflate => "bad_deflate", "the compressed content cannot be inflated";
    /// A number written with more bytes than it needs.
    NumberNotMinimal => "number_not_minimal", "a number takes more bytes than it needs";
    /// A number of more than 64 bits.
    NumberTooLarge => "number_too_large", "a number has more than 64 bits";

    // The head.
    /// Too many dependencies.
    TooManyDeps => "too_many_deps", "a change has at most {} dependencies", CHANGE_DEPS_MAX;
    /// Dependencies not in strictly ascending order.
    DepsNotAscending => "deps_not_ascending", "the dependencies are not in ascending order";
    /// An actor id that has not 16 bytes.
    ActorLength(u64) => "actor_length", "an actor id has {0} bytes in place of 16";
    /// The sequence number is 0.
    SeqZero => "seq_zero", "sequence numbers begin with 1";
    /// A sequence number that no actor can have reached.
    SeqTooHigh => "seq_too_high", "the sequence number is above {}", OP_COUNTER_MAX;
    /// The operation counter is 0.
    StartOpZero => "start_op_zero", "operation counters begin with 1";
    /// An operation counter above the limit.
    CounterTooHigh => "counter_too_high", "an operation counter is above {}", OP_COUNTER_MAX;
    /// A time outside the years 1 to 9999.
    TimeOutOfRange => "time_out_of_range", "the time is not within the years 1 to 9999";
    /// The message is too long.
    MessageTooLong => "message_too_long", "a message has at most {} bytes", MESSAGE_BYTES_MAX;
    /// A text that is not UTF-8.
    NotUtf8 => "not_utf8", "a text is not UTF-8";
    /// Other actors unsorted, repeated, or the author among them.
    ActorsNotAscending => "actors_not_ascending", "the other actors are not in ascending order";
    /// Bytes after the columns, where Automerge keeps what it does not know.
    ExtraBytes => "extra_bytes", "there are extra bytes after the operations";

    // The columns.
    /// A column that changes of this kind of document do not have.
    UnknownColumn(u64) => "unknown_column", "the column {0:#x} is unknown";
    /// A column compressed by itself, which Automerge does not read in changes either.
    DeflatedColumn => "deflated_column", "a column is compressed by itself";
    /// A column with no bytes, which Automerge leaves out.
    EmptyColumn => "empty_column", "a column is empty";
    /// Columns not in strictly ascending order.
    ColumnsNotAscending => "columns_not_ascending", "the columns are not in ascending order";
    /// Columns of different numbers of rows, or one missing.
    ColumnLengths => "column_lengths", "the columns have different numbers of rows";
    /// A run of no rows.
    EmptyRun => "empty_run", "a run in a column has no rows";
    /// A row without a value where one is needed.
    NullInColumn => "null_in_column", "a row has no value in a column that needs one";

    // The operations.
    /// No operation at all.
    NoOps => "no_ops", "the change does nothing";
    /// More operations than one change may have.
    TooManyOps => "too_many_ops", "the change has too many operations";
    /// An operation in an object other than the root map.
    NotAtRoot => "not_at_root", "an operation is not in the root map";
    /// An insertion, which maps do not have.
    InsertInMap => "insert_in_map", "an operation inserts into a map";
    /// Neither put nor delete: a nested object, an increment, a mark.
    ActionNotAllowed(u64) => "action_not_allowed", "operations of type {0} are not allowed";
    /// A value that is not null, a boolean, a whole number, a text or bytes.
    ValueKindNotAllowed(u8) => "value_kind_not_allowed", "values of type {0} are not allowed";
    /// A value whose length is not that of its type.
    ValueMalformed => "value_malformed", "a value has not the length of its type";
    /// A value with too many bytes.
    ValueTooLarge => "value_too_large", "a value has at most {} bytes", VALUE_BYTES_MAX;
    /// A key with too many bytes.
    KeyTooLong => "key_too_long", "a key has at most {} bytes", KEY_BYTES_MAX;
    /// A key of no bytes.
    KeyEmpty => "key_empty", "a key is empty";
    /// Two operations on one key.
    DuplicateKey => "duplicate_key", "two operations of the change have the same key";
    /// More predecessors than one operation may have.
    TooManyPreds => "too_many_preds", "an operation has at most {} predecessors", OP_PREDS_MAX;
    /// A predecessor of an actor that the change does not list.
    UnknownActorIndex => "unknown_actor_index", "a predecessor names an actor that is not listed";
    /// A predecessor that cannot come before its operation.
    PredCounter => "pred_counter", "a predecessor does not come before the change";
    /// Predecessors unsorted or repeated.
    PredsNotAscending => "preds_not_ascending", "the predecessors are not in ascending order";
    /// A delete of nothing.
    DeleteWithoutPred => "delete_without_pred", "a delete has no predecessor";
    /// A delete with a value.
    DeleteWithValue => "delete_with_value", "a delete has a value";
    /// Not the bytes that Automerge writes for this content.
    NotCanonical => "not_canonical", "the bytes are not those that Automerge writes";
}
