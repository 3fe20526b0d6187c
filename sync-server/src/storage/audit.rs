//! The audit as it is kept: a chain of lines, signed heads, and the anchor where old lines ended.
//!
//! # The chain
//!
//! Lines are numbered from 1 without gaps. The hash of a line is
//!
//! ```text
//! SHA-256( "outrider audit 1\n" | hash of the line before | number | at | fields )
//! ```
//!
//! with number and time as 8 bytes, the first one highest. The fields are device, account, action,
//! record, part, hash, subject, count, code, in this order; each is one byte 0 if it is not there,
//! else one byte 1, its length in 4 bytes, and its bytes: ids as 16 bytes, a count as 8, texts in
//! UTF-8. Before line 1 stand 32 zeros; after old lines were taken away, the hash of the last one
//! of them, which the [`AuditAnchor`] keeps.
//!
//! A line is written in the transaction of what it tells. It holds ids, hashes, counts and codes,
//! and nothing that people typed.

use outrider_core::{
    ids::{ChangeHash, DeviceId, DocumentId},
    sync::head::AuditHead,
    time::TimestampMs,
};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::StorageError;

/// Separates these hashes from all others, and says which form the bytes have.
const DOMAIN: &[u8] = b"outrider audit 1\n";
/// Lines that a page of the audit is looked for in, at most: then it says how far it came.
pub const AUDIT_SCAN_MAX: u64 = 100_000;

/// The hash of a line, and of everything before it.
pub type AuditHash = [u8; 32];

/// A line on its way into the audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditLine {
    /// When.
    pub at: TimestampMs,
    /// Which device did it, if one did.
    pub device: Option<DeviceId>,
    /// Which account did it, if one did.
    pub account: Option<Uuid>,
    /// What happened: `applied`, `refused`, `signed_in`, `record_read`, ….
    pub action: &'static str,
    /// To which document.
    pub document: Option<DocumentId>,
    /// Which change; or what is told apart without being named.
    pub hash: Option<ChangeHash>,
    /// To which account, device or user it was done.
    pub subject: Option<Uuid>,
    /// How many records it was about.
    pub count: Option<u64>,
    /// What kind: the code of a refusal, an entity, a format.
    pub code: String,
}

impl AuditLine {
    /// A line that says when and what.
    #[must_use]
    pub fn new(at: TimestampMs, action: &'static str) -> Self {
        Self {
            at,
            device: None,
            account: None,
            action,
            document: None,
            hash: None,
            subject: None,
            count: None,
            code: String::new(),
        }
    }

    /// The line with who did it: a device.
    #[must_use]
    pub fn device(self, device: impl Into<Option<DeviceId>>) -> Self {
        Self { device: device.into(), ..self }
    }

    /// The line with who did it: an account.
    #[must_use]
    pub fn account(self, account: impl Into<Option<Uuid>>) -> Self {
        Self { account: account.into(), ..self }
    }

    /// The line with what it was done to.
    #[must_use]
    pub fn document(self, document: impl Into<Option<DocumentId>>) -> Self {
        Self { document: document.into(), ..self }
    }

    /// The line with a change.
    #[must_use]
    pub fn hash(self, hash: impl Into<Option<ChangeHash>>) -> Self {
        Self { hash: hash.into(), ..self }
    }

    /// The line with whom it was done to.
    #[must_use]
    pub fn subject(self, subject: impl Into<Option<Uuid>>) -> Self {
        Self { subject: subject.into(), ..self }
    }

    /// The line with a number of records.
    #[must_use]
    pub fn count(self, count: impl Into<Option<u64>>) -> Self {
        Self { count: count.into(), ..self }
    }

    /// The line with a code.
    #[must_use]
    pub fn code(self, code: impl Into<String>) -> Self {
        Self { code: code.into(), ..self }
    }
}

/// A line as it is stored; whoever changed the file may have put anything there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StoredAuditLine {
    /// Its number.
    pub number: u64,
    /// The hash that is stored with it.
    pub chain: Vec<u8>,
    /// When.
    pub at: TimestampMs,
    /// Which device.
    pub device: Option<Vec<u8>>,
    /// Which account.
    pub account: Option<Vec<u8>>,
    /// What happened.
    pub action: String,
    /// To which record.
    pub record: Option<Vec<u8>>,
    /// To which part.
    pub part: Option<String>,
    /// Which change.
    pub hash: Option<Vec<u8>>,
    /// To whom.
    pub subject: Option<Vec<u8>>,
    /// How many.
    pub count: Option<u64>,
    /// What kind.
    pub code: String,
}

impl StoredAuditLine {
    /// A line as it is going to be stored under a number, its hash still empty.
    #[must_use]
    pub fn new(number: u64, line: &AuditLine) -> Self {
        let id = |id: Uuid| id.as_bytes().to_vec();
        Self {
            number,
            chain: Vec::new(),
            at: line.at,
            device: line.device.map(|device| id(device.0)),
            account: line.account.map(id),
            action: line.action.to_owned(),
            record: line.document.as_ref().map(|id| id.record.as_bytes().to_vec()),
            part: line.document.as_ref().map(|id| id.part.as_str().to_owned()),
            hash: line.hash.map(|hash| hash.0.to_vec()),
            subject: line.subject.map(id),
            count: line.count,
            code: line.code.clone(),
        }
    }

    /// The hash of the line, if that of the line before is `previous`.
    #[must_use]
    pub fn link(&self, previous: &AuditHash) -> AuditHash {
        let mut hash = Sha256::new();
        hash.update(DOMAIN);
        hash.update(previous);
        hash.update(self.number.to_be_bytes());
        hash.update(self.at.to_be_bytes());
        let count = self.count.map(u64::to_be_bytes);
        let fields: [Option<&[u8]>; 9] = [
            self.device.as_deref(),
            self.account.as_deref(),
            Some(self.action.as_bytes()),
            self.record.as_deref(),
            self.part.as_deref().map(str::as_bytes),
            self.hash.as_deref(),
            self.subject.as_deref(),
            count.as_ref().map(<[u8; 8]>::as_slice),
            Some(self.code.as_bytes()),
        ];
        for field in fields {
            match field {
                None => hash.update([0]),
                Some(bytes) => {
                    hash.update([1]);
                    // Longer texts than that the database does not take.
                    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
                    hash.update(length.to_be_bytes());
                    hash.update(bytes);
                }
            }
        }
        hash.finalize().into()
    }
}

/// Where the chain ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AuditTip {
    /// The number of the last line; 0 if there never was one.
    pub number: u64,
    /// Its hash; zeros if there never was one.
    pub hash: AuditHash,
}

/// Where old lines were taken away: the chain goes on from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditAnchor {
    /// The number of the last line that is gone.
    pub number: u64,
    /// Its hash.
    pub hash: AuditHash,
    /// When lines were taken away.
    pub at: TimestampMs,
    /// The server's signature over the anchor.
    pub signature: Vec<u8>,
}

/// Which lines a page of the audit is to show. What is `None` does not count.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditFilter {
    /// Done by, or to, devices and accounts of a user of this name, or the account of this login.
    pub user: Option<String>,
    /// Done by, or to, a device or account of this id.
    pub who: Option<Uuid>,
    /// About this record.
    pub record: Option<Uuid>,
    /// Of this action.
    pub action: Option<String>,
    /// Lines before this number.
    pub before: Option<u64>,
    /// Lines, at most.
    pub limit: usize,
}

/// A page of the audit, the newest line first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditPage {
    /// The lines.
    pub lines: Vec<StoredAuditLine>,
    /// Where to go on, if older lines are there: as [`AuditFilter::before`].
    pub next: Option<u64>,
}

/// Looking at the audit.
#[expect(clippy::missing_errors_doc, reason = "as all methods of `Read`: said there")]
pub trait ReadAudit {
    /// Where the chain ends.
    fn audit_tip(&self) -> Result<AuditTip, StorageError>;
    /// The hash of a line that is there, or that was the last one taken away.
    fn audit_hash(&self, number: u64) -> Result<Option<AuditHash>, StorageError>;
    /// Where old lines ended, if any were taken away.
    fn audit_anchor(&self) -> Result<Option<AuditAnchor>, StorageError>;
    /// The number of the last line before the first one that was written at `at` or later.
    fn audit_number_before(&self, at: TimestampMs) -> Result<u64, StorageError>;
    /// Heads after a number, ascending, at most `limit`.
    fn audit_heads(&self, after: u64, limit: usize) -> Result<Vec<AuditHead>, StorageError>;
    /// The head of the highest number.
    fn audit_head(&self) -> Result<Option<AuditHead>, StorageError>;
    /// Lines after a number, ascending, at most `limit`.
    fn audit_lines(&self, after: u64, limit: usize) -> Result<Vec<StoredAuditLine>, StorageError>;
    /// A page for people; looks through [`AUDIT_SCAN_MAX`] lines, at most.
    fn audit_page(&self, filter: &AuditFilter) -> Result<AuditPage, StorageError>;
}

/// Changing what belongs to the audit beside its lines.
#[expect(clippy::missing_errors_doc, reason = "as all methods of `Write`: said there")]
pub trait WriteAudit {
    /// Keeps a head; the first one of a number stays.
    fn add_audit_head(&mut self, head: &AuditHead) -> Result<(), StorageError>;
    /// Takes the lines up to the anchor's away, and the heads before it.
    fn prune_audit(&mut self, anchor: &AuditAnchor) -> Result<(), StorageError>;
}

#[cfg(test)]
mod tests {
    use outrider_core::ids::to_hex;

    use super::*;

    #[test]
    fn every_field_goes_into_the_hash() {
        let line = StoredAuditLine {
            number: 1,
            at: 2,
            device: Some(vec![1; 16]),
            account: Some(vec![2; 16]),
            action: "applied".to_owned(),
            record: Some(vec![3; 16]),
            part: Some("main".to_owned()),
            hash: Some(vec![4; 32]),
            subject: Some(vec![5; 16]),
            count: Some(6),
            code: "x".to_owned(),
            chain: Vec::new(),
        };
        let other = |change: fn(&mut StoredAuditLine)| {
            let mut line = line.clone();
            change(&mut line);
            line.link(&[0; 32])
        };
        let changed = [
            other(|line| line.number = 2),
            other(|line| line.at = 3),
            other(|line| line.device = None),
            other(|line| line.account = Some(vec![9; 16])),
            other(|line| line.action = "applies".to_owned()),
            other(|line| line.record = None),
            other(|line| line.part = None),
            other(|line| line.hash = None),
            other(|line| line.subject = None),
            other(|line| line.count = None),
            other(|line| line.code = String::new()),
            // What moves from one field to the next.
            other(|line| (line.device, line.account) = (line.account.take(), line.device.take())),
            line.link(&[1; 32]),
        ];
        let all: std::collections::BTreeSet<_> =
            changed.into_iter().chain([line.link(&[0; 32])]).collect();
        assert_eq!(all.len(), 14, "each gives another hash");
    }

    /// The canonical form is a promise to whoever checks an old audit.
    #[test]
    fn the_form_stays() {
        let line = AuditLine::new(1_700_000_000_000, "signed_in").account(Uuid::from_u128(7));
        let hash = StoredAuditLine::new(1, &line).link(&[0; 32]);
        assert_eq!(
            to_hex(&hash),
            "531ccf7567ac8bb65570d935214fddd672483e4bbd74a85d31c05bc74d7ffcba"
        );
    }
}
