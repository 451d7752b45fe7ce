//! The structures of the Arrow C data interface, as <https://arrow.apache.org/docs/format/CDataInterface.html> has
//! them, and owners that release what they own.

use std::ffi::{c_char, c_int, c_void};

#[repr(C)]
pub(super) struct ArrowSchema {
    pub(super) format: *const c_char,
    pub(super) name: *const c_char,
    pub(super) metadata: *const c_char,
    pub(super) flags: i64,
    pub(super) n_children: i64,
    pub(super) children: *mut *mut ArrowSchema,
    pub(super) dictionary: *mut ArrowSchema,
    pub(super) release: Option<unsafe extern "C" fn(*mut ArrowSchema)>,
    pub(super) private_data: *mut c_void,
}

#[repr(C)]
pub(super) struct ArrowArray {
    pub(super) length: i64,
    pub(super) null_count: i64,
    pub(super) offset: i64,
    pub(super) n_buffers: i64,
    pub(super) n_children: i64,
    pub(super) buffers: *mut *const c_void,
    pub(super) children: *mut *mut ArrowArray,
    pub(super) dictionary: *mut ArrowArray,
    pub(super) release: Option<unsafe extern "C" fn(*mut ArrowArray)>,
    pub(super) private_data: *mut c_void,
}

#[repr(C)]
pub(super) struct ArrowArrayStream {
    pub(super) get_schema: Option<unsafe extern "C" fn(*mut ArrowArrayStream, *mut ArrowSchema) -> c_int>,
    pub(super) get_next: Option<unsafe extern "C" fn(*mut ArrowArrayStream, *mut ArrowArray) -> c_int>,
    pub(super) get_last_error: Option<unsafe extern "C" fn(*mut ArrowArrayStream) -> *const c_char>,
    pub(super) release: Option<unsafe extern "C" fn(*mut ArrowArrayStream)>,
    pub(super) private_data: *mut c_void,
}

/// A structure that is released by what it says itself.
pub(super) trait Released: Sized {
    /// One that is released already.
    const EMPTY: Self;

    fn release(&self) -> Option<unsafe extern "C" fn(*mut Self)>;
}

macro_rules! released {
    ($($structure:ident { $($field:ident: $empty:expr),* })*) => {$(
        impl Released for $structure {
            const EMPTY: Self = Self { $($field: $empty,)* release: None, private_data: std::ptr::null_mut() };

            fn release(&self) -> Option<unsafe extern "C" fn(*mut Self)> {
                self.release
            }
        }
    )*};
}

released! {
    ArrowSchema {
        format: std::ptr::null(), name: std::ptr::null(), metadata: std::ptr::null(), flags: 0, n_children: 0,
        children: std::ptr::null_mut(), dictionary: std::ptr::null_mut()
    }
    ArrowArray {
        length: 0, null_count: 0, offset: 0, n_buffers: 0, n_children: 0, buffers: std::ptr::null_mut(),
        children: std::ptr::null_mut(), dictionary: std::ptr::null_mut()
    }
    ArrowArrayStream { get_schema: None, get_next: None, get_last_error: None }
}

/// A structure that is ours to release.
pub(super) struct Owned<T: Released>(T);

impl<T: Released> Owned<T> {
    pub(super) fn empty() -> Self {
        Self(T::EMPTY)
    }

    /// Moves a structure out of where it is, and marks that as released.
    ///
    /// # Safety
    /// `from` points to a structure of this kind.
    pub(super) unsafe fn take(from: *mut T) -> Self {
        // SAFETY: see above.
        Self(unsafe { std::mem::replace(&mut *from, T::EMPTY) })
    }

    pub(super) fn get(&self) -> &T {
        &self.0
    }

    pub(super) fn as_mut_ptr(&mut self) -> *mut T {
        &raw mut self.0
    }

    pub(super) fn is_released(&self) -> bool {
        self.0.release().is_none()
    }
}

impl<T: Released> Drop for Owned<T> {
    fn drop(&mut self) {
        if let Some(release) = self.0.release() {
            // SAFETY: whoever made it says that this is how it is released, once.
            unsafe { release(&raw mut self.0) }
        }
    }
}
