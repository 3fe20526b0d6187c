//! Which copy of the store this is, and with which key it signs.
//!
//! A database that is copied (a cloned phone) or put back (a backup) must not write under the
//! actors of the other copy. The token beside the database does not travel with it: if it is not
//! the one that the database expects, every document goes on under an actor that never wrote.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use p256::ecdsa::SigningKey;
use rand::{Rng, RngExt, rngs::StdRng};
use rusqlite::Connection;

use super::{Replica, ReplicaError, provisional_prefix};
use crate::{
    ids::{ActorId, from_hex, to_hex},
    keys::sync_folder,
    points,
    store::{StoreError, document, meta},
};

/// Reads the private key beside the database, or draws one and writes it there.
pub(super) fn load_or_create_key(path: &Path, rng: &mut StdRng) -> io::Result<SigningKey> {
    match fs::read_to_string(path) {
        Ok(text) => parse_key(&text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut bytes = [0_u8; 32];
            while SigningKey::from_slice(&bytes).is_err() {
                rng.fill_bytes(&mut bytes);
            }
            // Of two processes that open a new folder together one is first; both use its key.
            let draft = write_draft(path, &to_hex(&bytes), rng)?;
            points::reach("device.key.drafted");
            let linked = fs::hard_link(&draft, path);
            points::reach("device.key.linked");
            fs::remove_file(&draft)?;
            if let Err(error) = linked
                && error.kind() != io::ErrorKind::AlreadyExists
            {
                return Err(error);
            }
            // The server will know the device by this key: its name must outlast the power, too.
            sync_folder(path.parent().unwrap_or(Path::new(".")))?;
            parse_key(&fs::read_to_string(path)?)
        }
        Err(error) => Err(error),
    }
}

fn parse_key(text: &str) -> io::Result<SigningKey> {
    from_hex::<32>(text.trim())
        .and_then(|bytes| SigningKey::from_slice(&bytes).ok())
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not a device key"))
}

/// Writes a file that only its owner may read, synced, under a name that nobody else uses.
fn write_draft(path: &Path, text: &str, rng: &mut StdRng) -> io::Result<PathBuf> {
    use std::io::Write as _;
    let draft = path.with_extension(to_hex(&rng.random::<[u8; 8]>()));
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut file = options.open(&draft)?;
    if let Err(error) = file.write_all(text.as_bytes()).and_then(|()| file.sync_all()) {
        // On a full disk each attempt would leave another one.
        let _ = fs::remove_file(&draft);
        return Err(error);
    }
    Ok(draft)
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
    let folder_error = |source| ReplicaError::Folder { path: path.to_owned(), source };
    let draft = write_draft(path, &to_hex(&token), rng).map_err(folder_error)?;
    points::reach("device.instance.drafted");
    fs::rename(draft, path).map_err(folder_error)?;
    points::reach("device.instance.named");
    meta::set_instance(conn, token)?;
    meta::set_actor(conn, actor)?;
    document::forget_own(conn)?;
    if known.is_some() {
        meta::set_copy(conn, true)?;
    }
    Ok(actor)
}

impl Replica {
    /// Whether this store is a copy or was put back, and its owner was not told yet.
    pub(super) fn is_copy(&self) -> Result<bool, ReplicaError> {
        Ok(meta::is_copy(self.store.conn())?)
    }

    /// Its owner was told.
    pub(super) fn forget_copy(&mut self) -> Result<(), ReplicaError> {
        let tx = self.store.begin()?;
        meta::set_copy(&tx, false)?;
        Ok(tx.commit().map_err(StoreError::from)?)
    }
}
