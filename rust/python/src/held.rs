//! A value that is replaced whole, under readers that must not pay for that.
//!
//! Counting references or `arc-swap` takes two locked instructions per check, as much as all else a check of a gate
//! for everybody does. With the GIL neither is needed: whoever reads or replaces is the only one who runs. What is
//! replaced while somebody holds it is kept until nobody does. Without the GIL it is `arc-swap` after all.

use pyo3::prelude::*;
use std::sync::Arc;

#[cfg(not(Py_GIL_DISABLED))]
pub(crate) use with_gil::{Held, Shared};

#[cfg(Py_GIL_DISABLED)]
pub(crate) use without_gil::{Held, Shared};

#[cfg(not(Py_GIL_DISABLED))]
mod with_gil {
    use super::{Arc, Python};
    use std::cell::{Cell, UnsafeCell};
    use std::ptr::NonNull;

    /// None until it is set.
    pub(crate) struct Shared<T> {
        current: UnsafeCell<Option<Arc<T>>>,
        /// How many hold this value or one before it.
        holds: Cell<usize>,
        /// What was replaced while it may have been held.
        retired: UnsafeCell<Vec<Arc<T>>>,
    }

    // SAFETY: every method takes a token that its thread is attached, and so holds the one GIL there is (an
    // extension module refuses subinterpreters). None of them lets go of it while it looks at a cell: none runs
    // Python code or drops a value before it is out of the cell.
    unsafe impl<T: Send + Sync> Sync for Shared<T> {}

    impl<T> Default for Shared<T> {
        fn default() -> Self {
            Self { current: UnsafeCell::new(None), holds: Cell::new(0), retired: UnsafeCell::new(Vec::new()) }
        }
    }

    impl<T> Shared<T> {
        /// The value for as long as the result lives, in which no Python code should run: what is replaced
        /// meanwhile would be kept in a child that is forked then.
        #[inline]
        pub(crate) fn hold<'a>(&'a self, _: Python<'a>) -> Held<'a, T> {
            // SAFETY: attached, so nobody else is in the cell; the borrow ends with this statement.
            let value = unsafe { &*self.current.get() }.as_ref().map(|value| NonNull::from(&**value));
            self.holds.set(self.holds.get() + 1);
            Held { shared: self, value }
        }

        /// The value, counted.
        #[inline]
        pub(crate) fn share(&self, _: Python<'_>) -> Option<Arc<T>> {
            // SAFETY: as in `hold`.
            unsafe { &*self.current.get() }.clone()
        }

        /// Puts a value in place of the one there is.
        pub(crate) fn replace(&self, _: Python<'_>, value: Option<Arc<T>>) {
            // SAFETY: attached, so nobody else is in the cell, and what drops is out of it.
            let replaced = std::mem::replace(unsafe { &mut *self.current.get() }, value);
            if self.holds.get() == 0 {
                drop(replaced);
            } else {
                // SAFETY: as above.
                unsafe { &mut *self.retired.get() }.extend(replaced);
            }
        }
    }

    /// A value that stays, whatever takes its place. Cannot leave the thread.
    pub(crate) struct Held<'a, T> {
        shared: &'a Shared<T>,
        value: Option<NonNull<T>>,
    }

    impl<T> Held<'_, T> {
        #[inline]
        pub(crate) fn get(&self) -> Option<&T> {
            // SAFETY: it points into an `Arc` that is `current` or `retired` for as long as this counts as a hold.
            self.value.map(|value| unsafe { value.as_ref() })
        }

        /// The value, counted: it outlives this.
        #[inline]
        pub(crate) fn share(&self) -> Option<Arc<T>> {
            self.value.map(|value| {
                // SAFETY: it is what an `Arc` points to that lives, see `get`.
                unsafe {
                    Arc::increment_strong_count(value.as_ptr());
                    Arc::from_raw(value.as_ptr())
                }
            })
        }
    }

    impl<T> Drop for Held<'_, T> {
        #[inline]
        fn drop(&mut self) {
            let others = self.shared.holds.get() - 1;
            self.shared.holds.set(others);
            // SAFETY: this was made attached and cannot leave its thread, which does not detach with it: a closure
            // that runs detached must not borrow what is not `Sync` for it. The borrow ends with the condition.
            if others == 0 && !unsafe { &*self.shared.retired.get() }.is_empty() {
                self.shared.let_go();
            }
        }
    }

    impl<T> Shared<T> {
        #[cold]
        fn let_go(&self) {
            // SAFETY: as in `Held::drop`, and what drops is out of the cell.
            let retired = std::mem::take(unsafe { &mut *self.retired.get() });
            // It may hold objects: PyO3 has to know that they may be dropped.
            Python::attach(|_| drop(retired));
        }
    }
}

#[cfg(Py_GIL_DISABLED)]
mod without_gil {
    use super::{Arc, Python};
    use arc_swap::{ArcSwapOption, Guard};
    use std::marker::PhantomData;

    /// None until it is set.
    pub(crate) struct Shared<T>(ArcSwapOption<T>);

    impl<T> Default for Shared<T> {
        fn default() -> Self {
            Self(ArcSwapOption::empty())
        }
    }

    impl<T> Shared<T> {
        /// The value for as long as the result lives.
        #[inline]
        pub(crate) fn hold<'a>(&'a self, _: Python<'a>) -> Held<'a, T> {
            Held(self.0.load(), PhantomData)
        }

        /// The value, counted.
        #[inline]
        pub(crate) fn share(&self, _: Python<'_>) -> Option<Arc<T>> {
            self.0.load_full()
        }

        /// Puts a value in place of the one there is.
        pub(crate) fn replace(&self, _: Python<'_>, value: Option<Arc<T>>) {
            self.0.store(value);
        }
    }

    /// A value that stays, whatever takes its place.
    pub(crate) struct Held<'a, T>(Guard<Option<Arc<T>>>, PhantomData<&'a T>);

    impl<T> Held<'_, T> {
        #[inline]
        pub(crate) fn get(&self) -> Option<&T> {
            self.0.as_deref()
        }

        /// The value, counted: it outlives this.
        #[inline]
        pub(crate) fn share(&self) -> Option<Arc<T>> {
            self.0.clone()
        }
    }
}
