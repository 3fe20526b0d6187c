//! A bounded number of places, in all and for each of those who take them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The places that there are.
#[derive(Debug)]
pub(crate) struct Places<K: Ord + Clone> {
    total_max: u32,
    each_max: u32,
    taken: Mutex<Taken<K>>,
}

#[derive(Debug)]
struct Taken<K> {
    total: u32,
    each: BTreeMap<K, u32>,
}

impl<K: Ord + Clone> Places<K> {
    /// So many in all, and for each.
    pub(crate) fn new(total_max: u32, each_max: u32) -> Self {
        let taken = Mutex::new(Taken { total: 0, each: BTreeMap::new() });
        Self { total_max, each_max, taken }
    }

    fn taken(&self) -> MutexGuard<'_, Taken<K>> {
        // Counts are whole at every moment, whatever their holder died of.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place, if one is left.
    pub(crate) fn take(self: &Arc<Self>, owner: K) -> Option<Place<K>> {
        let mut taken = self.taken();
        let here = taken.each.get(&owner).copied().unwrap_or_default();
        if taken.total >= self.total_max || here >= self.each_max {
            return None;
        }
        taken.total += 1;
        taken.each.insert(owner.clone(), here + 1);
        Some(Place { places: Arc::clone(self), owner })
    }
}

/// A place; free again when dropped.
#[derive(Debug)]
pub(crate) struct Place<K: Ord + Clone> {
    places: Arc<Places<K>>,
    owner: K,
}

impl<K: Ord + Clone> Drop for Place<K> {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.total = taken.total.saturating_sub(1);
        let here = taken.each.get(&self.owner).copied().unwrap_or_default();
        if here > 1 {
            taken.each.insert(self.owner.clone(), here - 1);
        } else {
            taken.each.remove(&self.owner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_it_is_left() {
        let places = Arc::new(Places::new(3, 2));
        let first = places.take("a");
        let second = places.take("a");
        assert!(first.is_some() && second.is_some());
        assert!(places.take("a").is_none(), "two for each");
        let third = places.take("b");
        assert!(third.is_some() && places.take("c").is_none(), "three in all");
        drop(first);
        assert!(places.take("a").is_some());
        drop((second, third));
        assert!(places.taken().each.is_empty());
    }
}
