//! Which copy of the store this is, and with which key it signs.
//!
//! A database that is copied (a cloned phone) or put back (a backup) must not write under the
//! actors of the other copy. The token beside the database does not travel with it: if it is not
//! the one that the database expects, every document goes on under an actor that never wrote.

use std::{fs, io, path::Path};

use p256::ecdsa::SigningKey;
use rand::{Rng, RngExt, rngs::StdRng};
use rusqlite::Connection;

use super::{ReplicaError, provisional_prefix};
use crate::{
    ids::{ActorId, from_hex, to_hex},
    store::{document, meta},
};

/// Reads the private key beside the database, or draws one and writes it there.
pub(super) fn load_or_create_key(path: &Path, rng: &mut StdRng) -> io::Result<SigningKey> {
    match fs::read_to_string(path) {
        Ok(text) => from_hex::<32>(text.trim())
            .and_then(|bytes| SigningKey::from_slice(&bytes).ok())
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not a device key")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut bytes = [0_u8; 32];
            let key = loop {
                rng.fill_bytes(&mut bytes);
                if let Ok(key) = SigningKey::from_slice(&bytes) {
                    break key;
                }
            };
            write_private(path, &to_hex(&bytes))?;
            Ok(key)
        }
        Err(error) => Err(error),
    }
}

/// Writes a file that only its owner may read, whole or not at all.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    use std::io::Write as _;
    let draft = path.with_extension("new");
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut file = options.open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(draft, path)
}

/// Compares the token of the database with the one beside it, and returns the actor under which
/// documents are begun: a new one when the two differ.
pub(super) fn recognise(
    conn: &Connection,
    path: &Path,
    rng: &mut StdRng,
) -> Result<ActorId, ReplicaError> {
    let beside = match fs::read_to_string(path) {
        Ok(text) => from_hex::<16>(text.trim()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(source) => return Err(ReplicaError::Folder { path: path.to_owned(), source }),
    };
    let expected = meta::instance(conn)?;
    let known = meta::actor(conn)?;
    if let (Some(beside), Some(expected), Some(actor)) = (beside, expected, known)
        && beside == expected
    {
        return Ok(actor);
    }
    let prefix = known.map_or_else(|| provisional_prefix(rng), |actor| actor.prefix());
    let actor = ActorId::new(prefix, rng.random());
    let token: [u8; 16] = rng.random();
    write_private(path, &to_hex(&token))
        .map_err(|source| ReplicaError::Folder { path: path.to_owned(), source })?;
    meta::set_instance(conn, token)?;
    meta::set_actor(conn, actor)?;
    document::forget_own(conn)?;
    Ok(actor)
}
