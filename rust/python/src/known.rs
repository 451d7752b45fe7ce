//! What a loaded payload learned from checks: which spec a name object stands for, which value a parameter's name,
//! and the results it handed out.
//!
//! A program asks with the same name objects again and again, because names are constants. So the object itself is
//! looked up, by its address, before its text is. Results of plain specs are the same object for everybody who gets
//! the same: they never change. All of this needs the GIL, so there is none of it without.

#[cfg(not(Py_GIL_DISABLED))]
pub(crate) use with_gil::Known;

#[cfg(Py_GIL_DISABLED)]
pub(crate) use without_gil::Known;

#[cfg(not(Py_GIL_DISABLED))]
mod with_gil {
    use pyo3::prelude::*;
    use pyo3::types::PyString;
    use statsig_engine::{CheckKind, SpecId, ValueId};
    use std::cell::UnsafeCell;

    /// How many names are known at a time; a power of two.
    const NAMES: usize = 256;

    struct KnownName {
        /// Kept, so that no other object gets its address.
        name: Py<PyString>,
        kind: CheckKind,
        spec: SpecId,
    }

    /// A parameter whose value nobody can change.
    struct KnownParameter {
        name: Py<PyString>,
        of: ValueId,
        value: Py<PyAny>,
    }

    pub(crate) struct Known {
        names: UnsafeCell<Box<[Option<KnownName>]>>,
        parameters: UnsafeCell<Box<[Option<KnownParameter>]>>,
        /// By class, and by what was decided. Empty until one is asked for, and from when others take over: they hold
        /// the payload, which would hold itself.
        results: UnsafeCell<[Vec<Option<Py<PyAny>>>; 3]>,
        decisions: usize,
        retired: UnsafeCell<bool>,
    }

    // SAFETY: every method takes a token that its thread is attached, and so holds the one GIL there is. None lets go
    // of it while it is in a cell: none runs Python code or drops an object before it is out of it.
    unsafe impl Sync for Known {}

    fn class(kind: CheckKind) -> Option<usize> {
        match kind {
            CheckKind::Gate => Some(0),
            CheckKind::Config => Some(1),
            CheckKind::Experiment => Some(2),
            // What is read of it counts for somebody.
            CheckKind::Layer => None,
        }
    }

    fn slot(name: &Bound<'_, PyString>, salt: usize) -> usize {
        // Objects lie at multiples of 16.
        let address = name.as_ptr() as usize;
        ((address >> 4) ^ (address >> 12) ^ salt) % NAMES
    }

    impl Known {
        pub(crate) fn new(decisions: usize) -> Self {
            Self {
                names: UnsafeCell::new((0..NAMES).map(|_| None).collect()),
                parameters: UnsafeCell::new((0..NAMES).map(|_| None).collect()),
                results: UnsafeCell::default(),
                decisions,
                retired: UnsafeCell::new(false),
            }
        }

        #[inline]
        pub(crate) fn spec(&self, name: &Bound<'_, PyString>, kind: CheckKind) -> Option<SpecId> {
            // SAFETY: attached, as the argument shows, so nobody else is in the cell; the borrow ends with this
            // function.
            let known = unsafe { &*self.names.get() }[slot(name, (kind as usize) << 6)].as_ref()?;
            (known.name.as_ptr() == name.as_ptr() && known.kind == kind).then_some(known.spec)
        }

        pub(crate) fn learn(&self, name: &Bound<'_, PyString>, kind: CheckKind, spec: SpecId) {
            if !name.is_exact_instance_of::<PyString>() {
                return;
            }
            let known = Some(KnownName { name: name.clone().unbind(), kind, spec });
            // SAFETY: as above; what drops is out of the cell.
            let before = std::mem::replace(
                unsafe { &mut (&mut *self.names.get())[slot(name, (kind as usize) << 6)] },
                known,
            );
            // Bound, it is dropped at once: PyO3 may not know that this is attached.
            drop(before.map(|known| known.name.into_bound(name.py())));
        }

        #[inline]
        pub(crate) fn parameter<'py>(
            &self,
            name: &Bound<'py, PyString>,
            of: ValueId,
        ) -> Option<Bound<'py, PyAny>> {
            // SAFETY: as above.
            let known = unsafe { &*self.parameters.get() }[slot(name, of.index())].as_ref()?;
            (known.name.as_ptr() == name.as_ptr() && known.of == of)
                .then(|| known.value.bind(name.py()).clone())
        }

        pub(crate) fn learn_parameter(
            &self,
            name: &Bound<'_, PyString>,
            of: ValueId,
            value: &Bound<'_, PyAny>,
        ) {
            if !name.is_exact_instance_of::<PyString>() {
                return;
            }
            let known =
                Some(KnownParameter { name: name.clone().unbind(), of, value: value.clone().unbind() });
            // SAFETY: as above; what drops is out of the cell.
            let slots = unsafe { &mut *self.parameters.get() };
            let before = std::mem::replace(&mut slots[slot(name, of.index())], known);
            // As above.
            let py = name.py();
            drop(before.map(|known| (known.name.into_bound(py), known.value.into_bound(py))));
        }

        #[inline]
        pub(crate) fn result<'py>(
            &self,
            py: Python<'py>,
            kind: CheckKind,
            index: usize,
        ) -> Option<Bound<'py, PyAny>> {
            // SAFETY: as above.
            let results = &unsafe { &*self.results.get() }[class(kind)?];
            Some(results.get(index)?.as_ref()?.bind(py).clone())
        }

        pub(crate) fn keep(&self, kind: CheckKind, index: usize, result: &Bound<'_, PyAny>) {
            // SAFETY: attached, as the argument shows, so nobody else is in the cells.
            let (Some(class), false) = (class(kind), unsafe { *self.retired.get() }) else {
                return;
            };
            // SAFETY: as above; what drops is out of the cell.
            let results = &mut unsafe { &mut *self.results.get() }[class];
            if results.is_empty() {
                results.resize_with(self.decisions, || None);
            }
            let before = results[index].replace(result.clone().unbind());
            drop(before);
        }

        /// Forgets all results, for good.
        pub(crate) fn retire(&self, _: Python<'_>) {
            // SAFETY: attached, so nobody else is in the cells, and what drops is out of them.
            let results = unsafe {
                *self.retired.get() = true;
                std::mem::take(&mut *self.results.get())
            };
            drop(results);
        }
    }
}

#[cfg(Py_GIL_DISABLED)]
mod without_gil {
    use pyo3::prelude::*;
    use pyo3::types::PyString;
    use statsig_engine::{CheckKind, SpecId, ValueId};

    pub(crate) struct Known;

    impl Known {
        pub(crate) fn new(_: usize) -> Self {
            Self
        }

        pub(crate) fn spec(&self, _: &Bound<'_, PyString>, _: CheckKind) -> Option<SpecId> {
            None
        }

        pub(crate) fn learn(&self, _: &Bound<'_, PyString>, _: CheckKind, _: SpecId) {}

        pub(crate) fn parameter<'py>(
            &self,
            _: &Bound<'py, PyString>,
            _: ValueId,
        ) -> Option<Bound<'py, PyAny>> {
            None
        }

        pub(crate) fn learn_parameter(&self, _: &Bound<'_, PyString>, _: ValueId, _: &Bound<'_, PyAny>) {}

        pub(crate) fn result<'py>(
            &self,
            _: Python<'py>,
            _: CheckKind,
            _: usize,
        ) -> Option<Bound<'py, PyAny>> {
            None
        }

        pub(crate) fn keep(&self, _: CheckKind, _: usize, _: &Bound<'_, PyAny>) {}

        pub(crate) fn retire(&self, _: Python<'_>) {}
    }
}
