//! What one column has in one row.

use statsig_engine::Attribute;

use super::columns::Column;

/// A value as it lies in a table.
#[derive(Clone, Copy)]
pub(crate) enum Cell<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(&'a str),
    /// Rows from and to of another column.
    List(&'a Column, usize, usize),
    /// One row of several columns.
    Struct(&'a [(String, Column)], usize),
}

impl Cell<'_> {
    /// The value with all that is in it. A member of a struct that is null is not there.
    pub(crate) fn attribute(self) -> Result<Attribute, String> {
        Ok(match self {
            Cell::Null => Attribute::Null,
            Cell::Bool(value) => Attribute::Bool(value),
            Cell::Int(value) => Attribute::Int(value),
            Cell::Float(value) => Attribute::Float(value),
            Cell::Text(text) => Attribute::Text(text.to_owned()),
            Cell::List(column, from, to) => Attribute::Array(
                (from..to).map(|row| column.cell(row)?.attribute()).collect::<Result<_, String>>()?,
            ),
            Cell::Struct(columns, row) => {
                let mut members = Vec::new();
                for (name, column) in columns {
                    let cell = column.cell(row)?;
                    if !matches!(cell, Cell::Null) {
                        members.push((name.clone(), cell.attribute()?));
                    }
                }
                Attribute::Object(members)
            }
        })
    }
}
