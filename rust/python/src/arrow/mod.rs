//! Tables of others and for others, through the Arrow C data interface and its PyCapsules.
//!
//! Written by hand rather than with the `arrow` crates: what is read are columns of users, what is written are three
//! kinds of columns, and the crates would take longer to build than all else here.
//!
//! In: any object with `__arrow_c_stream__` or `__arrow_c_array__`. Out: a capsule of a stream.

mod cells;
mod columns;
mod ffi;
mod output;
mod table;

pub(crate) use cells::Cell;
pub(crate) use columns::Column;
pub(crate) use output::{Output, Spread, export};
pub(crate) use table::{Batch, Table};
