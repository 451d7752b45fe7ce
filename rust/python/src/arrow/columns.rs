//! One column: its buffers, read by row.
//!
//! What the buffers hold is as the producer says; the interface gives their lengths no other way. Text is checked.

use std::ffi::CStr;

use super::cells::Cell;
use super::ffi::{ArrowArray, ArrowSchema};

/// A column of a batch that outlives it.
pub(crate) struct Column {
    kind: Kind,
    validity: *const u8,
    offset: usize,
    values: *const u8,
    data: *const u8,
}

// SAFETY: nobody writes to the buffers of an array, and they may be read and released in any thread.
unsafe impl Send for Column {}
// SAFETY: as above.
unsafe impl Sync for Column {}

enum Kind {
    Null,
    Bool,
    Signed(u8),
    Unsigned(u8),
    Float32,
    Float64,
    /// Offsets of 32 bits.
    Text,
    /// Offsets of 64 bits.
    LargeText,
    /// Each with its own place; the buffers.
    TextView(Vec<*const u8>),
    List(Box<Column>),
    LargeList(Box<Column>),
    Struct(Vec<(String, Column)>),
    Dictionary(Box<Column>, Box<Column>),
}

impl Column {
    /// Reads what a column is. The error says what is wrong with it.
    ///
    /// # Safety
    /// Both are structures of the C data interface that belong together, and live for as long as the column does.
    pub(super) unsafe fn new(schema: &ArrowSchema, array: &ArrowArray) -> Result<Self, String> {
        // SAFETY: by the interface, a text that ends with a zero.
        let format = unsafe { CStr::from_ptr(schema.format) }.to_string_lossy().into_owned();
        let count = usize::try_from(array.n_buffers).unwrap_or_default();
        let buffer = |index: usize| -> *const u8 {
            if index >= count {
                return std::ptr::null();
            }
            // SAFETY: by the interface, there are `n_buffers` pointers.
            unsafe { *array.buffers.add(index) }.cast()
        };
        // SAFETY: as for this function.
        let child = |index: usize| unsafe { Self::child(schema, array, index) };
        let kind = if schema.dictionary.is_null() {
            match format.as_str() {
                "n" => Kind::Null,
                "b" => Kind::Bool,
                "f" => Kind::Float32,
                "g" => Kind::Float64,
                "u" => Kind::Text,
                "U" => Kind::LargeText,
                // After validity and views come the buffers of text, and last their sizes.
                "vu" => Kind::TextView((2..count.saturating_sub(1)).map(buffer).collect()),
                "+l" => Kind::List(Box::new(child(0)?.1)),
                "+L" => Kind::LargeList(Box::new(child(0)?.1)),
                "+s" => {
                    let children = usize::try_from(schema.n_children).unwrap_or_default();
                    Kind::Struct((0..children).map(child).collect::<Result<_, _>>()?)
                }
                other => integer(other)
                    .ok_or_else(|| format!("the Arrow type {other:?} is none a condition could look at"))?,
            }
        } else {
            // SAFETY: by the interface, both have a dictionary if one has.
            let (schema, values) = unsafe { (&*schema.dictionary, array.dictionary.as_ref()) };
            let values = values.ok_or("its dictionary is missing")?;
            let indices = integer(&format).ok_or_else(|| format!("indices of the Arrow type {format:?}"))?;
            // SAFETY: as for this function.
            let values = unsafe { Self::new(schema, values)? };
            Kind::Dictionary(Box::new(Self::of(indices, array, buffer)), Box::new(values))
        };
        Ok(Self::of(kind, array, buffer))
    }

    fn of(kind: Kind, array: &ArrowArray, buffer: impl Fn(usize) -> *const u8) -> Self {
        let has_nulls = array.null_count != 0 && !matches!(kind, Kind::Null);
        Self {
            validity: if has_nulls { buffer(0) } else { std::ptr::null() },
            offset: usize::try_from(array.offset).unwrap_or_default(),
            values: buffer(1),
            data: buffer(2),
            kind,
        }
    }

    /// # Safety
    /// As for [`Self::new`].
    unsafe fn child(
        schema: &ArrowSchema,
        array: &ArrowArray,
        index: usize,
    ) -> Result<(String, Self), String> {
        let count = usize::try_from(schema.n_children.min(array.n_children)).unwrap_or_default();
        if index >= count {
            return Err("a column within it is missing".to_owned());
        }
        // SAFETY: by the interface, there are as many pointers, and they are valid.
        let (schema, array) = unsafe { (&**schema.children.add(index), &**array.children.add(index)) };
        let name = if schema.name.is_null() {
            String::new()
        } else {
            // SAFETY: by the interface, a text that ends with a zero.
            unsafe { CStr::from_ptr(schema.name) }.to_string_lossy().into_owned()
        };
        // SAFETY: they belong together.
        let column = unsafe { Self::new(schema, array) }.map_err(|error| format!("{name}: {error}"))?;
        Ok((name, column))
    }

    /// The columns of a batch, which is a struct, and the row they begin with.
    pub(crate) fn members(self) -> Option<(Vec<(String, Column)>, usize)> {
        if let Kind::Struct(columns) = self.kind { Some((columns, self.offset)) } else { None }
    }

    /// True if all it can hold is text, or nothing.
    pub(crate) fn is_text(&self) -> bool {
        match &self.kind {
            Kind::Null | Kind::Text | Kind::LargeText | Kind::TextView(_) => true,
            Kind::Dictionary(_, values) => values.is_text(),
            _ => false,
        }
    }

    /// True if every row has members by name, or nothing.
    pub(crate) fn is_struct(&self) -> bool {
        matches!(self.kind, Kind::Struct(_) | Kind::Null)
    }

    /// What it has in a row that the batch has.
    #[inline]
    pub(crate) fn cell(&self, row: usize) -> Result<Cell<'_>, String> {
        let at = self.offset + row;
        // SAFETY: by the interface, each row has a bit, if there is a buffer.
        if !self.validity.is_null() && !unsafe { bit(self.validity, at) } {
            return Ok(Cell::Null);
        }
        Ok(match &self.kind {
            Kind::Null => Cell::Null,
            // SAFETY: by the interface, each row has a bit.
            Kind::Bool => Cell::Bool(unsafe { bit(self.values, at) }),
            Kind::Signed(_) | Kind::Unsigned(_) => match i64::try_from(self.whole(at)) {
                Ok(whole) => Cell::Int(whole),
                Err(_) => Cell::Float(self.whole(at) as f64),
            },
            // SAFETY: by the interface, each row has a number of this size.
            Kind::Float32 => Cell::Float(unsafe { read::<f32>(self.values, at) }.into()),
            // SAFETY: as above.
            Kind::Float64 => Cell::Float(unsafe { read(self.values, at) }),
            Kind::Text => {
                let (from, to) = self.span32(at);
                // SAFETY: by the interface, offsets lie within the buffer.
                Cell::Text(text(unsafe { bytes(self.data, from, to) })?)
            }
            Kind::LargeText => {
                let (from, to) = self.span64(at);
                // SAFETY: as above.
                Cell::Text(text(unsafe { bytes(self.data, from, to) })?)
            }
            Kind::TextView(buffers) => Cell::Text(text(self.viewed(at, buffers)?)?),
            Kind::List(items) => {
                let (from, to) = self.span32(at);
                Cell::List(items, from, to)
            }
            Kind::LargeList(items) => {
                let (from, to) = self.span64(at);
                Cell::List(items, from, to)
            }
            Kind::Struct(columns) => Cell::Struct(columns, at),
            Kind::Dictionary(indices, values) => match usize::try_from(indices.whole(at)) {
                Ok(index) => values.cell(index)?,
                Err(_) => return Err("an index into a dictionary is negative".to_owned()),
            },
        })
    }

    /// The whole number at a place that counts the offset in.
    #[inline]
    fn whole(&self, at: usize) -> i128 {
        // SAFETY: by the interface, each row has a number of this size.
        unsafe {
            match self.kind {
                Kind::Signed(1) => read::<i8>(self.values, at).into(),
                Kind::Signed(2) => read::<i16>(self.values, at).into(),
                Kind::Signed(4) => read::<i32>(self.values, at).into(),
                Kind::Signed(_) => read::<i64>(self.values, at).into(),
                Kind::Unsigned(1) => read::<u8>(self.values, at).into(),
                Kind::Unsigned(2) => read::<u16>(self.values, at).into(),
                Kind::Unsigned(4) => read::<u32>(self.values, at).into(),
                _ => read::<u64>(self.values, at).into(),
            }
        }
    }

    fn span32(&self, at: usize) -> (usize, usize) {
        // SAFETY: by the interface, there is one offset more than there are rows.
        let (from, to) = unsafe { (read::<i32>(self.values, at), read::<i32>(self.values, at + 1)) };
        (usize::try_from(from).unwrap_or_default(), usize::try_from(to).unwrap_or_default())
    }

    fn span64(&self, at: usize) -> (usize, usize) {
        // SAFETY: as above.
        let (from, to) = unsafe { (read::<i64>(self.values, at), read::<i64>(self.values, at + 1)) };
        (usize::try_from(from).unwrap_or_default(), usize::try_from(to).unwrap_or_default())
    }

    /// A view has the length, and up to 12 bytes of text, or else four of them, the buffer and the place there.
    fn viewed(&self, at: usize, buffers: &[*const u8]) -> Result<&[u8], String> {
        const INLINE: usize = 12;
        // SAFETY: by the interface, each row has a view of 16 bytes.
        let view = unsafe { self.values.add(16 * at) };
        // SAFETY: as above.
        let (length, buffer, from) =
            unsafe { (read::<i32>(view, 0), read::<i32>(view, 2), read::<i32>(view, 3)) };
        let length = usize::try_from(length).unwrap_or_default();
        if length <= INLINE {
            // SAFETY: as above.
            return Ok(unsafe { bytes(view, 4, 4 + length) });
        }
        let from = usize::try_from(from).unwrap_or_default();
        let data = usize::try_from(buffer).ok().and_then(|buffer| buffers.get(buffer));
        let data = data.ok_or("a view points to a buffer that is not there")?;
        // SAFETY: by the interface, views lie within their buffer.
        Ok(unsafe { bytes(*data, from, from + length) })
    }
}

fn text(bytes: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(bytes).map_err(|_| "text that is not UTF-8".to_owned())
}

/// # Safety
/// There are more than `at` bits.
unsafe fn bit(bits: *const u8, at: usize) -> bool {
    // SAFETY: see above.
    unsafe { *bits.add(at / 8) >> (at % 8) & 1 == 1 }
}

/// # Safety
/// There are more than `at` numbers.
unsafe fn read<T: Copy>(values: *const u8, at: usize) -> T {
    // SAFETY: see above. Buffers are aligned, but nothing relies on it.
    unsafe { values.cast::<T>().add(at).read_unaligned() }
}

/// # Safety
/// There are `to` bytes or more, or none are asked for.
unsafe fn bytes<'a>(data: *const u8, from: usize, to: usize) -> &'a [u8] {
    if to <= from || data.is_null() {
        return &[];
    }
    // SAFETY: see above.
    unsafe { std::slice::from_raw_parts(data.add(from), to - from) }
}

/// The integers of a format, by their size in bytes; None if it has none.
fn integer(format: &str) -> Option<Kind> {
    Some(match format {
        "c" => Kind::Signed(1),
        "s" => Kind::Signed(2),
        "i" => Kind::Signed(4),
        "l" => Kind::Signed(8),
        "C" => Kind::Unsigned(1),
        "S" => Kind::Unsigned(2),
        "I" => Kind::Unsigned(4),
        "L" => Kind::Unsigned(8),
        _ => return None,
    })
}
