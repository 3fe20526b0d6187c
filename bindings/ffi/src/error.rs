//! Few errors, each one that a screen can act on, with a sentence for people in their language.

use std::{fmt, io};

use outrider_client::ClientError;
use outrider_core::{
    domain::{edit::EditError, merge::MergeError, taps::TapError},
    keys::KeyStoreError,
    replica::{ReplicaError, WipeError, copy::CopyError},
    schema::Language,
    store::{StoreError, seal::SealError},
    transfer::{ImportError, TargetError, export::ExportError, own::OwnError},
};

use crate::words;

/// Why a call did nothing. `reason` is a sentence for people, `code` a stable word for programs.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Error)]
#[uniffi::export(Display)]
pub enum CrmError {
    /// What was given does not fit: show the sentence beside the field.
    Invalid {
        /// A stable word.
        code: String,
        /// A sentence.
        reason: String,
        /// The field, if it is one field's matter.
        field: Option<String>,
    },
    /// The record, conflict, refusal or file is not here (any more): go back to the list.
    NotFound {
        /// A stable word.
        code: String,
        /// A sentence.
        reason: String,
    },
    /// The user may not do this: ask for approval, or leave it out.
    NotPermitted {
        /// A stable word.
        code: String,
        /// A sentence.
        reason: String,
        /// The fields that may not be written so.
        fields: Vec<String>,
    },
    /// It is there already, is another user's, or the office said no: nothing was changed.
    Refused {
        /// A stable word.
        code: String,
        /// A sentence.
        reason: String,
    },
    /// The device has no office yet: ask for a code.
    NotEnrolled {
        /// A stable word.
        code: String,
        /// A sentence.
        reason: String,
    },
    /// The office has not approved the device yet: show the fingerprint, try again later.
    WaitsForApproval {
        /// A stable word.
        code: String,
        /// A sentence.
        reason: String,
        /// What the office must see.
        fingerprint: String,
    },
    /// The office cannot be reached: everything else goes on, try again later.
    Offline {
        /// A stable word.
        code: String,
        /// A sentence.
        reason: String,
    },
    /// Who answers is not the office: do not go on in this network.
    Untrusted {
        /// A stable word.
        code: String,
        /// A sentence.
        reason: String,
    },
    /// The office turned this device or user away.
    Barred {
        /// A stable word.
        code: String,
        /// A sentence.
        reason: String,
        /// Changes that were sent for review before.
        sent: Option<u64>,
    },
    /// The office had this device wiped: begin anew with a code.
    Wiped {
        /// A stable word.
        code: String,
        /// A sentence.
        reason: String,
    },
    /// Locked, because the office was not reached for too long: sync.
    Locked {
        /// A stable word.
        code: String,
        /// A sentence.
        reason: String,
    },
    /// The key cannot be had now: unlock the phone and try again.
    KeyUnavailable {
        /// A stable word.
        code: String,
        /// A sentence.
        reason: String,
    },
    /// The key is not that of this store: nothing was changed.
    WrongKey {
        /// A stable word.
        code: String,
        /// A sentence.
        reason: String,
    },
    /// The disk is full: free some room and save again.
    StorageFull {
        /// A stable word.
        code: String,
        /// A sentence.
        reason: String,
    },
    /// Something on the disk is damaged: diagnose, sync.
    Damaged {
        /// A stable word.
        code: String,
        /// A sentence.
        reason: String,
    },
    /// Another program holds the store: try again.
    InUse {
        /// A stable word.
        code: String,
        /// A sentence.
        reason: String,
    },
    /// The replica is closed or locked: open it.
    Closed {
        /// A stable word.
        code: String,
        /// A sentence.
        reason: String,
    },
    /// The call was cancelled: what was done until then counts.
    Cancelled {
        /// A stable word.
        code: String,
        /// A sentence.
        reason: String,
    },
    /// More than may be: ask for less.
    TooMuch {
        /// A stable word.
        code: String,
        /// A sentence.
        reason: String,
    },
    /// The store is of a newer app: install that.
    OutOfDate {
        /// A stable word.
        code: String,
        /// A sentence.
        reason: String,
    },
    /// Anything else: show the sentence, offer a bundle for support.
    Failed {
        /// A stable word.
        code: String,
        /// A sentence.
        reason: String,
    },
}

impl std::error::Error for CrmError {}

impl fmt::Display for CrmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Invalid { reason, .. }
        | Self::NotFound { reason, .. }
        | Self::NotPermitted { reason, .. }
        | Self::Refused { reason, .. }
        | Self::NotEnrolled { reason, .. }
        | Self::WaitsForApproval { reason, .. }
        | Self::Offline { reason, .. }
        | Self::Untrusted { reason, .. }
        | Self::Barred { reason, .. }
        | Self::Wiped { reason, .. }
        | Self::Locked { reason, .. }
        | Self::KeyUnavailable { reason, .. }
        | Self::WrongKey { reason, .. }
        | Self::StorageFull { reason, .. }
        | Self::Damaged { reason, .. }
        | Self::InUse { reason, .. }
        | Self::Closed { reason, .. }
        | Self::Cancelled { reason, .. }
        | Self::TooMuch { reason, .. }
        | Self::OutOfDate { reason, .. }
        | Self::Failed { reason, .. }) = self;
        f.write_str(reason)
    }
}

/// Who is told, and of which entity the fields are that are named.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Teller<'a> {
    pub(crate) language: Language,
    pub(crate) entity: Option<&'a str>,
}

macro_rules! plain {
    ($($function:ident $variant:ident;)*) => {$(
        fn $function(self, code: &str, sentence: [&str; 2]) -> CrmError {
            CrmError::$variant { code: code.to_owned(), reason: self.say(sentence) }
        }
    )*};
}

impl Teller<'_> {
    plain! {
        not_found NotFound; refused Refused; not_enrolled NotEnrolled; offline Offline; untrusted Untrusted;
        wiped Wiped; key_unavailable KeyUnavailable; wrong_key WrongKey;
        storage_full StorageFull; damaged Damaged; in_use InUse; too_much TooMuch; out_of_date OutOfDate;
    }

    pub(crate) fn closed(self) -> CrmError {
        CrmError::Closed { code: "closed".to_owned(), reason: self.say(words::CLOSED) }
    }

    pub(crate) fn cancelled(self) -> CrmError {
        CrmError::Cancelled { code: "cancelled".to_owned(), reason: self.say(words::CANCELLED) }
    }

    /// Anything that has no word of its own; the cause is told as it is.
    pub(crate) fn failed(self, code: &str, cause: impl fmt::Display) -> CrmError {
        let reason = [&self.say(words::FAILED), cause.to_string().as_str()].concat();
        CrmError::Failed { code: code.to_owned(), reason }
    }

    fn say(self, sentence: [&str; 2]) -> String {
        words::say(sentence, self.language)
    }

    pub(crate) fn invalid(self, code: &str, sentence: [&str; 2]) -> CrmError {
        CrmError::Invalid { code: code.to_owned(), reason: self.say(sentence), field: None }
    }

    fn field(self, code: &str, field: &str, sentence: [String; 2]) -> CrmError {
        let label = words::label_of(self.entity, field, self.language);
        let [en, zh] = sentence;
        let reason = match self.language {
            Language::En => format!("{label}: {en}"),
            Language::Zh => format!("{label}：{zh}"),
        };
        CrmError::Invalid { code: code.to_owned(), reason, field: Some(field.to_owned()) }
    }

    pub(crate) fn replica(self, error: ReplicaError) -> CrmError {
        match error {
            ReplicaError::Folder { source, .. } => self.io(&source),
            ReplicaError::Store(error) => self.store(error),
            ReplicaError::UnknownEntity { .. } => {
                self.not_found("unknown_entity", words::NO_ENTITY)
            }
            ReplicaError::UnknownRecord(_) => self.not_found("unknown_record", words::NO_RECORD),
            ReplicaError::NoConflict { .. } => self.not_found("no_conflict", words::NO_CONFLICT),
            ReplicaError::NoTap(_) => self.not_found("no_tap", words::NO_TAP),
            ReplicaError::NoRefusal(_) => self.not_found("no_refusal", words::NO_REFUSAL),
            ReplicaError::Erased(_) => self.refused("erased", words::ERASED),
            ReplicaError::Exists(_) => self.refused("exists", words::EXISTS),
            ReplicaError::Edit(error) => self.edit(&error),
            ReplicaError::Tap(error) => self.tap(&error),
            ReplicaError::Merge(error) => self.merge(&error),
            ReplicaError::Text(error) => self.failed("bad_text", error),
            ReplicaError::Write(error) => self.failed("too_large", error),
            ReplicaError::GroupTooLarge { .. } => self.too_much("group_too_large", words::GROUP),
            ReplicaError::TooManyLive { .. } => self.too_much("too_many_live", words::LIVE),
            ReplicaError::LiveWindow { .. } => self.too_much("live_window", words::WINDOW),
            ReplicaError::Locked { days } => CrmError::Locked {
                code: "lease".to_owned(),
                reason: words::lease(days, self.language),
            },
            ReplicaError::Wiped | ReplicaError::BeingWiped(_) => self.wiped("wiped", words::WIPED),
            ReplicaError::OtherUser { .. } => self.refused("other_user", words::OTHER_USER),
            ReplicaError::Key(_) => self.key_unavailable("device_key", words::KEY),
            ReplicaError::NotPermitted { code, keys, .. } => CrmError::NotPermitted {
                code: code.to_owned(),
                reason: words::not_permitted(code, self.language),
                fields: keys,
            },
            ReplicaError::NotEnrolled => self.not_enrolled("not_enrolled", words::NOT_ENROLLED),
            ReplicaError::Copy(CopyError::File { source, .. }) => self.io(&source),
            ReplicaError::Copy(CopyError::Exists(_)) => {
                self.refused("file_exists", words::FILE_EXISTS)
            }
            ReplicaError::Copy(CopyError::Plain(_)) => self.refused("plain", words::PLAIN_COPY),
            ReplicaError::Copy(error) => self.failed("copy", error),
            // What a server sends: a broken connection, or a program that is not one of ours.
            ReplicaError::Answer(_) | ReplicaError::Protocol(_) => {
                self.offline("bad_answer", words::CUT)
            }
        }
    }

    fn store(self, error: StoreError) -> CrmError {
        if error.is_full() {
            return self.storage_full("disk_full", words::FULL);
        }
        match error {
            StoreError::Torn(_)
            | StoreError::DamagedDocument { .. }
            | StoreError::DamagedChange { .. }
            | StoreError::Damaged(_) => self.damaged("damaged", words::DAMAGED),
            StoreError::Denied { .. } => self.in_use("denied", words::DENIED),
            StoreError::InUse(_) => self.in_use("in_use", words::IN_USE),
            StoreError::Seal(error) => self.seal(error),
            StoreError::TooNew { .. } => self.out_of_date("too_new", words::TOO_NEW),
            StoreError::Query(cause) => {
                let reason = [&self.say(words::QUERY), cause.as_str()].concat();
                CrmError::Invalid { code: "bad_query".to_owned(), reason, field: None }
            }
            StoreError::Foreign(_) => self.refused("foreign", words::FOREIGN),
            error @ (StoreError::Database(_)
            | StoreError::Open { .. }
            | StoreError::OldSqlite(_)) => self.failed("database", error),
        }
    }

    fn seal(self, error: SealError) -> CrmError {
        match error {
            SealError::File { source, .. } => self.io(&source),
            SealError::Key(KeyStoreError::Locked { .. }) => {
                self.key_unavailable("key_locked", words::KEY)
            }
            SealError::Key(KeyStoreError::Damaged { .. }) => {
                self.wrong_key("key_damaged", words::KEY_DAMAGED)
            }
            SealError::Key(error @ KeyStoreError::Failed { .. }) => {
                self.failed("key_failed", error)
            }
            SealError::NoKey { .. } => self.wrong_key("key_missing", words::KEY_MISSING),
            SealError::WrongKey { .. } => self.wrong_key("key_wrong", words::KEY_WRONG),
            SealError::Sealed(_) => self.wrong_key("encrypted", words::KEY_MISSING),
            SealError::Corrupt { .. } => self.damaged("corrupt", words::DAMAGED),
            SealError::NoCipher => self.refused("no_encryption", words::NO_CIPHER),
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "all others are told as they are")]
    pub(crate) fn io(self, error: &io::Error) -> CrmError {
        if is_full(error) {
            return self.storage_full("disk_full", words::FULL);
        }
        match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                self.in_use("denied", words::DENIED)
            }
            io::ErrorKind::NotFound => self.not_found("no_file", words::NO_FILE),
            io::ErrorKind::AlreadyExists => self.refused("file_exists", words::FILE_EXISTS),
            _ => self.failed("file", error),
        }
    }

    fn edit(self, error: &EditError) -> CrmError {
        match error {
            EditError::Value { field, source } => {
                self.field(source.code(), field, words::bad_value(source))
            }
            EditError::UnknownField { field, .. } => {
                self.field("unknown_field", field, words::owned(words::UNKNOWN_FIELD))
            }
            EditError::Required(field) => {
                self.field("required", field, words::owned(words::REQUIRED))
            }
            EditError::OfficeOwned(field) | EditError::ByProgram { field, .. } => {
                self.field("office_owned", field, words::owned(words::OFFICE_OWNED))
            }
            EditError::WrittenOnce(field) => {
                self.field("written_once", field, words::owned(words::WRITTEN_ONCE))
            }
            EditError::UnknownRow { field, .. } => {
                self.field("unknown_row", field, words::owned(words::NO_ROW))
            }
            EditError::TooMany(field) => {
                self.field("too_many", field, words::owned(words::TOO_MANY))
            }
            EditError::Key { field, .. } | EditError::Shape { field, .. } => {
                self.field("bad_value", field, [error.to_string(), words::BAD_SHAPE.to_owned()])
            }
        }
    }

    fn tap(self, error: &TapError) -> CrmError {
        match error {
            TapError::WrongEntity { .. } => self.invalid("wrong_entity", words::WRONG_ENTITY),
            TapError::ChecklistLeft { .. } => self.invalid("checklist_left", words::CHECKLIST),
            TapError::Quantity(_) => self.invalid("bad_quantity", words::QUANTITY),
        }
    }

    fn merge(self, error: &MergeError) -> CrmError {
        match error {
            MergeError::Itself(_) | MergeError::OtherEntity { .. } => {
                self.invalid("bad_merge", words::BAD_MERGE)
            }
            MergeError::Already { .. } => self.invalid("merged_already", words::MERGED_ALREADY),
            MergeError::NotMerged(_) => self.invalid("not_merged", words::NOT_MERGED),
            MergeError::NoChoice { field, .. } => {
                self.field("no_choice", field, words::owned(words::NO_CHOICE))
            }
            MergeError::Note(error) => self.edit(error),
        }
    }

    pub(crate) fn client(self, error: ClientError) -> CrmError {
        match error {
            ClientError::NotEnrolled => self.not_enrolled("not_enrolled", words::NOT_ENROLLED),
            ClientError::AlreadyEnrolled { .. } => {
                self.refused("already_enrolled", words::ALREADY_ENROLLED)
            }
            ClientError::StillWaiting { .. } => self.refused("still_waiting", words::STILL_WAITING),
            ClientError::WaitsForApproval { fingerprint } => CrmError::WaitsForApproval {
                code: "enrolment_pending".to_owned(),
                reason: self.say(words::WAITS),
                fingerprint,
            },
            ClientError::Unreachable { .. } => self.offline("unreachable", words::OFFLINE),
            ClientError::Untrusted { .. } => self.untrusted("untrusted", words::UNTRUSTED),
            ClientError::Fingerprint { .. } => self.untrusted("fingerprint", words::FINGERPRINT),
            ClientError::FingerprintForm => {
                self.invalid("bad_fingerprint", words::FINGERPRINT_FORM)
            }
            ClientError::Authority => self.not_enrolled("authority", words::AUTHORITY),
            ClientError::Plain(_) => self.invalid("plain_http", words::PLAIN),
            ClientError::Address(_) => self.invalid("bad_address", words::ADDRESS),
            ClientError::TokenRefused(_) => {
                self.not_enrolled("token_refused", words::TOKEN_REFUSED)
            }
            ClientError::Barred { code, sent, .. } => {
                CrmError::Barred { reason: self.say(words::BARRED), code, sent }
            }
            ClientError::Wiped => self.wiped("wiped", words::WIPED),
            ClientError::Server { code, .. } if code.starts_with("code_") => {
                self.refused("code_refused", words::CODE_REFUSED)
            }
            ClientError::Server { status: 429 | 503, .. } => self.offline("busy", words::BUSY),
            ClientError::Server { code, message, .. } => {
                let reason = [&self.say(words::SERVER_SAYS), message.as_str()].concat();
                CrmError::Refused { code, reason }
            }
            ClientError::File { source, .. }
            | ClientError::Wipe(WipeError::File { source, .. }) => self.io(&source),
            ClientError::Json { .. } => self.offline("bad_answer", words::CUT),
            ClientError::Replica(error) => self.replica(error),
            ClientError::Wipe(error @ WipeError::Key { .. }) => self.failed("key_failed", error),
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "all others are told as they are")]
    pub(crate) fn import(self, error: ImportError) -> CrmError {
        match error {
            ImportError::Target(error) => self.target(error),
            ImportError::Read { source, .. } => self.io(&source),
            error => self.bad_file(error),
        }
    }

    pub(crate) fn target(self, error: TargetError) -> CrmError {
        match error {
            TargetError::Failed(error) => match error.downcast::<ReplicaError>() {
                Ok(error) => self.replica(*error),
                Err(error) => self.failed("import", error),
            },
            refused @ TargetError::Refused(_) => self.failed("import", refused),
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "all others are told as they are")]
    pub(crate) fn own_file(self, error: OwnError) -> CrmError {
        match error {
            OwnError::Replica(error) => self.replica(error),
            OwnError::Read { source, .. } => self.io(&source),
            error => self.bad_file(error),
        }
    }

    /// A file or a mapping that cannot be imported; what is wrong with it is told as it is.
    pub(crate) fn bad_file(self, cause: impl fmt::Display) -> CrmError {
        let reason = [&self.say(words::IMPORT), cause.to_string().as_str()].concat();
        CrmError::Invalid { code: "import".to_owned(), reason, field: None }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "all others are told as they are")]
    pub(crate) fn export(self, error: ExportError) -> CrmError {
        match error {
            ExportError::Io(error) => self.io(&error),
            error => self.failed("export", error),
        }
    }
}

/// Whether something failed because there is no room, however it is wrapped.
fn is_full(error: &io::Error) -> bool {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
        if matches!(kind, Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)) {
            return true;
        }
        next = error.source();
    }
    false
}
