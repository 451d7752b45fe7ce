//! What was seen within a window of time.

use hashbrown::HashTable;
use std::collections::VecDeque;

/// Keys that were seen within a window of time: at most so many, of which the oldest go first.
///
/// A key counts from when it was first seen, so that what goes on for longer than the window is seen anew
/// once per window.
///
/// The table has the numbers of the keys, not the keys: what is looked up all over it is small enough to stay in the
/// processor's caches, while what is large is read and written in its order.
#[derive(Debug)]
pub(crate) struct Seen {
    table: HashTable<u32>,
    /// Oldest first.
    keys: VecDeque<Entry>,
    /// The number of the first. Others follow, and after the last number comes 0.
    first: u32,
    max_keys: usize,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    key: u128,
    since: u64,
}

/// Keys are hashes already.
fn hash(key: u128) -> u64 {
    key as u64
}

fn is_over(since: u64, now: u64, window_ms: u64) -> bool {
    now.saturating_sub(since) >= window_ms
}

impl Seen {
    pub(crate) fn new(max_keys: usize) -> Self {
        // There are fewer than numbers.
        let max_keys = max_keys.clamp(1, u32::MAX as usize);
        Self { table: HashTable::new(), keys: VecDeque::new(), first: 0, max_keys }
    }

    /// True if the key was not seen within the window that ends at `now`, in ms of a clock that does not go
    /// back. From here on it is.
    #[inline]
    pub(crate) fn is_new(&mut self, key: u128, now: u64, window_ms: u64) -> bool {
        let entry = |&number: &u32| self.keys[number.wrapping_sub(self.first) as usize];
        match self.table.find(hash(key), |number| entry(number).key == key) {
            Some(number) if !is_over(entry(number).since, now, window_ms) => false,
            _ => {
                self.insert(key, now, window_ms);
                true
            }
        }
    }

    #[cold]
    fn insert(&mut self, key: u128, now: u64, window_ms: u64) {
        while let Some(&oldest) = self.keys.front() {
            if self.keys.len() < self.max_keys && !is_over(oldest.since, now, window_ms) {
                break;
            }
            let first = self.first;
            if let Ok(entry) = self.table.find_entry(hash(oldest.key), |&number| number == first) {
                entry.remove();
            }
            self.keys.pop_front();
            self.first = first.wrapping_add(1);
        }
        let Self { table, keys, first, .. } = self;
        let number = first.wrapping_add(keys.len() as u32);
        keys.push_back(Entry { key, since: now });
        table
            .insert_unique(hash(key), number, |&number| hash(keys[number.wrapping_sub(*first) as usize].key));
    }
}
