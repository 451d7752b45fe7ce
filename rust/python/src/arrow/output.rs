//! Columns for others: structs of what was evaluated, exported without a copy.

use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use std::ffi::{CString, c_char, c_int, c_void};
use std::sync::Arc;

use super::ffi::{ArrowArray, ArrowArrayStream, ArrowSchema};

/// A column of the output.
pub(crate) enum Output {
    /// One bit per row.
    Bits(Vec<u8>),
    /// Of each row the place of its text, or -1 for none, and the texts.
    Texts(Vec<i32>, Vec<u8>, Vec<i32>, Vec<u8>),
    /// Columns by name.
    Struct(Vec<(String, Output)>),
}

/// All texts come out of a payload, which is smaller than 2 GiB.
fn offset(bytes: usize) -> i32 {
    i32::try_from(bytes).unwrap_or(i32::MAX)
}

fn count(items: usize) -> i64 {
    i64::try_from(items).unwrap_or(i64::MAX)
}

/// Collects a column of texts of which there are few.
#[derive(Default)]
pub(crate) struct Spread {
    /// Place by key, and -1; of keys from `2^31` on, without that.
    places: [Vec<i32>; 2],
    rows: Vec<i32>,
    ends: Vec<i32>,
    text: Vec<u8>,
}

impl Spread {
    /// Adds a row; `key`, which is an id, stands for its text.
    #[inline]
    pub(crate) fn push<'a>(&mut self, key: Option<usize>, text: impl FnOnce() -> &'a str) {
        let Some(key) = key else {
            self.rows.push(-1);
            return;
        };
        let (which, key) = (key >> 31, key & ((1 << 31) - 1));
        let places = &mut self.places[which.min(1)];
        if places.len() <= key {
            places.resize(key + 1, -1);
        }
        if places[key] < 0 {
            places[key] = offset(self.ends.len());
            self.text.extend_from_slice(text().as_bytes());
            self.ends.push(offset(self.text.len()));
        }
        self.rows.push(places[key]);
    }

    pub(crate) fn finish(self) -> Output {
        let mut validity = vec![0; self.rows.len().div_ceil(8)];
        for (row, _) in self.rows.iter().enumerate().filter(|(_, place)| **place >= 0) {
            validity[row / 8] |= 1 << (row % 8);
        }
        let offsets = std::iter::once(0).chain(self.ends).collect();
        Output::Texts(self.rows, validity, offsets, self.text)
    }
}

/// What an exported structure needs for as long as it lives.
struct Kept {
    _output: Arc<Output>,
    _texts: Vec<CString>,
    buffers: Vec<*const c_void>,
    schemas: Vec<*mut ArrowSchema>,
    arrays: Vec<*mut ArrowArray>,
}

const NULLABLE: i64 = 2;

unsafe extern "C" fn release_schema(schema: *mut ArrowSchema) {
    // SAFETY: it is one that `schema_of` made, which is released once.
    unsafe {
        let schema = &mut *schema;
        schema.release = None;
        let kept = Box::from_raw(schema.private_data.cast::<Kept>());
        for &child in kept.schemas.iter().chain([&schema.dictionary]).filter(|child| !child.is_null()) {
            let mut child = Box::from_raw(child);
            if let Some(release) = child.release {
                release(&raw mut *child);
            }
        }
    }
}

unsafe extern "C" fn release_array(array: *mut ArrowArray) {
    // SAFETY: it is one that `array_of` made, which is released once.
    unsafe {
        let array = &mut *array;
        array.release = None;
        let kept = Box::from_raw(array.private_data.cast::<Kept>());
        for &child in kept.arrays.iter().chain([&array.dictionary]).filter(|child| !child.is_null()) {
            let mut child = Box::from_raw(child);
            if let Some(release) = child.release {
                release(&raw mut *child);
            }
        }
    }
}

fn schema_of(root: &Arc<Output>, output: &Output, name: &str) -> ArrowSchema {
    let (format, children, dictionary) = match output {
        Output::Bits(_) => ("b", Vec::new(), std::ptr::null_mut()),
        Output::Texts(..) => ("i", Vec::new(), Box::into_raw(Box::new(text_schema(root)))),
        Output::Struct(columns) => {
            let children = columns.iter().map(|(name, column)| schema_of(root, column, name));
            ("+s", children.map(|child| Box::into_raw(Box::new(child))).collect(), std::ptr::null_mut())
        }
    };
    new_schema(root, format, name, children, dictionary)
}

fn text_schema(root: &Arc<Output>) -> ArrowSchema {
    new_schema(root, "u", "", Vec::new(), std::ptr::null_mut())
}

fn new_schema(
    root: &Arc<Output>,
    format: &str,
    name: &str,
    children: Vec<*mut ArrowSchema>,
    dictionary: *mut ArrowSchema,
) -> ArrowSchema {
    // A name cannot hold a zero here.
    let texts = [format, &name.replace('\0', "")].map(|text| CString::new(text).unwrap_or_default());
    let (format, name): (*const c_char, *const c_char) = (texts[0].as_ptr(), texts[1].as_ptr());
    let mut kept = Box::new(Kept {
        _output: Arc::clone(root),
        _texts: texts.into(),
        buffers: Vec::new(),
        schemas: children,
        arrays: Vec::new(),
    });
    ArrowSchema {
        format,
        name,
        metadata: std::ptr::null(),
        flags: NULLABLE,
        n_children: count(kept.schemas.len()),
        children: kept.schemas.as_mut_ptr(),
        dictionary,
        release: Some(release_schema),
        private_data: Box::into_raw(kept).cast(),
    }
}

fn array_of(root: &Arc<Output>, output: &Output, rows: usize) -> ArrowArray {
    let none = std::ptr::null::<c_void>();
    match output {
        Output::Bits(bits) => {
            new_array(root, rows, 0, vec![none, bits.as_ptr().cast()], Vec::new(), std::ptr::null_mut())
        }
        Output::Texts(places, validity, offsets, text) => {
            let buffers = vec![none, offsets.as_ptr().cast(), text.as_ptr().cast()];
            let texts = new_array(root, offsets.len() - 1, 0, buffers, Vec::new(), std::ptr::null_mut());
            let buffers = vec![validity.as_ptr().cast(), places.as_ptr().cast()];
            // -1: they were not counted.
            new_array(root, rows, -1, buffers, Vec::new(), Box::into_raw(Box::new(texts)))
        }
        Output::Struct(columns) => {
            let children = columns.iter().map(|(_, column)| array_of(root, column, rows));
            let children = children.map(|child| Box::into_raw(Box::new(child))).collect();
            new_array(root, rows, 0, vec![none], children, std::ptr::null_mut())
        }
    }
}

fn new_array(
    root: &Arc<Output>,
    rows: usize,
    nulls: i64,
    buffers: Vec<*const c_void>,
    children: Vec<*mut ArrowArray>,
    dictionary: *mut ArrowArray,
) -> ArrowArray {
    let mut kept = Box::new(Kept {
        _output: Arc::clone(root),
        _texts: Vec::new(),
        buffers,
        schemas: Vec::new(),
        arrays: children,
    });
    ArrowArray {
        length: count(rows),
        null_count: nulls,
        offset: 0,
        n_buffers: count(kept.buffers.len()),
        n_children: count(kept.arrays.len()),
        buffers: kept.buffers.as_mut_ptr(),
        children: kept.arrays.as_mut_ptr(),
        dictionary,
        release: Some(release_array),
        private_data: Box::into_raw(kept).cast(),
    }
}

/// A stream of one batch.
struct Stream {
    output: Arc<Output>,
    rows: usize,
    is_over: bool,
}

unsafe extern "C" fn get_schema(stream: *mut ArrowArrayStream, out: *mut ArrowSchema) -> c_int {
    // SAFETY: it is one that `export` made, and `out` is there to be written.
    unsafe {
        let stream = &*(*stream).private_data.cast::<Stream>();
        out.write(schema_of(&stream.output, &stream.output, ""));
    }
    0
}

unsafe extern "C" fn get_next(stream: *mut ArrowArrayStream, out: *mut ArrowArray) -> c_int {
    // SAFETY: as above.
    unsafe {
        let stream = &mut *(*stream).private_data.cast::<Stream>();
        let array = if std::mem::replace(&mut stream.is_over, true) {
            <ArrowArray as super::ffi::Released>::EMPTY
        } else {
            array_of(&stream.output, &stream.output, stream.rows)
        };
        out.write(array);
    }
    0
}

unsafe extern "C" fn get_last_error(_: *mut ArrowArrayStream) -> *const c_char {
    std::ptr::null()
}

unsafe extern "C" fn release_stream(stream: *mut ArrowArrayStream) {
    // SAFETY: it is one that `export` made, which is released once.
    unsafe {
        (*stream).release = None;
        drop(Box::from_raw((*stream).private_data.cast::<Stream>()));
    }
}

/// The capsule's own, which releases what nobody took over.
#[repr(transparent)]
struct Capsule(ArrowArrayStream);

// SAFETY: a stream may be used and released in any thread.
unsafe impl Send for Capsule {}

impl Drop for Capsule {
    fn drop(&mut self) {
        if let Some(release) = self.0.release {
            // SAFETY: nobody released it yet.
            unsafe { release(&raw mut self.0) }
        }
    }
}

/// A capsule of a stream with these columns.
pub(crate) fn export<'py>(
    py: Python<'py>,
    output: &Arc<Output>,
    rows: usize,
) -> PyResult<Bound<'py, PyCapsule>> {
    let stream = Box::new(Stream { output: Arc::clone(output), rows, is_over: false });
    let stream = Capsule(ArrowArrayStream {
        get_schema: Some(get_schema),
        get_next: Some(get_next),
        get_last_error: Some(get_last_error),
        release: Some(release_stream),
        private_data: Box::into_raw(stream).cast(),
    });
    // The stream is the first and only field of what the capsule points to.
    PyCapsule::new_with_value(py, stream, c"arrow_array_stream")
}
