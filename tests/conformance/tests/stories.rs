//! Every merge story, played in every way; and the page that tells them.

use std::{
    env, fs,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use outrider_conformance::{
    page,
    play::{TAKES, play},
    story::{Standing, Story, load},
};
use serde_json::Value as Json;

/// How many stories there are to be, at least.
const STORIES_MIN: usize = 60;

#[test]
fn every_story_ends_as_it_says() {
    let only = env::var("OUTRIDER_STORY").ok();
    let subjects = load().unwrap();
    let stories: Vec<&Story> = subjects
        .iter()
        .flat_map(|subject| &subject.stories)
        .filter(|story| only.as_ref().is_none_or(|only| story.title.en.contains(only.as_str())))
        .collect();
    let next = AtomicUsize::new(0);
    let workers = thread::available_parallelism().map_or(1, |count| count.get());
    let wrong: Vec<String> = thread::scope(|scope| {
        let work = || {
            let mut wrong = Vec::new();
            while let Some(story) = stories.get(next.fetch_add(1, Ordering::Relaxed)) {
                for take in TAKES {
                    if let Err(error) = play(story, *take) {
                        wrong.push(format!("{} ({take:?}): {error}", story.title.en));
                    }
                }
            }
            wrong
        };
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{} takes went wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// A test that cannot fail proves nothing: each story is told with a wrong end.
#[test]
fn every_story_can_fail() {
    let subjects = load().unwrap();
    for story in subjects.iter().flat_map(|subject| &subject.stories) {
        let mut other = story.clone();
        let see = other.see.first_mut().unwrap();
        let wrong = Json::from("what nobody wrote");
        if let Some(value) = see.has.values_mut().next() {
            *value = wrong;
        } else if let Some(values) = see.conflicts.values_mut().next() {
            *values = vec![wrong.clone(), wrong];
        } else {
            see.is = match see.is {
                Standing::InUse | Standing::Revived | Standing::Missing => Standing::Archived,
                Standing::Archived => Standing::InUse,
            };
            see.one_of.values_mut().for_each(|values| *values = vec![wrong.clone()]);
        }
        assert!(play(&other, TAKES[0]).is_err(), "{} ends in any way", story.title.en);
        let mut unexpected = story.clone();
        unexpected.see[0].conflicts.insert("external_id".to_owned(), vec!["a".into()]);
        assert!(play(&unexpected, TAKES[0]).is_err(), "{}: conflicts are not seen", story.title.en);
    }
}

#[test]
fn the_page_tells_the_stories() {
    let subjects = load().unwrap();
    let count: usize = subjects.iter().map(|subject| subject.stories.len()).sum();
    assert!(count >= STORIES_MIN, "there are {count} stories");
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/MERGING.md");
    let page = page::write(&subjects);
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == page, "run `UPDATE_DOCS=1 cargo test -p outrider-conformance`");
}
