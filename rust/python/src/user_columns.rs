//! Columns of a table as fields of users.

use statsig_engine::{AttributeMap, UserBuilder};

use crate::arrow::{Batch, Cell, Column};
use crate::user::{FIELDS, Part};

/// Where each field of a user is in a batch.
pub(crate) struct UserColumns<'a> {
    first: usize,
    standard: Vec<(statsig_engine::StandardField, &'a str, &'a Column)>,
    /// Of each map, columns of structs, and columns of single attributes.
    maps: Vec<(AttributeMap, &'a str, Vec<Members<'a>>)>,
    has_id: bool,
}

enum Members<'a> {
    All(&'a Column),
    One(&'a str, &'a Column),
}

impl<'a> UserColumns<'a> {
    /// Columns have the names of the fields of `StatsigUser` or of the payload. Attributes are in structs, or in columns
    /// called `custom.plan` and so on.
    pub(crate) fn new(batch: &'a Batch) -> Result<Self, String> {
        let mut found = Self { first: batch.first, standard: Vec::new(), maps: Vec::new(), has_id: false };
        for (name, column) in &batch.columns {
            let (field, member) = match name.split_once('.') {
                Some((field, member)) => (field, Some(member)),
                None => (name.as_str(), None),
            };
            let known = FIELDS.iter().find(|(python, wire, _)| field == *python || field == *wire);
            match (known, member) {
                (Some((_, _, Part::Field(field))), None) => {
                    if !column.is_text() {
                        return Err(format!("argument 'table': column {name:?}: expected text"));
                    }
                    found.has_id |= *field == statsig_engine::StandardField::UserId;
                    found.standard.push((*field, name, column));
                }
                (Some((_, _, Part::Map(map))), member) => {
                    let members = match member {
                        Some(member) => Members::One(member, column),
                        None if column.is_struct() => Members::All(column),
                        None => return Err(format!("argument 'table': column {name:?}: expected a struct")),
                    };
                    match found.maps.iter_mut().find(|(known, _, _)| known == map) {
                        Some((_, _, all)) => all.push(members),
                        None => found.maps.push((*map, name, vec![members])),
                    }
                }
                _ => {
                    let known: Vec<_> = FIELDS.iter().map(|(name, _, _)| *name).collect();
                    return Err(format!(
                        "argument 'table': unknown column {name:?}, expected one of {} (or its camelCase form); \
                         attributes of your own belong into custom, a struct, or into columns called custom.plan \
                         and so on",
                        known.join(", ")
                    ));
                }
            }
        }
        Ok(found)
    }
}

/// Fills a builder with the user of a row. What is null is not given.
pub(crate) fn fill(builder: &mut UserBuilder, columns: &UserColumns<'_>, row: usize) -> Result<(), String> {
    let row = columns.first + row;
    let mut has_id = false;
    for (field, name, column) in &columns.standard {
        if let Cell::Text(text) = column.cell(row).map_err(|error| at(name, row, &error))? {
            builder.standard(*field, text);
            has_id |= *field == statsig_engine::StandardField::UserId;
        }
    }
    if !has_id {
        builder.standard(statsig_engine::StandardField::UserId, "");
    }
    for (map, name, members) in &columns.maps {
        builder.begin(*map, members.len());
        let scalars_only = matches!(map, AttributeMap::CustomIds | AttributeMap::Environment);
        for members in members {
            let outcome = match members {
                Members::One(key, column) => {
                    column.cell(row).and_then(|cell| add(builder, key, cell, scalars_only))
                }
                Members::All(column) => match column.cell(row) {
                    Ok(Cell::Struct(columns, row)) => columns.iter().try_for_each(|(key, column)| {
                        column.cell(row).and_then(|cell| add(builder, key, cell, scalars_only))
                    }),
                    Ok(_) => Ok(()),
                    Err(error) => Err(error),
                },
            };
            outcome.map_err(|error| at(name, row, &error))?;
        }
    }
    Ok(())
}

#[cold]
fn at(name: &str, row: usize, error: &str) -> String {
    format!("argument 'table': column {name:?}, row {row}: {error}")
}

#[inline]
fn add(builder: &mut UserBuilder, key: &str, cell: Cell<'_>, scalars_only: bool) -> Result<(), String> {
    match cell {
        Cell::Null => {}
        Cell::Bool(value) => builder.bool(key, value),
        Cell::Int(value) => builder.int(key, value),
        Cell::Float(value) => builder.float(key, value),
        Cell::Text(text) => builder.text(key, text),
        Cell::List(..) | Cell::Struct(..) if scalars_only => {
            return Err(format!("{key}: expected text, a number or a boolean"));
        }
        Cell::List(..) | Cell::Struct(..) => builder.attribute(key, &cell.attribute()?),
    }
    Ok(())
}
