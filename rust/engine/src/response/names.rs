//! How a response writes the names of specs.

use std::fmt::Write;

use crate::json::write_json_string;
use crate::sha256::digest;

/// How a response writes the names of gates, configs, experiments, layers and parameter stores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NameHash {
    /// As the decimal text of a 32-bit hash.
    #[default]
    Djb2,
    /// As the base64 text of a SHA-256.
    Sha256,
    /// As they are.
    Plain,
}

impl NameHash {
    /// What the reference takes a name for: `none`, `sha256`, and anything else for `djb2`.
    #[must_use]
    pub fn named(name: &str) -> Self {
        match name {
            "none" => Self::Plain,
            "sha256" => Self::Sha256,
            _ => Self::Djb2,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Djb2 => "djb2",
            Self::Sha256 => "sha256",
            Self::Plain => "none",
        }
    }

    /// Appends a name as a JSON string.
    pub(super) fn write(self, out: &mut String, name: &str) {
        match self {
            Self::Plain => write_json_string(out, name),
            Self::Djb2 => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\"{}\"", djb2(name));
            }
            Self::Sha256 => {
                out.push('"');
                write_base64(out, digest(name.as_bytes()));
                out.push('"');
            }
        }
    }
}

/// Over Unicode scalar values.
pub(crate) fn djb2(text: &str) -> u32 {
    text.chars().fold(0, |hash: u32, char| hash.wrapping_mul(31).wrapping_add(char as u32))
}

fn write_base64(out: &mut String, digest: [u8; 32]) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for group in digest.chunks(3) {
        let mut bits = 0;
        for index in 0..3 {
            bits = bits << 8 | u32::from(*group.get(index).unwrap_or(&0));
        }
        for index in 0..=group.len() {
            let digit = bits >> (18 - 6 * index) & 63;
            out.push(char::from(DIGITS[digit as usize]));
        }
    }
    // 32 bytes are ten groups and two thirds of one.
    out.push('=');
}

#[cfg(test)]
mod tests {
    use super::{NameHash, djb2};

    fn written(hash: NameHash, name: &str) -> String {
        let mut out = String::new();
        hash.write(&mut out, name);
        out
    }

    /// Figures of the reference.
    #[test]
    fn known_hashes() {
        for (text, hash) in [("", 0), ("test", 3_556_498), ("a_gate", 2_867_927_529), ("\u{1f600}", 128_512)]
        {
            assert_eq!(djb2(text), hash, "{text}");
        }
        assert_eq!(written(NameHash::Djb2, "a_gate"), "\"2867927529\"");
        // SHA-256 of nothing and of "A".
        assert_eq!(written(NameHash::Sha256, ""), "\"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\"");
        assert_eq!(written(NameHash::Sha256, "A"), "\"VZrq0IJk1XldOQlxjN0Fq9SVcuhP5VWQ7vMaiKCP3/0=\"");
        assert_eq!(written(NameHash::Plain, "a\"b"), r#""a\"b""#);
    }
}
