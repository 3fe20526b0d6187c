//! Lists that stay up to date, whatever their listeners do.

use std::{
    sync::{
        Arc, Mutex,
        mpsc::{self, Receiver, Sender},
    },
    time::Duration,
};

use super::{customer, open};
use crate::{
    CrmError, Replica,
    live::{ListChange, ListListener},
    platform::PlatformError,
    query::ListQuery,
    records::{CrmChanges, CrmRecord, CustomerChange},
};

/// What tests wait for, at most.
const PATIENCE: Duration = Duration::from_secs(20);

type Act = Box<dyn Fn(&ListChange) -> Result<(), PlatformError> + Send + Sync>;

/// Tells what it hears, after doing something.
struct Listener {
    act: Act,
    to: Mutex<Sender<ListChange>>,
}

impl ListListener for Listener {
    fn on_change(&self, change: ListChange) -> Result<(), PlatformError> {
        (self.act)(&change)?;
        let _ = self.to.lock().unwrap().send(change);
        Ok(())
    }

    fn on_error(&self, error: CrmError) -> Result<(), PlatformError> {
        assert!(matches!(error, CrmError::Closed { .. }), "{error:?}");
        // Whoever waits for the next change hears that there is none.
        let (nobody, _) = mpsc::channel();
        *self.to.lock().unwrap() = nobody;
        Ok(())
    }
}

fn listener(act: Act) -> (Arc<dyn ListListener>, Receiver<ListChange>) {
    let (to, heard) = mpsc::channel();
    (Arc::new(Listener { act, to: Mutex::new(to) }), heard)
}

fn plain() -> (Arc<dyn ListListener>, Receiver<ListChange>) {
    listener(Box::new(|_| Ok(())))
}

fn customers() -> ListQuery {
    ListQuery { sort: Some("company_name".to_owned()), ..ListQuery::of("customer") }
}

fn apply(list: &mut Vec<CrmRecord>, change: ListChange) {
    if change.is_reset {
        list.clear();
    }
    for at in change.removed {
        list.remove(at as usize);
    }
    for one in change.moved {
        let record = list.remove(one.taken as usize);
        list.insert(one.put as usize, record);
    }
    for one in change.inserted {
        list.insert(one.index as usize, one.record);
    }
    for one in change.changed {
        list[one.index as usize] = one.record;
    }
}

fn rename(replica: &Replica, id: outrider_core::ids::RecordId, name: &str) {
    let name = CustomerChange::CompanyName(Some(name.to_owned()));
    replica.update(id, CrmChanges::Customer(vec![name])).unwrap();
}

/// Until the list that changes made is what the query says.
fn becomes(replica: &Replica, list: &mut Vec<CrmRecord>, heard: &Receiver<ListChange>) {
    while *list != replica.list(customers()).unwrap().records {
        apply(list, heard.recv_timeout(PATIENCE).expect("a change is heard"));
    }
}

#[test]
fn changes_make_the_list_that_the_query_says() {
    let (folder, replica) = open();
    let first = customer(&replica, "B");
    let (listener, heard) = plain();
    let live = replica.watch(customers(), listener).unwrap();
    let mut list = live.first().unwrap().records;
    customer(&replica, "A");
    let third = customer(&replica, "C");
    becomes(&replica, &mut list, &heard);
    rename(&replica, first, "D");
    replica.archive(third).unwrap();
    becomes(&replica, &mut list, &heard);
    // Another replica of the same records: an extension, a sync.
    let path = folder.path().to_string_lossy().into_owned();
    let extension = Replica::open(path, None, Some(replica.platform.clone())).unwrap();
    customer(&extension, "E");
    becomes(&replica, &mut list, &heard);
    assert_eq!(list.len(), 3);
    live.end().unwrap();
}

#[test]
fn a_listener_that_blocks_throws_or_calls_back_harms_nobody() {
    let (_folder, replica) = open();
    let (release, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let (blocks, _) = listener(Box::new(move |_| {
        let _ = gate.lock().unwrap().recv();
        Ok(())
    }));
    let (throws, _) =
        listener(Box::new(|_| Err(PlatformError::Failed { reason: "no".to_owned() })));
    let (panics, _) = listener(Box::new(|_| panic!("on purpose: a listener that panics")));
    let again = Arc::downgrade(&replica);
    let (calls, called) = listener(Box::new(move |_| {
        // From within: a question, an edit, a list of its own.
        let Some(replica) = again.upgrade() else { return Ok(()) };
        let count = replica.count(customers()).unwrap();
        if count < 5 {
            customer(&replica, "from within");
        }
        replica.watch(customers(), plain().0).unwrap().end().unwrap();
        Ok(())
    }));
    let (listens, heard) = plain();
    let lists: Vec<_> = [blocks, throws, panics, calls, listens]
        .into_iter()
        .map(|listener| replica.watch(customers(), listener).unwrap())
        .collect();
    customer(&replica, "A");
    called.recv_timeout(PATIENCE).expect("who calls back is called");
    let mut list = Vec::new();
    while list.len() < 5 {
        apply(&mut list, heard.recv_timeout(PATIENCE).expect("who only listens hears"));
    }
    for live in &lists {
        live.end().unwrap();
    }
    drop(release);
}

#[test]
fn who_does_not_fetch_their_mail_gets_a_new_beginning() {
    let (_folder, replica) = open();
    let id = customer(&replica, "A");
    let (release, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let (slow, heard) = listener(Box::new(move |_| {
        let _ = gate.lock().unwrap().recv();
        Ok(())
    }));
    let (fast, told) = plain();
    let live = replica.watch(customers(), slow).unwrap();
    let _fast = replica.watch(customers(), fast).unwrap();
    let mut list = live.first().unwrap().records;
    for number in 0..crate::listen::MAIL_MAX + 5 {
        rename(&replica, id, &format!("A{number}"));
        told.recv_timeout(PATIENCE).expect("the other one hears of each");
    }
    drop(release);
    let mut was_reset = false;
    while *list != replica.list(customers()).unwrap().records {
        let change = heard.recv_timeout(PATIENCE).expect("it hears of all");
        was_reset |= change.is_reset;
        apply(&mut list, change);
    }
    assert!(was_reset);
}

#[test]
fn closing_ends_it_and_limits_hold() {
    let (_folder, replica) = open();
    let (listener, heard) = plain();
    let live = replica.watch(customers(), Arc::clone(&listener)).unwrap();
    live.end().unwrap();
    customer(&replica, "A");
    assert!(heard.recv_timeout(Duration::from_millis(500)).is_err());
    let open = |_| replica.watch(customers(), Arc::clone(&listener)).unwrap();
    let all: Vec<_> = (0..outrider_core::replica::live::LIVE_MAX).map(open).collect();
    let error = replica.watch(customers(), Arc::clone(&listener)).unwrap_err();
    assert!(matches!(error, CrmError::TooMuch { .. }), "{error:?}");
    drop(all);
    let wide = ListQuery { limit: 501, ..customers() };
    let error = replica.watch(wide, listener).unwrap_err();
    assert!(matches!(error, CrmError::TooMuch { .. }), "{error:?}");
}

#[test]
fn who_listens_is_told_when_the_records_are_locked() {
    let (_folder, replica) = open();
    let (listener, heard) = plain();
    let _live = replica.watch(customers(), listener).unwrap();
    replica.lock().unwrap();
    assert_eq!(heard.recv_timeout(PATIENCE), Err(mpsc::RecvTimeoutError::Disconnected));
}
