//! Checking the audit: every line, every head, and heads that devices remembered.

use outrider_core::sync::{head::AuditHead, sign::is_document_signed};
use serde::Serialize;

use super::{
    heads::{Misfit, check_head},
    prune::ANCHOR_KIND,
};
use crate::storage::{Read, StorageError, audit::AuditAnchor};

/// Lines that are read at once.
const PAGE: usize = 1_000;
/// Problems that are told, at most: after the first one of the chain the rest follows from it.
pub const PROBLEMS_MAX: usize = 100;

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// What: `line_missing`, `line_changed`, `anchor_signature`, `head_…`, `device_head_…`.
    pub code: String,
    /// At which line.
    pub number: u64,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether all is well.
    pub ok: bool,
    /// Lines that were checked.
    pub lines: u64,
    /// The number of the first line that is kept.
    pub first: u64,
    /// The number of the last line.
    pub last: u64,
    /// The server's own heads that were checked.
    pub heads: u64,
    /// Heads of devices that were checked.
    pub device_heads: u64,
    /// Heads that are older than what is kept: only their signature was checked.
    pub older_heads: u64,
    /// What is wrong, in order.
    pub problems: Vec<Problem>,
}

impl Report {
    fn add(&mut self, code: impl Into<String>, number: u64) {
        self.ok = false;
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(Problem { code: code.into(), number });
        }
    }
}

/// Checks everything. `devices` are heads that devices remembered.
///
/// # Errors
///
/// [`StorageError`] when the storage cannot be read at all.
pub fn verify(
    read: &dyn Read,
    public_key: &[u8],
    devices: &[AuditHead],
) -> Result<Report, StorageError> {
    let anchor = read.audit_anchor()?;
    let (mut number, mut hash) = anchor.as_ref().map_or((0, [0; 32]), |a| (a.number, a.hash));
    let mut report = Report {
        ok: true,
        lines: 0,
        first: number + 1,
        last: number,
        heads: 0,
        device_heads: 0,
        older_heads: 0,
        problems: Vec::new(),
    };
    if let Some(anchor) = &anchor {
        let bytes = AuditAnchor::signed_bytes(anchor.number, &anchor.hash, anchor.at);
        if !is_document_signed(public_key, ANCHOR_KIND, &bytes, &anchor.signature) {
            report.add("anchor_signature", anchor.number);
        }
    }
    // From 0: lines that somebody put before the anchor are found too.
    let mut after = 0;
    loop {
        let page = read.audit_lines(after, PAGE)?;
        let Some(last) = page.last() else { break };
        after = last.number;
        for line in page {
            report.lines += 1;
            if line.number != number + 1 {
                report.add("line_missing", number + 1);
            }
            // What follows is checked against what is stored: one broken line is told once.
            if line.link(&hash).as_slice() != line.chain.as_slice() {
                report.add("line_changed", line.number);
            }
            number = line.number;
            hash = line.chain.try_into().unwrap_or_default();
        }
    }
    report.last = number;
    let mut after = 0;
    loop {
        let page = read.audit_heads(after, PAGE)?;
        let Some(last) = page.last() else { break };
        after = last.number;
        for head in page {
            report.heads += 1;
            note(read, public_key, &head, "head", &mut report)?;
        }
    }
    for head in devices {
        report.device_heads += 1;
        note(read, public_key, head, "device_head", &mut report)?;
    }
    Ok(report)
}

fn note(
    read: &dyn Read,
    public_key: &[u8],
    head: &AuditHead,
    whose: &str,
    report: &mut Report,
) -> Result<(), StorageError> {
    report.older_heads += u64::from(head.number + 1 < report.first);
    if let Some(misfit) = check_head(read, head, public_key)? {
        let what = match misfit {
            Misfit::Signature => "signature",
            Misfit::Cut => "beyond_the_end",
            Misfit::Hash => "differs",
            Misfit::Missing => "line_missing",
        };
        report.add(format!("{whose}_{what}"), head.number);
    }
    Ok(())
}
