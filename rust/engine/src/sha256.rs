//! One-shot SHA-256 over short messages, without allocation.
//!
//! Of most digests the first eight bytes are wanted, as a big-endian number: that is all bucketing uses. A [`Prefix`] keeps the state after the constant part of a message, so that a
//! check only hashes what depends on the user.

use sha2::Digest;
use sha2::block_api::compress256;

const BLOCK: usize = 64;
/// The length field and the mandatory 0x80 byte: what padding needs at least.
const PADDING: usize = 9;
const INITIAL_STATE: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// The whole digest.
pub(crate) fn digest(message: &[u8]) -> [u8; 32] {
    sha2::Sha256::digest(message).into()
}

/// The constant start of a message: whole blocks already hashed, the rest kept as bytes.
#[derive(Clone, Debug)]
pub(crate) struct Prefix {
    state: [u32; 8],
    tail: [u8; BLOCK],
    /// Bytes of the message so far; `len % 64` of them are in `tail`, and zeros after them.
    len: u64,
}

impl Prefix {
    pub(crate) const EMPTY: Self = Self { state: INITIAL_STATE, tail: [0; BLOCK], len: 0 };

    pub(crate) fn new(bytes: &[u8]) -> Self {
        let mut state = INITIAL_STATE;
        let (blocks, rest) = bytes.as_chunks::<BLOCK>();
        compress256(&mut state, blocks);
        let mut tail = [0; BLOCK];
        tail[..rest.len()].copy_from_slice(rest);
        Self { state, tail, len: bytes.len() as u64 }
    }

    /// First eight bytes, big-endian, of the SHA-256 of this prefix followed by `rest`.
    pub(crate) fn finish(&self, mut rest: &[u8]) -> u64 {
        let mut state = self.state;
        // Two blocks, because padding may spill over into a second one.
        let mut buffer = [[0; BLOCK]; 2];
        let mut filled = (self.len % BLOCK as u64) as usize;
        // All of it, because what is beyond is zero, and a copy of known size is quick.
        buffer[0] = self.tail;
        let total_bits = (self.len + rest.len() as u64).wrapping_mul(8);

        while filled + rest.len() >= BLOCK {
            let (head, remaining) = rest.split_at(BLOCK - filled);
            buffer[0][filled..].copy_from_slice(head);
            compress256(&mut state, &buffer[..1]);
            rest = remaining;
            filled = 0;
            buffer[0] = [0; BLOCK];
        }

        buffer[0][filled..filled + rest.len()].copy_from_slice(rest);
        filled += rest.len();
        buffer[0][filled] = 0x80;
        let blocks = if filled + PADDING <= BLOCK { 1 } else { 2 };
        buffer[blocks - 1][BLOCK - 8..].copy_from_slice(&total_bits.to_be_bytes());
        compress256(&mut state, &buffer[..blocks]);
        u64::from(state[0]) << 32 | u64::from(state[1])
    }
}

#[cfg(test)]
mod tests {
    use super::Prefix;
    use sha2::{Digest, Sha256};

    fn reference(message: &[u8]) -> u64 {
        let digest = Sha256::digest(message);
        u64::from_be_bytes(digest[..8].try_into().unwrap())
    }

    #[test]
    fn agrees_with_sha2_for_every_split_around_the_block_edges() {
        let message: Vec<u8> = (0..260u32).map(|i| (i * 31 % 251) as u8).collect();
        for len in 0..message.len() {
            for split in 0..=len {
                let prefix = Prefix::new(&message[..split]);
                assert_eq!(prefix.finish(&message[split..len]), reference(&message[..len]), "{split}/{len}");
            }
        }
    }
}
