//! Live queries: a list that says what became of it.
//!
//! [`Replica::live`] opens one, [`Replica::news`] tells of all of them what was removed, moved,
//! inserted and changed by everything that was committed since the last call, as one batch: own
//! edits, what a session brought, and what another process wrote into the same store. Nothing is
//! looked at while nothing was written, and nothing of an entity that nobody wrote.
//!
//! The host asks when it likes; [`Signal`] wakes it when this replica has written. Of another
//! process there is no word: ask from time to time, it costs one number.

mod diff;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::Duration,
};

use serde::Serialize;
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};

use super::{Page, Replica, ReplicaError};
use crate::{
    ids::RecordId,
    schema::Entity,
    store::{
        query::{self, IdPage, Query},
        watch::{self, Touched},
    },
};

pub use diff::{Diff, Placed};
use diff::{Fresh, Print, between};

/// Live queries that are open at once, at most.
pub const LIVE_MAX: usize = 64;
/// Records in the window of a live query, at most.
pub const LIVE_WINDOW_MAX: usize = 500;

/// Names an open live query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct LiveId(u64);

/// The open live queries of a replica.
#[derive(Debug, Default)]
pub(super) struct Live {
    open: BTreeMap<LiveId, Open>,
    last_id: u64,
    /// SQLite's counter of other connections' writes when news were last told.
    data_version: i64,
}

#[derive(Debug)]
struct Open {
    entity: &'static Entity,
    query: Query,
    window: Vec<(RecordId, Print)>,
    next: Option<String>,
}

/// A list as it is now, and where the page after it begins.
type Looked = (Vec<Fresh>, Option<String>);

/// Which records may be others than before.
enum Suspects<'a> {
    All,
    These(&'a BTreeSet<RecordId>),
}

impl Replica {
    /// Opens a live query: its first page, and the name under which [`Self::news`] tells what
    /// becomes of it. The window is the query's limit, at most [`LIVE_WINDOW_MAX`].
    ///
    /// # Errors
    ///
    /// Returns [`ReplicaError`] when [`LIVE_MAX`] are open, the window is too large, or the query
    /// does not fit the entity.
    pub fn live(&mut self, entity: &str, query: Query) -> Result<(LiveId, Page), ReplicaError> {
        if self.live.open.len() >= LIVE_MAX {
            return Err(ReplicaError::TooManyLive { max: LIVE_MAX });
        }
        if query.limit > LIVE_WINDOW_MAX {
            return Err(ReplicaError::LiveWindow { max: LIVE_WINDOW_MAX });
        }
        let entity = self.entity(entity)?;
        let conn = self.conn()?;
        if self.live.open.is_empty() {
            watch::begin(conn)?;
        }
        let open = || {
            watch::snapshot(conn, |conn| {
                let version = watch::data_version(conn)?;
                let page = query::list(conn, entity, &query)?;
                Ok::<_, ReplicaError>((
                    version,
                    self.fresh(&[], page.ids, &Suspects::All)?,
                    page.next,
                ))
            })
        };
        let (version, fresh, next) = match open() {
            Ok(opened) => opened,
            Err(error) => {
                if self.live.open.is_empty() {
                    watch::end(conn)?;
                }
                return Err(error);
            }
        };
        let window = fresh.iter().map(|fresh| (fresh.id, fresh.print)).collect();
        let records = fresh.into_iter().filter_map(|fresh| fresh.json).collect();
        let page = Page { records, next: next.clone() };
        if self.live.open.is_empty() {
            self.live.data_version = version;
        }
        self.live.last_id += 1;
        let id = LiveId(self.live.last_id);
        self.live.open.insert(id, Open { entity, query, window, next });
        Ok((id, page))
    }

    /// Closes a live query; returns whether it was open.
    ///
    /// # Errors
    ///
    /// Fails when the store does.
    pub fn close_live(&mut self, id: LiveId) -> Result<bool, ReplicaError> {
        let was_open = self.live.open.remove(&id).is_some();
        if was_open && self.live.open.is_empty() {
            watch::end(self.store.conn())?;
        }
        Ok(was_open)
    }

    /// What became of the open live queries since the last call, in order of their opening; those
    /// of which nothing changed are left out.
    ///
    /// # Errors
    ///
    /// Fails when the store does; the next call tells everything then.
    pub fn news(&mut self) -> Result<Vec<(LiveId, Diff)>, ReplicaError> {
        if self.live.open.is_empty() {
            return Ok(Vec::new());
        }
        let (version, told) = watch::snapshot(self.conn()?, |conn| {
            let version = watch::data_version(conn)?;
            let touched = watch::take(conn)?;
            let is_foreign = version != self.live.data_version;
            let mut told = Vec::new();
            for (id, open) in &self.live.open {
                if let Some((fresh, next)) = self.look(open, is_foreign, &touched)? {
                    told.push((*id, fresh, next));
                }
            }
            Ok::<_, ReplicaError>((version, told))
        })?;
        self.live.data_version = version;
        let mut news = Vec::new();
        for (id, fresh, next) in told {
            let Some(open) = self.live.open.get_mut(&id) else { continue };
            let window = fresh.iter().map(|fresh| (fresh.id, fresh.print)).collect();
            let diff = Diff { next: next.clone(), ..between(&open.window, fresh) };
            if !diff.is_empty() || next != open.next {
                news.push((id, diff));
            }
            open.window = window;
            open.next = next;
        }
        Ok(news)
    }

    /// The list as it is now, if anything of its entity was written.
    fn look(
        &self,
        open: &Open,
        is_foreign: bool,
        touched: &Touched,
    ) -> Result<Option<Looked>, ReplicaError> {
        let suspects = match touched.get(&open.entity.name) {
            _ if is_foreign => Suspects::All,
            Some(records) => Suspects::These(records),
            None => return Ok(None),
        };
        let IdPage { ids, next } = query::list(self.conn()?, open.entity, &open.query)?;
        Ok(Some((self.fresh(&open.window, ids, &suspects)?, next)))
    }

    fn fresh(
        &self,
        old: &[(RecordId, Print)],
        ids: Vec<RecordId>,
        suspects: &Suspects<'_>,
    ) -> Result<Vec<Fresh>, ReplicaError> {
        let known: BTreeMap<RecordId, Print> = old.iter().copied().collect();
        let mut fresh = Vec::with_capacity(ids.len());
        for id in ids {
            let is_suspect = match suspects {
                Suspects::All => true,
                Suspects::These(records) => records.contains(&id),
            };
            match known.get(&id) {
                Some(print) if !is_suspect => fresh.push(Fresh { id, print: *print, json: None }),
                Some(_) | None => {
                    let Some(json) = self.get_listed(id)? else { continue };
                    fresh.push(Fresh { id, print: print_of(&json), json: Some(json) });
                }
            }
        }
        Ok(fresh)
    }

    /// What tells a host, in any thread, that this replica has written.
    #[must_use]
    pub fn signal(&self) -> Signal {
        self.signal.clone()
    }
}

/// Objects keep their members in order, so equal records have equal texts.
fn print_of(json: &Json) -> Print {
    let hash = Sha256::digest(json.to_string().as_bytes());
    let mut print = Print::default();
    for (to, from) in print.iter_mut().zip(hash) {
        *to = from;
    }
    print
}

/// Counts what a replica commits, and wakes who waits for it.
#[derive(Debug, Clone, Default)]
pub struct Signal(Arc<(Mutex<u64>, Condvar)>);

impl Signal {
    /// How many transactions this replica has committed since it was opened.
    #[must_use]
    pub fn count(&self) -> u64 {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until more than `seen` were committed, at most `timeout`; returns how many were.
    #[must_use]
    pub fn wait(&self, seen: u64, timeout: Duration) -> u64 {
        let (count, changed) = &*self.0;
        let guard = count.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = changed.wait_timeout_while(guard, timeout, |count| *count <= seen);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    pub(super) fn ring(&self) {
        let (count, changed) = &*self.0;
        *count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        changed.notify_all();
    }
}
