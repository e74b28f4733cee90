//! The part of a string that stands for itself.

/// Every byte of a word is 1.
const ONES: u64 = u64::MAX / 0xff;
/// The highest bit of every byte of a word.
const HIGHEST_BITS: u64 = ONES << 7;

/// The number of bytes before the first one that JSON escapes in a string: a quotation mark, a
/// backslash or a control character (RFC 8259, section 7).
// Eight bytes are looked at together. Strings are half of an object's text, and this is the loop
// over them.
#[inline]
pub(crate) fn length(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let special = special(u64::from_le_bytes(*word));
        if special != 0 {
            return index * 8 + (special.trailing_zeros() / 8) as usize;
        }
    }
    let in_rest = rest.iter().position(|byte| is_special(*byte)).unwrap_or(rest.len());
    words.len() * 8 + in_rest
}

fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// The highest bit of the first special byte, and perhaps of bytes behind it. 0 when there is none.
// Subtracting borrows from the byte behind, which can only be wrong behind a special byte.
// (S. E. Anderson, Bit Twiddling Hacks, "Determine if a word has a byte less than n".)
fn special(word: u64) -> u64 {
    let less_than = |word: u64, limit: u8| word.wrapping_sub(ONES * u64::from(limit)) & !word;
    let equal_to = |byte: u8| less_than(word ^ (ONES * u64::from(byte)), 1);
    (less_than(word, 0x20) | equal_to(b'"') | equal_to(b'\\')) & HIGHEST_BITS
}

#[cfg(test)]
mod tests {
    use super::{is_special, length};

    #[test]
    fn every_byte_is_told_apart_at_every_place() {
        for byte in 0..=u8::MAX {
            for place in 0..20 {
                let mut bytes = [b'a'; 20];
                bytes[place] = byte;
                let expected = if is_special(byte) { place } else { 20 };
                assert_eq!(length(&bytes), expected, "byte {byte:#x} at {place}");
            }
        }
    }

    #[test]
    fn the_first_of_several_counts_whatever_is_around_it() {
        // A borrow of a special byte changes what is found of the bytes behind it.
        for first in [0, 0x1f, b'"', b'\\'] {
            for behind in 0..=u8::MAX {
                for before in [b' ', b'#', b'!', b'[', b']', 0x7f, 0x80, 0xff] {
                    let bytes = [before, first, behind, behind, b'a', b'a', b'a', b'a'];
                    assert_eq!(length(&bytes), 1, "{bytes:?}");
                }
            }
        }
    }
}
