//! Lists that stay up to date: what became of them is told in batches.
//!
//! One thread looks, as soon as this replica has written and now and then at what others wrote into the same
//! records; [`Mail`] carries what it finds to the listeners, with no lock held.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    thread,
    time::Duration,
};

use outrider_core::{
    replica::{self as core, Diff, LiveId, ReplicaError},
    schema::Language,
    store::query::Query,
};

use crate::{
    error::{CrmError, Teller},
    listen::Mail,
    platform::PlatformError,
    query::{ListPage, ListQuery, page_of},
    records::{CrmRecord, record_of},
    replica::Replica,
};

/// How often is looked for what others wrote: a sync, another process.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// What is written within this comes as one batch.
const BATCH: Duration = Duration::from_millis(10);

/// A record that takes its place in a list.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct PlacedRecord {
    /// Its place in the new list.
    pub index: u32,
    /// The record.
    pub record: CrmRecord,
}

/// A record that changes its place: taken out, then put in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct Move {
    /// Where it is taken out.
    pub taken: u32,
    /// Where it is put in, once it is out.
    pub put: u32,
}

/// What makes the old list the new one, in this order: `is_reset`, `removed`, `moved`, `inserted`, `changed`.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct ListChange {
    /// Whether the list begins anew: too much happened while nobody listened.
    pub is_reset: bool,
    /// Places in the old list, the last one first.
    pub removed: Vec<u32>,
    /// One after the other.
    pub moved: Vec<Move>,
    /// In order of their places.
    pub inserted: Vec<PlacedRecord>,
    /// Replace what is there.
    pub changed: Vec<PlacedRecord>,
    /// Where the page after the list begins now, if there is more.
    pub next: Option<String>,
}

/// Hears what becomes of a list. Calls come one at a time, never on the main thread, and hold up nobody but
/// this listener; they may call the replica.
#[uniffi::export(foreign)]
pub trait ListListener: Send + Sync {
    /// The list changed.
    ///
    /// # Errors
    ///
    /// Nothing follows from a failure.
    fn on_change(&self, change: ListChange) -> Result<(), PlatformError>;

    /// The list cannot be kept up to date now, and goes on when it can; after [`CrmError::Closed`] nothing more
    /// comes, because the replica was locked, wiped or dropped.
    ///
    /// # Errors
    ///
    /// Nothing follows from a failure.
    fn on_error(&self, error: CrmError) -> Result<(), PlatformError>;
}

/// A list that is watched until it is ended.
#[derive(uniffi::Object)]
pub struct LiveList {
    feed: Weak<Inner>,
    number: u64,
    first: ListPage,
}

impl fmt::Debug for LiveList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveList").field("number", &self.number).finish_non_exhaustive()
    }
}

#[uniffi::export]
impl LiveList {
    /// The list as it was when it was opened: what the first change begins with.
    ///
    /// # Errors
    ///
    /// None so far.
    pub fn first(&self) -> Result<ListPage, CrmError> {
        Ok(self.first.clone())
    }

    /// Ends it: nothing more is told. A call that runs comes to its end.
    ///
    /// # Errors
    ///
    /// None so far.
    pub fn end(&self) -> Result<(), CrmError> {
        if let Some(feed) = self.feed.upgrade() {
            feed.close(self.number);
        }
        Ok(())
    }
}

impl Drop for LiveList {
    fn drop(&mut self) {
        if let Some(feed) = self.feed.upgrade() {
            feed.close(self.number);
        }
    }
}

#[uniffi::export]
impl Replica {
    /// Watches a page of a list. Its limit is at most 500, and 64 lists are watched at once at most.
    ///
    /// # Errors
    ///
    /// `TooMuch` beyond these limits, `Invalid` for a question that makes no sense.
    pub fn watch(
        &self,
        query: ListQuery,
        listener: Arc<dyn ListListener>,
    ) -> Result<Arc<LiveList>, CrmError> {
        if query.text.is_some() {
            return Err(self.teller().invalid("bad_query", crate::words::WATCHED_SEARCH));
        }
        let (entity, question) = query.read(self.teller())?;
        let feed = Arc::clone(&self.feed.0);
        let (number, first) = self.with(|replica| {
            let (live, page) = replica.live(&entity, question.clone())?;
            let watched = Watched { live, entity, query: question, listener, is_behind: false };
            Ok((feed.add(watched), page))
        })?;
        feed.look();
        Ok(Arc::new(LiveList { feed: Arc::downgrade(&feed), number, first: page_of(first) }))
    }
}

/// The lists that a replica watches.
pub(crate) struct Feed(Arc<Inner>);

struct Inner {
    screen: Arc<Mutex<Option<core::Replica>>>,
    language: Language,
    mail: Mail,
    lists: Mutex<Lists>,
}

#[derive(Default)]
struct Lists {
    open: BTreeMap<u64, Watched>,
    last: u64,
    is_looking: bool,
    is_failure_told: bool,
}

struct Watched {
    live: LiveId,
    entity: String,
    query: Query,
    listener: Arc<dyn ListListener>,
    /// Whether something could not be told: the list begins anew.
    is_behind: bool,
}

/// What is told, and to whom.
type Told = (u64, Arc<dyn ListListener>, ListChange);

impl Feed {
    pub(crate) fn of(screen: &Arc<Mutex<Option<core::Replica>>>, language: Language) -> Self {
        let (screen, mail, lists) = (Arc::clone(screen), Mail::default(), Mutex::default());
        Self(Arc::new(Inner { screen, language, mail, lists }))
    }

    /// Ends all lists, and tells their listeners that there is nothing more to come.
    pub(crate) fn end(&self) {
        let open: Vec<_> = self.0.lists().open.iter().map(listener_of).collect();
        for (number, listener) in open {
            self.0.take_out(number);
            let error = Teller { language: self.0.language, entity: None }.closed();
            let _ = self.0.mail.post(number, move || drop(listener.on_error(error)));
        }
        self.0.mail.rest();
    }
}

impl Inner {
    fn lists(&self) -> MutexGuard<'_, Lists> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn screen(&self) -> MutexGuard<'_, Option<core::Replica>> {
        self.screen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, watched: Watched) -> u64 {
        let mut lists = self.lists();
        lists.last += 1;
        self.mail.resume();
        let number = lists.last;
        lists.open.insert(number, watched);
        number
    }

    fn close(&self, number: u64) {
        if self.take_out(number) {
            self.mail.rest();
        }
    }

    /// Ends one list; whether it was the last.
    fn take_out(&self, number: u64) -> bool {
        let (removed, is_last) = {
            let mut lists = self.lists();
            (lists.open.remove(&number), lists.open.is_empty())
        };
        let Some(watched) = removed else { return false };
        self.mail.forget(number);
        if let Some(replica) = self.screen().as_mut() {
            // Of a store that fails, the list goes with the replica.
            let _ = replica.close_live(watched.live);
        }
        is_last
    }

    /// Looks in a thread of its own, until no list is open.
    fn look(self: &Arc<Self>) {
        let mut lists = self.lists();
        if lists.is_looking {
            return;
        }
        lists.is_looking = true;
        drop(lists);
        let feed = Arc::downgrade(self);
        let look = move || {
            let mut seen = 0;
            while let Some(inner) = feed.upgrade() {
                if !inner.is_needed() {
                    return;
                }
                let signal = inner.screen().as_ref().map(core::Replica::signal);
                inner.tell();
                inner.mail.serve();
                // Nothing is held while it waits, so that dropping the replica ends this.
                drop(inner);
                match signal {
                    Some(signal) => seen = signal.wait(seen, LOOK_EVERY),
                    None => thread::sleep(LOOK_EVERY),
                }
                thread::sleep(BATCH);
            }
        };
        let spawned = thread::Builder::new().name("outrider-live".to_owned()).spawn(look);
        if spawned.is_err() {
            self.lists().is_looking = false;
        }
    }

    fn is_needed(&self) -> bool {
        let mut lists = self.lists();
        lists.is_looking = !lists.open.is_empty();
        lists.is_looking
    }

    /// Tells all lists what became of them.
    fn tell(&self) {
        let found = {
            let mut screen = self.screen();
            let Some(replica) = screen.as_mut() else { return };
            self.news(replica)
        };
        match found {
            Ok(told) => {
                self.lists().is_failure_told = false;
                for (number, listener, change) in told {
                    let call = move || drop(listener.on_change(change));
                    if !self.mail.post(number, call)
                        && let Some(watched) = self.lists().open.get_mut(&number)
                    {
                        self.mail.forget(number);
                        watched.is_behind = true;
                    }
                }
            }
            Err(error) => {
                self.fail(Teller { language: self.language, entity: None }.replica(error))
            }
        }
    }

    fn fail(&self, error: CrmError) {
        let mut lists = self.lists();
        if std::mem::replace(&mut lists.is_failure_told, true) {
            return;
        }
        for (number, watched) in &lists.open {
            let (listener, error) = (Arc::clone(&watched.listener), error.clone());
            let _ = self.mail.post(*number, move || drop(listener.on_error(error)));
        }
    }

    fn news(&self, replica: &mut core::Replica) -> Result<Vec<Told>, ReplicaError> {
        let news: BTreeMap<LiveId, Diff> = replica.news()?.into_iter().collect();
        let mut lists = self.lists();
        let mut told = Vec::new();
        for (number, watched) in &mut lists.open {
            let change = if watched.is_behind {
                let (live, page) = replica.live(&watched.entity, watched.query.clone())?;
                replica.close_live(std::mem::replace(&mut watched.live, live))?;
                watched.is_behind = false;
                Some(reset(page))
            } else {
                news.get(&watched.live).map(change_of)
            };
            if let Some(change) = change {
                told.push((*number, Arc::clone(&watched.listener), change));
            }
        }
        Ok(told)
    }
}

fn listener_of((number, watched): (&u64, &Watched)) -> (u64, Arc<dyn ListListener>) {
    (*number, Arc::clone(&watched.listener))
}

fn place(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

fn reset(page: core::Page) -> ListChange {
    let records = page.records.into_iter().filter_map(record_of).enumerate();
    let inserted = records.map(|(at, record)| PlacedRecord { index: place(at), record }).collect();
    let (removed, moved, changed) = (Vec::new(), Vec::new(), Vec::new());
    ListChange { is_reset: true, removed, moved, inserted, changed, next: page.next }
}

fn change_of(diff: &Diff) -> ListChange {
    let Diff { removed, moved, inserted, changed, next } = diff;
    let placed = |all: &[core::live::Placed]| {
        let placed = all.iter().filter_map(|core::live::Placed { index, record }| {
            Some(PlacedRecord { index: place(*index), record: record_of(record.clone())? })
        });
        placed.collect()
    };
    ListChange {
        is_reset: false,
        removed: removed.iter().copied().map(place).collect(),
        moved: moved
            .iter()
            .map(|(from, to)| Move { taken: place(*from), put: place(*to) })
            .collect(),
        inserted: placed(inserted),
        changed: placed(changed),
        next: next.clone(),
    }
}
