//! What was seen within a window of time.

use hashbrown::HashTable;
use std::collections::VecDeque;

/// Keys that were seen within a window of time: at most so many, of which the oldest go first.
///
/// A key counts from when it was first seen, so that what goes on for longer than the window is seen anew
/// once per window.
#[derive(Debug)]
pub(crate) struct Seen {
    keys: HashTable<Entry>,
    /// The same, oldest first.
    order: VecDeque<Entry>,
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
        Self { keys: HashTable::new(), order: VecDeque::new(), max_keys: max_keys.max(1) }
    }

    /// True if the key was not seen within the window that ends at `now`, in ms of a clock that does not go
    /// back. From here on it is.
    #[inline]
    pub(crate) fn is_new(&mut self, key: u128, now: u64, window_ms: u64) -> bool {
        match self.keys.find(hash(key), |entry| entry.key == key) {
            Some(entry) if !is_over(entry.since, now, window_ms) => false,
            _ => {
                self.insert(key, now, window_ms);
                true
            }
        }
    }

    #[cold]
    fn insert(&mut self, key: u128, now: u64, window_ms: u64) {
        while let Some(&oldest) = self.order.front() {
            if self.order.len() < self.max_keys && !is_over(oldest.since, now, window_ms) {
                break;
            }
            self.order.pop_front();
            if let Ok(entry) = self.keys.find_entry(hash(oldest.key), |entry| entry.key == oldest.key) {
                entry.remove();
            }
        }
        let entry = Entry { key, since: now };
        self.keys.insert_unique(hash(key), entry, |entry| hash(entry.key));
        self.order.push_back(entry);
    }
}
