//! What must hold on this side of the border, for all entities and both languages; the other side is tried in
//! each language.

mod cancel;
mod live;
mod records;
mod reports;
mod words;

use std::sync::Arc;

use outrider_core::ids::RecordId;
use serde_json::{Map, Value as Json};

use crate::{Replica, records::CrmChanges, values::Scalar};

/// A change made of a field's name and JSON, for tests of all fields.
pub(crate) trait Typed: Sized {
    fn typed(name: &str, json: &Json) -> Option<Self>;
}

pub(crate) fn one<T: Scalar>(json: &Json) -> Option<T> {
    T::from_json(json)
}

pub(crate) fn all<T: Scalar>(json: &Json) -> Vec<T> {
    json.as_array().unwrap().iter().map(|one| T::from_json(one).unwrap()).collect()
}

/// Rows, each by its cells; ids of rows are drawn.
pub(crate) fn cells<T: Typed>(json: &Json) -> Vec<Vec<T>> {
    json.as_array().unwrap().iter().map(|row| changes(row.as_object().unwrap())).collect()
}

pub(crate) fn changes<T: Typed>(fields: &Map<String, Json>) -> Vec<T> {
    let of = |(name, json): (&String, &Json)| {
        T::typed(name, json).unwrap_or_else(|| panic!("{name} = {json} has no typed change"))
    };
    fields.iter().filter(|(name, _)| *name != "id").map(of).collect()
}

/// A replica in a folder that goes with it.
pub(crate) fn open() -> (tempfile::TempDir, Arc<Replica>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_string_lossy().into_owned();
    let replica = Replica::open(path, Some(crate::replica::Language::English), plain()).unwrap();
    (folder, replica)
}

/// Where this build encrypts, a key in memory.
pub(crate) fn plain() -> Option<crate::platform::Platform> {
    if !cfg!(any(feature = "sqlcipher", feature = "sqlcipher-system")) {
        return None;
    }
    Some(crate::platform::Platform {
        secrets: Some(Arc::new(Memory::default())),
        ..Default::default()
    })
}

#[derive(Default)]
struct Memory(std::sync::Mutex<Option<Vec<u8>>>);

impl crate::platform::SecretStore for Memory {
    fn load(&self) -> Result<Option<Vec<u8>>, crate::platform::PlatformError> {
        Ok(self.0.lock().unwrap().clone())
    }

    fn keep(&self, secret: Vec<u8>) -> Result<Vec<u8>, crate::platform::PlatformError> {
        Ok(self.0.lock().unwrap().get_or_insert(secret).clone())
    }

    fn erase(&self) -> Result<bool, crate::platform::PlatformError> {
        Ok(self.0.lock().unwrap().take().is_some())
    }
}

/// A customer of that name.
pub(crate) fn customer(replica: &Replica, name: &str) -> RecordId {
    use crate::records::CustomerChange;
    let name = CustomerChange::CompanyName(Some(name.to_owned()));
    replica.create(CrmChanges::Customer(vec![name])).unwrap()
}
