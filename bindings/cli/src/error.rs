//! What can go wrong on the command line, and with which exit code.

use std::{io, path::PathBuf};

use outrider_client::ClientError;
use outrider_core::{
    crdt::export::ExportError,
    domain::{edit::EditError, merge::MergeError, taps::TapError},
    keys::KeyStoreError,
    replica::{ReplicaError, WipeError, copy::CopyError, error::advice_for},
    schema::Language,
    store::{SealError, StoreError, is_denied},
    transfer::{ImportError, export, own::OwnError},
};

use crate::near;

/// Something failed that has no code of its own.
pub(crate) const EXIT_FAILED: u8 = 1;
/// An option, a field or a value that does not fit.
pub(crate) const EXIT_USAGE: u8 = 2;
/// A record, a conflict, a refusal or the replica itself is not here.
pub(crate) const EXIT_NOT_FOUND: u8 = 3;
/// The device is not enrolled, or no longer.
pub(crate) const EXIT_NOT_ENROLLED: u8 = 4;
/// The server cannot be reached, or the connection was cut.
pub(crate) const EXIT_UNREACHABLE: u8 = 5;
/// The office refused something, or the command would lose something.
pub(crate) const EXIT_REFUSED: u8 = 6;

/// A second signal ended the program, as the shell counts it.
pub(crate) const EXIT_INTERRUPTED: u8 = 130;

/// Why a command failed. Every text says what to do next.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// There is no replica in the folder.
    #[error("there is no replica in {home}; run `outrider init` first, or name its folder with --home", home = .0.display())]
    NotInitialised(PathBuf),
    /// No folder for a replica can be found.
    #[error("this system names no home folder; say where with --home DIR")]
    NoHome,
    /// The device has no server.
    #[error(
        "this device is not enrolled; ask the office for a code and run `outrider enroll URL CODE`"
    )]
    NotEnrolled,
    /// The device has a server already.
    #[error(
        "this device is enrolled with {url} as {user}; run `outrider enroll --again URL CODE` to enroll it anew"
    )]
    AlreadyEnrolled {
        /// Where.
        url: String,
        /// For whom.
        user: String,
    },
    /// Enrolling anew would strand what waits.
    #[error(
        "{waiting} changes wait for {url}; run `outrider sync` first, or `outrider enroll --again` to send them under the new enrolment"
    )]
    StillWaiting {
        /// How many changes.
        waiting: u64,
        /// For which server.
        url: String,
    },
    /// No record of this name is here.
    #[error(
        "no record `{0}` is on this device; find it with `outrider list ENTITY`, or fetch it with `outrider sync`"
    )]
    UnknownRecord(String),
    /// Several records begin with these digits.
    #[error("`{text}` begins the ids of several records; write more digits. Some of them: {some}")]
    AmbiguousRecord {
        /// What was typed.
        text: String,
        /// A few of the records.
        some: String,
    },
    /// What was typed cannot name a record.
    #[error(
        "`{0}` names no record; write its full id, at least 8 digits of it, or entity:external_id"
    )]
    BadReference(String),
    /// There is no such entity.
    #[error("there is no entity `{name}`; {near}")]
    UnknownEntity {
        /// What was typed.
        name: String,
        /// What there is.
        near: String,
    },
    /// The entity has no such field.
    #[error("{entity} has no field `{field}`; {near}. `outrider schema {entity}` lists them")]
    UnknownField {
        /// The entity, or the field with rows.
        entity: String,
        /// What was typed.
        field: String,
        /// What there is.
        near: String,
    },
    /// The command line says something that makes no sense.
    #[error("{0}")]
    Usage(String),
    /// There is nothing to settle.
    #[error(
        "record {record} has no conflict under `{key}`; `outrider conflicts {record}` shows what is open"
    )]
    NoConflict {
        /// The record.
        record: String,
        /// The key.
        key: String,
    },
    /// There is no such refusal.
    #[error("there is no refusal {0}; `outrider inbox` lists them")]
    NoRefusal(i64),
    /// The server does not answer.
    #[error(
        "{url} cannot be reached ({cause}); everything is kept here, run the command again when there is a connection"
    )]
    Unreachable {
        /// Which server.
        url: String,
        /// What happened.
        cause: String,
    },
    /// Who answers cannot prove to be the server.
    #[error(
        "what answers at {url} cannot prove to be the office: {cause}. Nothing was sent and everything \
         is kept here; try another network, and if it stays ask the office for a code with its \
         fingerprint and run `outrider enroll --again URL CODE --ca-fingerprint FINGERPRINT`"
    )]
    Untrusted {
        /// Which server.
        url: String,
        /// What is wrong with it.
        cause: String,
    },
    /// The authority is another one than the office said.
    #[error(
        "what answers at {url} is not the office that gave the code: its authority has the fingerprint \
         {found}, and not {expected}. Nothing was sent; compare the fingerprint, and if it is right \
         somebody stands between: try another network"
    )]
    Fingerprint {
        /// Which server.
        url: String,
        /// Its fingerprint.
        found: String,
        /// What was typed.
        expected: String,
    },
    /// Everybody on the way could read along.
    #[error(
        "{0} is plain HTTP, and everybody on the way could read along; write https://…, or ask the \
         office for an address that begins so (enroll again with it). Only this machine itself is \
         spoken to plainly"
    )]
    Plain(String),
    /// The connection ended early.
    #[error(
        "the connection to {url} was cut ({cause}); {kept} run `outrider sync` again to go on from there"
    )]
    Cut {
        /// Which server.
        url: String,
        /// What happened.
        cause: String,
        /// What was done before.
        kept: String,
    },
    /// The token is no longer good.
    #[error(
        "the server does not know this device any more ({0}); ask the office for a code and run `outrider enroll --again URL CODE`"
    )]
    TokenRefused(String),
    /// The office turned the device away.
    #[error("{}", crate::messages::devices::barred(.code, *.sent, Language::En))]
    Barred {
        /// A stable word.
        code: String,
        /// What the server said.
        message: String,
        /// How many changes were sent for review, if they were.
        sent: Option<u64>,
    },
    /// The office had the device wiped.
    #[error("{}", crate::messages::devices::wiped(Language::En))]
    Wiped,
    /// The office has not approved the device yet.
    #[error("{}", crate::messages::devices::still_waits(.fingerprint, Language::En))]
    WaitsForApproval {
        /// What the office sees of its key.
        fingerprint: String,
    },
    /// The server said no.
    #[error("the server refused: {message} ({code}, HTTP {status})")]
    Server {
        /// The status.
        status: u16,
        /// A stable word.
        code: String,
        /// In words.
        message: String,
    },
    /// The office refused changes while syncing.
    #[error("the office refused {0} changes; `outrider inbox` shows them and why")]
    Refused(u64),
    /// A file cannot be used.
    #[error(
        "cannot use {path}: {source}{advice}",
        path = .path.display(),
        advice = advice_for(source)
    )]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// JSON that is none, or of another shape.
    #[error("{what} is not the JSON that it should be: {cause}")]
    Json {
        /// Where it came from.
        what: String,
        /// What is wrong with it.
        cause: String,
    },
    /// The rows are not what the documents say.
    #[error("{0} rows differ from their documents; run `outrider rebuild`")]
    RowsDiffer(usize),
    /// The doctor found something that is not repaired.
    #[error("{0} problems were found; what stands beside them says what can be done")]
    Unwell(usize),
    /// Some lines of a batch failed.
    #[error("{failed} of {total} commands failed; their lines say why")]
    BatchFailed {
        /// How many failed.
        failed: u64,
        /// Of how many.
        total: u64,
    },
    /// A file could not be imported.
    #[error(transparent)]
    Import(ImportError),
    /// Rows were rejected, and the caller wants to know.
    #[error("{0} rows were rejected; correct them in the file and import it again")]
    Rejected(u64),
    /// The history of a record is at the server.
    #[error("{0}; or write the values that are here with --offline")]
    NoHistory(Box<CliError>),
    /// The history cannot be put together.
    #[error("the history cannot be exported: {0}")]
    Export(#[from] ExportError),
    /// Records cannot be written to a file.
    #[error(transparent)]
    Write(#[from] export::ExportError),
    /// A file is there already.
    #[error("{path} is there already; write it anew with --force", path = .0.display())]
    FileExists(PathBuf),
    /// A file of ours cannot be taken back.
    #[error(transparent)]
    Own(OwnError),
    /// The replica failed.
    #[error("{0}")]
    Replica(ReplicaError),
    /// No edit can be undone.
    #[error("there is no edit that can be undone; imports and edits long ago cannot")]
    NothingToUndo,
    /// Nobody reads the output any more.
    #[error("the output was closed")]
    OutputClosed,
    /// The output cannot be written.
    #[error("cannot write the output: {0}")]
    Output(io::Error),
}

impl From<WipeError> for CliError {
    fn from(error: WipeError) -> Self {
        match error {
            WipeError::File { path, source } => Self::File { path, source },
            WipeError::Key { source, .. } => {
                ReplicaError::from(StoreError::from(SealError::Key(source))).into()
            }
        }
    }
}

impl From<ClientError> for CliError {
    /// Gives what happened between device and server the words of the command line.
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::NotEnrolled => Self::NotEnrolled,
            ClientError::AlreadyEnrolled { url, user } => Self::AlreadyEnrolled { url, user },
            ClientError::StillWaiting { waiting, url } => Self::StillWaiting { waiting, url },
            ClientError::WaitsForApproval { fingerprint } => Self::WaitsForApproval { fingerprint },
            ClientError::Unreachable { url, cause } => Self::Unreachable { url, cause },
            ClientError::Untrusted { url, cause } => Self::Untrusted { url, cause },
            ClientError::Fingerprint { url, found, expected } => {
                Self::Fingerprint { url, found, expected }
            }
            ClientError::Plain(url) => Self::Plain(url),
            ClientError::TokenRefused(message) => Self::TokenRefused(message),
            ClientError::Barred { code, message, sent } => Self::Barred { code, message, sent },
            ClientError::Wiped => Self::Wiped,
            ClientError::Server { status, code, message } => Self::Server { status, code, message },
            ClientError::File { path, source } => Self::File { path, source },
            ClientError::Json { what, cause } => Self::Json { what, cause },
            ClientError::Replica(error) => error.into(),
            ClientError::Wipe(error) => error.into(),
            ClientError::Authority => Self::Usage(format!(
                "{error}; enroll again with `outrider enroll --again URL CODE --ca-fingerprint FINGERPRINT`"
            )),
            ClientError::FingerprintForm | ClientError::Address(_) => {
                Self::Usage(error.to_string())
            }
        }
    }
}

impl CliError {
    /// The exit code.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::OutputClosed => 0,
            Self::NoHome
            | Self::AmbiguousRecord { .. }
            | Self::BadReference(_)
            | Self::UnknownEntity { .. }
            | Self::UnknownField { .. }
            | Self::Usage(_)
            | Self::Json { .. } => EXIT_USAGE,
            Self::NotInitialised(_)
            | Self::UnknownRecord(_)
            | Self::NoConflict { .. }
            | Self::NoRefusal(_)
            | Self::NothingToUndo
            | Self::Server { status: 404, .. } => EXIT_NOT_FOUND,
            Self::NotEnrolled
            | Self::TokenRefused(_)
            | Self::Barred { .. }
            | Self::Wiped
            | Self::WaitsForApproval { .. } => EXIT_NOT_ENROLLED,
            Self::Unreachable { .. } | Self::Untrusted { .. } | Self::Cut { .. } => {
                EXIT_UNREACHABLE
            }
            Self::Plain(_) => EXIT_USAGE,
            Self::Fingerprint { .. }
            | Self::AlreadyEnrolled { .. }
            | Self::StillWaiting { .. }
            | Self::Server { .. }
            | Self::Refused(_)
            | Self::Rejected(_)
            | Self::FileExists(_) => EXIT_REFUSED,
            Self::Write(export::ExportError::OneEntity | export::ExportError::NotThat { .. }) => {
                EXIT_USAGE
            }
            Self::NoHistory(inner) => inner.exit_code(),
            Self::Replica(error) => replica_exit_code(error),
            Self::File { .. }
            | Self::RowsDiffer(_)
            | Self::Unwell(_)
            | Self::BatchFailed { .. }
            | Self::Import(_)
            | Self::Own(_)
            | Self::Export(_)
            | Self::Write(_)
            | Self::Output(_) => EXIT_FAILED,
        }
    }

    /// A stable word for programs.
    pub(crate) fn code(&self) -> &str {
        match self {
            Self::NotInitialised(_) => "not_initialised",
            Self::NoHome => "no_home",
            Self::NotEnrolled => "not_enrolled",
            Self::AlreadyEnrolled { .. } => "already_enrolled",
            Self::StillWaiting { .. } => "still_waiting",
            Self::UnknownRecord(_) => "unknown_record",
            Self::AmbiguousRecord { .. } => "ambiguous_record",
            Self::BadReference(_) => "bad_reference",
            Self::UnknownEntity { .. } => "unknown_entity",
            Self::UnknownField { .. } => "unknown_field",
            Self::Usage(_) => "usage",
            Self::NoConflict { .. } => "no_conflict",
            Self::NoRefusal(_) => "no_refusal",
            Self::Unreachable { .. } => "unreachable",
            Self::Untrusted { .. } => "untrusted",
            Self::Fingerprint { .. } => "fingerprint",
            Self::Plain(_) => "plain_http",
            Self::Cut { .. } => "cut",
            Self::TokenRefused(_) => "token_refused",
            Self::Server { code, .. } | Self::Barred { code, .. } => code,
            Self::Wiped => "wiped",
            Self::WaitsForApproval { .. } => "enrolment_pending",
            Self::Refused(_) => "refused",
            Self::File { source, .. } if is_denied(source) => "denied",
            Self::File { .. } => "file",
            Self::Json { .. } => "bad_json",
            Self::RowsDiffer(_) => "rows_differ",
            Self::Unwell(_) => "unwell",
            Self::BatchFailed { .. } => "batch_failed",
            Self::Import(_) | Self::Own(_) => "import",
            Self::FileExists(_) => "file_exists",
            Self::Rejected(_) => "rejected",
            Self::Export(_) | Self::Write(_) => "export",
            Self::NoHistory(inner) => inner.code(),
            Self::Replica(error) => replica_code(error),
            Self::NothingToUndo => "nothing_to_undo",
            Self::OutputClosed => "output_closed",
            Self::Output(_) => "output",
        }
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "what is not named here has no code of its own")]
fn replica_exit_code(error: &ReplicaError) -> u8 {
    match error {
        ReplicaError::Edit(_)
        | ReplicaError::LiveWindow { .. }
        | ReplicaError::Store(StoreError::Query(_)) => EXIT_USAGE,
        ReplicaError::Wiped => EXIT_NOT_ENROLLED,
        ReplicaError::Exists(_)
        | ReplicaError::Locked { .. }
        | ReplicaError::OtherUser { .. }
        | ReplicaError::NotPermitted { .. }
        | ReplicaError::Erased(_)
        | ReplicaError::Tap(TapError::ChecklistLeft { .. })
        | ReplicaError::Copy(CopyError::Exists(_) | CopyError::Used(_) | CopyError::Plain(_)) => {
            EXIT_REFUSED
        }
        ReplicaError::Tap(_) | ReplicaError::Merge(MergeError::NoChoice { .. }) => EXIT_USAGE,
        ReplicaError::Merge(_) => EXIT_REFUSED,
        ReplicaError::NoTap(_) | ReplicaError::NoRefusal(_) => EXIT_NOT_FOUND,
        _ => EXIT_FAILED,
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "what is not named here has no code of its own")]
fn replica_code(error: &ReplicaError) -> &'static str {
    match error {
        ReplicaError::Edit(EditError::Value { .. }) => "bad_value",
        ReplicaError::Edit(EditError::Required(_)) => "required",
        ReplicaError::Edit(EditError::OfficeOwned(_)) => "office_owned",
        ReplicaError::Edit(EditError::WrittenOnce(_)) => "written_once",
        ReplicaError::Edit(_) => "bad_edit",
        ReplicaError::Exists(_) => "exists",
        ReplicaError::NotPermitted { code, .. } => code,
        ReplicaError::NoRefusal(_) => "no_refusal",
        ReplicaError::Erased(_) => "erased",
        ReplicaError::Merge(MergeError::Itself(_)) => "merge_itself",
        ReplicaError::Merge(MergeError::OtherEntity { .. }) => "wrong_entity",
        ReplicaError::Merge(MergeError::Already { .. }) => "merged_already",
        ReplicaError::Merge(MergeError::NotMerged(_)) => "not_merged",
        ReplicaError::Merge(_) => "bad_merge",
        ReplicaError::Tap(TapError::WrongEntity { .. }) => "wrong_entity",
        ReplicaError::Tap(TapError::ChecklistLeft { .. }) => "checklist_left",
        ReplicaError::Tap(TapError::Quantity(_)) => "bad_value",
        ReplicaError::NoTap(_) => "no_tap",
        ReplicaError::Locked { .. } => "locked",
        ReplicaError::Wiped => "wiped",
        ReplicaError::OtherUser { .. } => "other_user",
        ReplicaError::Key(_) => "device_key",
        ReplicaError::Copy(CopyError::Exists(_)) => "exists",
        ReplicaError::Copy(CopyError::Used(_)) => "used",
        ReplicaError::Copy(CopyError::Plain(_)) => "plain",
        ReplicaError::Copy(CopyError::NotACopy(_)) => "not_a_copy",
        ReplicaError::Copy(CopyError::Damaged { .. }) => "damaged",
        ReplicaError::Copy(CopyError::File { .. }) => "file",
        ReplicaError::LiveWindow { .. } => "live_window",
        ReplicaError::Store(StoreError::Query(_)) => "bad_query",
        ReplicaError::Store(StoreError::TooNew { .. }) => "too_new",
        ReplicaError::Store(StoreError::Damaged(_)) => "damaged",
        ReplicaError::BeingWiped(_) => "being_wiped",
        ReplicaError::Folder { source, .. } if is_denied(source) => "denied",
        ReplicaError::Store(error) => store_code(error),
        _ => "failed",
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "what is not named here has no code of its own")]
fn store_code(error: &StoreError) -> &'static str {
    match error {
        StoreError::Seal(SealError::Key(KeyStoreError::Locked { .. })) => "key_locked",
        StoreError::Seal(SealError::Key(KeyStoreError::Damaged { .. })) => "key_damaged",
        StoreError::Seal(SealError::Key(KeyStoreError::Failed { .. })) => "key_failed",
        StoreError::Seal(SealError::NoKey { .. }) => "key_missing",
        StoreError::Seal(SealError::WrongKey { .. }) => "key_wrong",
        StoreError::Seal(SealError::Corrupt { .. }) => "corrupt",
        StoreError::Seal(SealError::Sealed(_)) => "encrypted",
        StoreError::Seal(SealError::NoCipher) => "no_encryption",
        StoreError::InUse(_) => "in_use",
        StoreError::Denied { .. } => "denied",
        _ => "database",
    }
}

impl From<ReplicaError> for CliError {
    /// Gives the outcomes that people meet a text of their own.
    #[expect(clippy::wildcard_enum_match_arm, reason = "all others keep the text of the core")]
    fn from(error: ReplicaError) -> Self {
        match error {
            ReplicaError::UnknownRecord(record) => Self::UnknownRecord(record.to_string()),
            ReplicaError::UnknownEntity { name, .. } => near::unknown_entity(&name),
            ReplicaError::Edit(EditError::UnknownField { entity, field }) => {
                near::unknown_field(entity, field)
            }
            ReplicaError::NoConflict { record, key } => {
                Self::NoConflict { record: record.to_string(), key }
            }
            ReplicaError::NotEnrolled => Self::NotEnrolled,
            other => Self::Replica(other),
        }
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        Self::from(ReplicaError::from(error))
    }
}
