//! ID lists: which units are on which list.
//!
//! A list keeps, of every unit id on it, the first 48 bits of its SHA-256. Written down, that is the first
//! eight characters of the digest in base64.

use std::array;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};

use crate::sha256::Prefix;

/// How long a member is when written down.
const WRITTEN: usize = 8;

type Member = [u8; 6];

/// One list.
#[derive(Clone, Debug, Default)]
pub struct IdList(HashSet<Member, FixedState>);

impl IdList {
    /// Puts a unit id on the list.
    pub fn insert(&mut self, id: &str) {
        self.0.insert(member(id));
    }

    /// Makes the changes written in a list file, line by line: `+` or `-`, then eight characters of base64.
    ///
    /// Other lines change nothing. Nor does it make a difference that the reference keeps other characters:
    /// no digest has them. A line ends with a line feed, before which one carriage return is passed over.
    ///
    /// False, and nothing is changed, if the first that is no white space is neither `+` nor `-`, or if it
    /// is not UTF-8: then it is something else, such as an error page.
    #[must_use]
    pub fn apply(&mut self, lines: &[u8]) -> bool {
        if !is_list_file(lines) {
            return false;
        }
        for line in lines.split_inclusive(|&byte| byte == b'\n') {
            let line = line.strip_suffix(b"\n").map_or(line, |line| line.strip_suffix(b"\r").unwrap_or(line));
            match line.split_first() {
                Some((b'+', written)) => {
                    self.0.extend(read(written));
                }
                Some((b'-', written)) => {
                    read(written).map(|member| self.0.remove(&member));
                }
                _ => {}
            }
        }
        true
    }

    /// Whether a unit id is on the list.
    #[must_use]
    pub fn contains(&self, id: &str) -> bool {
        self.0.contains(&member(id))
    }

    /// How many are on the list.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nobody is on the list.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Lists by name. A copy shares its lists with the original.
#[derive(Clone, Debug, Default)]
pub struct IdLists(HashMap<Box<str>, Arc<IdList>, FixedState>);

impl IdLists {
    /// A list.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&IdList> {
        self.0.get(name).map(|list| &**list)
    }

    /// Puts a list in place of the one of that name.
    pub fn insert(&mut self, name: &str, list: Arc<IdList>) {
        self.0.insert(name.into(), list);
    }

    /// Takes a list away.
    pub fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// Whether a unit id is on a list. Nobody is on a list that does not exist.
    #[must_use]
    pub fn contains(&self, name: &str, id: &str) -> bool {
        self.get(name).is_some_and(|list| list.contains(id))
    }
}

fn is_list_file(lines: &[u8]) -> bool {
    let text = str::from_utf8(lines).map(str::trim_start);
    text.is_ok_and(|text| text.is_empty() || text.starts_with(['+', '-']))
}

fn member(id: &str) -> Member {
    let start = Prefix::EMPTY.finish(id.as_bytes()).to_be_bytes();
    array::from_fn(|index| start[index])
}

fn read(written: &[u8]) -> Option<Member> {
    let written: &[u8; WRITTEN] = written.try_into().ok()?;
    let mut bits = 0_u64;
    for &character in written {
        bits = bits << 6 | u64::from(six_bits(character)?);
    }
    let bytes = bits.to_be_bytes();
    Some(array::from_fn(|index| bytes[index + 2]))
}

/// What a character of base64 stands for.
fn six_bits(character: u8) -> Option<u8> {
    Some(match character {
        b'A'..=b'Z' => character - b'A',
        b'a'..=b'z' => character - b'a' + 26,
        b'0'..=b'9' => character - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}
