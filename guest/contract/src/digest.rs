//! Digests by which a guest notices that what it applied has changed.

use std::hash::Hasher;

/// A 64-bit digest: FNV-1a (draft-eastlake-fnv) over eight bytes at a time, mixed at the end.
///
/// It notices changes and protects against nobody. Guests store it in annotations of the objects that they apply, so
/// it must stay the same for ever, whatever the library or the compiler.
///
/// ```
/// use orascache_contract::digest::Digest;
///
/// assert_eq!(Digest::of_bytes(b"hello"), "7d25205ef379eb9f");
/// ```
#[derive(Clone, Debug)]
pub struct Digest(u64);

const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

impl Digest {
    /// The digest of nothing.
    pub const fn new() -> Self {
        Self(OFFSET_BASIS)
    }

    /// Sixteen hexadecimal digits that depend on every byte.
    pub fn of_bytes(bytes: &[u8]) -> String {
        let mut digest = Self::new();
        digest.write(bytes);
        digest.to_hex()
    }

    /// Sixteen hexadecimal digits.
    pub fn to_hex(&self) -> String {
        format!("{:016x}", self.finish())
    }
}

impl Default for Digest {
    fn default() -> Self {
        Self::new()
    }
}

impl Hasher for Digest {
    fn finish(&self) -> u64 {
        // Mixes the high bits down (the finaliser of SplitMix64), since whole words went in.
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn write(&mut self, bytes: &[u8]) {
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            let mut buffer = [0; 8];
            buffer.copy_from_slice(word);
            self.write_u64(u64::from_le_bytes(buffer));
        }
        let rest = words.remainder();
        let mut buffer = [0; 8];
        if let Some(room) = buffer.get_mut(..rest.len()) {
            room.copy_from_slice(rest);
        }
        // The length keeps "a" + "b" apart from "ab" and from "a\0".
        self.write_u64(u64::from_le_bytes(buffer));
        self.write_u64(bytes.len() as u64);
    }

    fn write_u64(&mut self, word: u64) {
        // The rotation lets high bits reach low ones between the multiplications.
        self.0 = (self.0 ^ word).wrapping_mul(PRIME).rotate_left(29);
    }

    fn write_u8(&mut self, byte: u8) {
        self.write_u64(u64::from(byte));
    }
}
