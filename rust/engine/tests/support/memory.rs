//! The allocator of a test crate: how often memory is asked for, and how much is held.
#![allow(dead_code, reason = "every test crate uses its own part of this")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;

thread_local! {
    /// How often this thread has asked for memory. Tests run in parallel, each in a thread of its own.
    static REQUESTS: Cell<usize> = const { Cell::new(0) };
    /// How many bytes this thread has asked for and not given back.
    static HELD: Cell<isize> = const { Cell::new(0) };
}

/// The system's allocator, counting.
struct Counting;

impl Counting {
    fn count(requests: usize, bytes: isize) {
        // A thread that is ending has no counters any more, and nothing that is measured.
        let _ = REQUESTS.try_with(|all| all.set(all.get() + requests));
        let _ = HELD.try_with(|all| all.set(all.get() + bytes));
    }
}

// SAFETY: every call is handed on unchanged to the system's allocator, which keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, memory: Layout) -> *mut u8 {
        Self::count(1, memory.size().cast_signed());
        // SAFETY: the caller keeps the contract of `alloc`, and it is the same one.
        unsafe { System.alloc(memory) }
    }

    unsafe fn alloc_zeroed(&self, memory: Layout) -> *mut u8 {
        Self::count(1, memory.size().cast_signed());
        // SAFETY: the caller keeps the contract of `alloc_zeroed`, and it is the same one.
        unsafe { System.alloc_zeroed(memory) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, memory: Layout, size: usize) -> *mut u8 {
        Self::count(1, size.cast_signed() - memory.size().cast_signed());
        // SAFETY: the caller keeps the contract of `realloc`, and the pointer came from `System`.
        unsafe { System.realloc(pointer, memory, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, memory: Layout) {
        Self::count(0, -memory.size().cast_signed());
        // SAFETY: the caller keeps the contract of `dealloc`, and the pointer came from `System`.
        unsafe { System.dealloc(pointer, memory) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often `work` asks for memory, and what it returns.
pub(crate) fn requests<T>(work: impl FnOnce() -> T) -> (usize, T) {
    let before = REQUESTS.get();
    let result = black_box(work());
    (REQUESTS.get() - before, result)
}

/// How many bytes this thread has asked for and not given back.
pub(crate) fn held() -> isize {
    HELD.get()
}
