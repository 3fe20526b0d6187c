//! What can go wrong between a device and its server.

use std::{io, path::PathBuf};

use outrider_core::replica::{ReplicaError, WipeError};

/// Why a device did not get what it asked for. Each front end has its own words for people.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The device is not enrolled.
    #[error("this device is not enrolled")]
    NotEnrolled,
    /// The device has a server.
    #[error("this device is {user}'s at {url} already")]
    AlreadyEnrolled {
        /// Where.
        url: String,
        /// Whose.
        user: String,
    },
    /// Changes wait for the server that the device has.
    #[error("{waiting} changes wait for {url}")]
    StillWaiting {
        /// How many.
        waiting: u64,
        /// For which server.
        url: String,
    },
    /// The office has not approved the device yet.
    #[error("the office has not approved this device yet ({fingerprint})")]
    WaitsForApproval {
        /// What the office sees of its key.
        fingerprint: String,
    },
    /// Nobody answers.
    #[error("{url} cannot be reached: {cause}")]
    Unreachable {
        /// Which server.
        url: String,
        /// What happened.
        cause: String,
    },
    /// Who answers cannot prove to be the server.
    #[error("what answers at {url} cannot prove to be the office: {cause}")]
    Untrusted {
        /// Which server.
        url: String,
        /// What is wrong with it.
        cause: String,
    },
    /// The authority is another one than the office said.
    #[error("the authority of {url} has the fingerprint {found}, and not {expected}")]
    Fingerprint {
        /// Which server.
        url: String,
        /// Its fingerprint.
        found: String,
        /// What was typed.
        expected: String,
    },
    /// A fingerprint that is none.
    #[error("a fingerprint has 64 digits, 0 to 9 and a to f; copy it from beside the code")]
    FingerprintForm,
    /// The authority that an enrolment keeps cannot be read.
    #[error("the stored authority of the server cannot be read")]
    Authority,
    /// Everybody on the way could read along.
    #[error("{0} is plain HTTP, and everybody on the way could read along")]
    Plain(String),
    /// No address.
    #[error("`{0}` is no address of a server; write https://…")]
    Address(String),
    /// The token is no longer good.
    #[error("the server does not know this device any more ({0})")]
    TokenRefused(String),
    /// The office turned the device away.
    #[error("the office turned this device away ({code})")]
    Barred {
        /// A stable word.
        code: String,
        /// What the server said.
        message: String,
        /// How many changes were sent for review, if they were.
        sent: Option<u64>,
    },
    /// The office had the device wiped.
    #[error("the office ordered this device to be wiped")]
    Wiped,
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
    /// A file cannot be used.
    #[error("cannot use {path}: {source}")]
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
    /// The replica failed.
    #[error(transparent)]
    Replica(#[from] ReplicaError),
    /// A wipe did not come to its end.
    #[error(transparent)]
    Wipe(#[from] WipeError),
}
