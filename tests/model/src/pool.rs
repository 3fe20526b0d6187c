//! Things kept once and named by a number: equal things have equal names.

use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasherDefault, Hash, Hasher},
    marker::PhantomData,
    num::NonZeroU32,
    rc::Rc,
};

/// The name of a thing in its pool.
pub struct Id<T> {
    // Not zero, so that an id that may be missing takes no more room.
    number: NonZeroU32,
    of: PhantomData<fn() -> T>,
}

impl<T> Id<T> {
    fn new(at: usize) -> Self {
        let number = u32::try_from(at + 1).ok().and_then(NonZeroU32::new);
        Self { number: number.expect("things fit into memory"), of: PhantomData }
    }

    /// Its place in the order in which things were met, from 1.
    #[must_use]
    pub fn number(self) -> u32 {
        self.number.get()
    }
}

impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Id<T> {}

impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl<T> Eq for Id<T> {}

impl<T> PartialOrd for Id<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Id<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.number.cmp(&other.number)
    }
}

impl<T> Hash for Id<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.number.hash(state);
    }
}

impl<T> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.number)
    }
}

/// A hash that is quick for a few words; what is hashed here no stranger chose.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quick(u64);

impl Hasher for Quick {
    fn finish(&self) -> u64 {
        // The low bits choose the place in the table.
        self.0 ^ (self.0 >> 32)
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            for (to, from) in word.iter_mut().zip(chunk) {
                *to = *from;
            }
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, number: u8) {
        self.write_u64(number.into());
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(number.into());
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(5) ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }
}

/// A map by [`Quick`].
pub type QuickMap<K, V> = HashMap<K, V, BuildHasherDefault<Quick>>;

/// Things of one kind.
#[derive(Debug)]
pub struct Pool<T> {
    items: Vec<Rc<T>>,
    names: QuickMap<Rc<T>, Id<T>>,
}

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self { items: Vec::new(), names: QuickMap::default() }
    }
}

impl<T: Eq + Hash> Pool<T> {
    /// The name of a thing, which is kept if it is new.
    ///
    /// # Panics
    ///
    /// When there are more than four thousand million: the search has run out of memory before.
    pub fn name(&mut self, thing: T) -> Id<T> {
        if let Some(id) = self.names.get(&thing) {
            return *id;
        }
        let id = Id::new(self.items.len());
        let thing = Rc::new(thing);
        self.items.push(Rc::clone(&thing));
        self.names.insert(thing, id);
        id
    }

    /// The thing of a name.
    ///
    /// # Panics
    ///
    /// For a name that another pool gave.
    #[must_use]
    pub fn get(&self, id: Id<T>) -> Rc<T> {
        let at = usize::try_from(id.number()).ok().and_then(|number| number.checked_sub(1));
        let thing = at.and_then(|at| self.items.get(at));
        Rc::clone(thing.expect("a name is given by its own pool"))
    }

    /// How many things there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}
