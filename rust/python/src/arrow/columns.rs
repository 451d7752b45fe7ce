//! One column: its buffers, read by row.
//!
//! How many bytes the buffers have is as the producer says; the interface gives that no other way. What it does give is
//! checked: that rows, offsets and indices are within their columns, and that text is UTF-8.

use std::ffi::CStr;
use std::ops::Range;

use super::cells::Cell;
use super::ffi::{ArrowArray, ArrowSchema};

/// Columns inside each other, below that of the batch.
const MAX_NESTING: usize = 64;

/// Columns by name.
type Columns = Vec<(String, Column)>;

/// A column of a batch that outlives it.
pub(crate) struct Column {
    kind: Kind,
    /// How many rows there are, from `offset` on.
    length: usize,
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
    /// It has rows, and no buffer for them: that is good for nulls only.
    Missing,
    Bool,
    Signed(u8),
    Unsigned(u8),
    Float32,
    Float64,
    /// Offsets of 32 bits.
    Text,
    /// Offsets of 64 bits.
    LargeText,
    /// Each with its own place; the buffers, and how many bytes they have.
    TextView(Vec<(*const u8, usize)>),
    List(Box<Column>),
    LargeList(Box<Column>),
    Struct(Columns),
    Dictionary(Box<Column>, Box<Column>),
}

impl Column {
    /// Reads what a column is. The error says what is wrong with it.
    ///
    /// # Safety
    /// Both are structures of the C data interface that belong together, and live for as long as the column does.
    pub(super) unsafe fn new(schema: &ArrowSchema, array: &ArrowArray) -> Result<Self, String> {
        // SAFETY: as for this function.
        unsafe { Self::nested(schema, array, 0) }
    }

    /// # Safety
    /// As for [`Self::new`].
    unsafe fn nested(schema: &ArrowSchema, array: &ArrowArray, depth: usize) -> Result<Self, String> {
        if depth > MAX_NESTING {
            return Err(format!("it is nested deeper than {MAX_NESTING} levels"));
        }
        if schema.format.is_null() {
            return Err("its Arrow type is missing".to_owned());
        }
        // SAFETY: by the interface, a text that ends with a zero.
        let format = unsafe { CStr::from_ptr(schema.format) }.to_string_lossy().into_owned();
        let count = usize::try_from(array.n_buffers).unwrap_or_default();
        let buffer = |index: usize| -> *const u8 {
            if index >= count || array.buffers.is_null() {
                return std::ptr::null();
            }
            // SAFETY: by the interface, there are `n_buffers` pointers.
            unsafe { *array.buffers.add(index) }.cast()
        };
        // SAFETY: as for this function.
        let child = |index: usize| unsafe { Self::child(schema, array, index, depth + 1) };
        let kind = if schema.dictionary.is_null() {
            match format.as_str() {
                "n" => Kind::Null,
                "b" => Kind::Bool,
                "f" => Kind::Float32,
                "g" => Kind::Float64,
                "u" => Kind::Text,
                "U" => Kind::LargeText,
                "vu" => {
                    // After validity and views come the buffers of text, and last their sizes.
                    let buffers = 2..count.saturating_sub(1);
                    let sizes = if buffers.is_empty() { std::ptr::null() } else { buffer(buffers.end) };
                    let size = |index: usize| {
                        // SAFETY: by the interface, there is a size of 64 bits of each.
                        let size = if sizes.is_null() { 0 } else { unsafe { read::<i64>(sizes, index - 2) } };
                        usize::try_from(size).unwrap_or_default()
                    };
                    Kind::TextView(buffers.map(|index| (buffer(index), size(index))).collect())
                }
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
            let values = unsafe { Self::nested(schema, values, depth + 1)? };
            Kind::Dictionary(Box::new(Self::of(indices, array, buffer)?), Box::new(values))
        };
        Self::of(kind, array, buffer)
    }

    fn of(kind: Kind, array: &ArrowArray, buffer: impl Fn(usize) -> *const u8) -> Result<Self, String> {
        let (Ok(length), Ok(offset)) = (usize::try_from(array.length), usize::try_from(array.offset)) else {
            return Err("its length or its offset is negative".to_owned());
        };
        let has_nulls = array.null_count != 0 && !matches!(kind, Kind::Null);
        let values = buffer(1);
        let is_missing = values.is_null() && length > 0 && !matches!(kind, Kind::Null | Kind::Struct(_));
        Ok(Self {
            length,
            validity: if has_nulls { buffer(0) } else { std::ptr::null() },
            offset,
            values,
            data: buffer(2),
            kind: if is_missing { Kind::Missing } else { kind },
        })
    }

    /// # Safety
    /// As for [`Self::new`].
    unsafe fn child(
        schema: &ArrowSchema,
        array: &ArrowArray,
        index: usize,
        depth: usize,
    ) -> Result<(String, Self), String> {
        let count = usize::try_from(schema.n_children.min(array.n_children)).unwrap_or_default();
        let missing = "a column within it is missing";
        if index >= count || schema.children.is_null() || array.children.is_null() {
            return Err(missing.to_owned());
        }
        // SAFETY: by the interface, there are as many pointers, and they are valid.
        let (schema, array) =
            unsafe { ((*schema.children.add(index)).as_ref(), (*array.children.add(index)).as_ref()) };
        let (schema, array) = (schema.ok_or(missing)?, array.ok_or(missing)?);
        let name = if schema.name.is_null() {
            String::new()
        } else {
            // SAFETY: by the interface, a text that ends with a zero.
            unsafe { CStr::from_ptr(schema.name) }.to_string_lossy().into_owned()
        };
        // SAFETY: they belong together.
        let column =
            unsafe { Self::nested(schema, array, depth) }.map_err(|error| format!("{name}: {error}"))?;
        Ok((name, column))
    }

    /// The columns of a batch, which is a struct, and the rows of them that it has.
    pub(super) fn members(self) -> Result<(Columns, Range<usize>), String> {
        let Kind::Struct(columns) = self.kind else {
            return Err("expected columns by name".to_owned());
        };
        let rows = self.offset..self.offset.saturating_add(self.length);
        match columns.iter().find(|(_, column)| column.length < rows.end) {
            Some((name, _)) => Err(format!("column {name:?} has fewer rows than the table")),
            None => Ok((columns, rows)),
        }
    }

    /// True if all it can hold is text, or nothing.
    pub(crate) fn is_text(&self) -> bool {
        match &self.kind {
            Kind::Null | Kind::Missing | Kind::Text | Kind::LargeText | Kind::TextView(_) => true,
            Kind::Dictionary(_, values) => values.is_text(),
            _ => false,
        }
    }

    /// True if every row has members by name, or nothing.
    pub(crate) fn is_struct(&self) -> bool {
        matches!(self.kind, Kind::Struct(_) | Kind::Null | Kind::Missing)
    }

    /// What it has in a row.
    #[inline]
    pub(crate) fn cell(&self, row: usize) -> Result<Cell<'_>, String> {
        if row >= self.length {
            return Err("it has fewer rows than are needed of it".to_owned());
        }
        let at = self.offset + row;
        // SAFETY: by the interface, each row has a bit, if there is a buffer.
        if !self.validity.is_null() && !unsafe { bit(self.validity, at) } {
            return Ok(Cell::Null);
        }
        Ok(match &self.kind {
            Kind::Null => Cell::Null,
            Kind::Missing => return Err("its values are missing".to_owned()),
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
                let (from, to) = self.span::<i32>(at)?;
                // SAFETY: by the interface, offsets lie within the buffer.
                Cell::Text(text(unsafe { bytes(self.data, from, to) }?)?)
            }
            Kind::LargeText => {
                let (from, to) = self.span::<i64>(at)?;
                // SAFETY: as above.
                Cell::Text(text(unsafe { bytes(self.data, from, to) }?)?)
            }
            Kind::TextView(buffers) => Cell::Text(text(self.viewed(at, buffers)?)?),
            Kind::List(items) => {
                let (from, to) = self.span::<i32>(at)?;
                Cell::List(items, from, to)
            }
            Kind::LargeList(items) => {
                let (from, to) = self.span::<i64>(at)?;
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

    /// What a row has of another column, or of the bytes of all texts.
    #[inline]
    fn span<T: Copy + TryInto<usize>>(&self, at: usize) -> Result<(usize, usize), String> {
        // SAFETY: by the interface, there is one offset more than there are rows.
        let (from, to) = unsafe { (read::<T>(self.values, at), read::<T>(self.values, at + 1)) };
        match (from.try_into(), to.try_into()) {
            (Ok(from), Ok(to)) if from <= to => Ok((from, to)),
            _ => Err("its offsets are not in order".to_owned()),
        }
    }

    /// A view has the length, and up to 12 bytes of text, or else four of them, the buffer and the place there.
    fn viewed(&self, at: usize, buffers: &[(*const u8, usize)]) -> Result<&[u8], String> {
        const INLINE: usize = 12;
        // SAFETY: by the interface, each row has a view of 16 bytes.
        let view = unsafe { self.values.add(16 * at) };
        // SAFETY: as above.
        let (length, buffer, from) =
            unsafe { (read::<i32>(view, 0), read::<i32>(view, 2), read::<i32>(view, 3)) };
        let length = usize::try_from(length).map_err(|_| "a view has a negative length")?;
        if length <= INLINE {
            // SAFETY: as above.
            return unsafe { bytes(view, 4, 4 + length) };
        }
        let data = usize::try_from(buffer).ok().and_then(|buffer| buffers.get(buffer));
        match (usize::try_from(from), data) {
            // SAFETY: by the interface, the buffer has so many bytes.
            (Ok(from), Some((data, size))) if from + length <= *size => unsafe {
                bytes(*data, from, from + length)
            },
            _ => Err("a view points to what is not there".to_owned()),
        }
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
/// There are `to` bytes or more, or none at all.
unsafe fn bytes<'a>(data: *const u8, from: usize, to: usize) -> Result<&'a [u8], String> {
    if to <= from {
        return Ok(&[]);
    }
    if data.is_null() {
        return Err("its text is missing".to_owned());
    }
    // SAFETY: see above.
    Ok(unsafe { std::slice::from_raw_parts(data.add(from), to - from) })
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
