//! What texts of one kind have in common, by which each of them is compressed.

use lz4_flex::block::{compress_with_dict, decompress_into_with_dict};

/// Most bytes of a dictionary. Compressing a text goes over all of it.
const MAX_BYTES: usize = 16 << 10;

/// How many texts a dictionary has at most.
const MAX_TEXTS: usize = 4;

/// Texts one after another. It does not change, since others cannot be made from what it made.
#[derive(Default)]
pub(crate) struct Dictionary {
    bytes: Box<[u8]>,
    texts: usize,
}

impl Dictionary {
    /// This dictionary with one more text; `None` when that is too much.
    pub(super) fn with(&self, text: &str) -> Option<Dictionary> {
        if self.texts >= MAX_TEXTS || self.bytes.len() + text.len() > MAX_BYTES {
            return None;
        }
        // The nearest text is found first, so that the newest is at the end.
        Some(Dictionary { bytes: [&self.bytes, text.as_bytes()].concat().into(), texts: self.texts + 1 })
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// What [`Dictionary::unpack`] makes the text from.
    pub(super) fn pack(&self, text: &str) -> Vec<u8> {
        compress_with_dict(text.as_bytes(), &self.bytes)
    }

    /// The text of so many bytes that was packed. Bytes that this dictionary did not make are a
    /// defect of this crate, and give an empty text: no reconciler makes a plan of it.
    pub(super) fn unpack(&self, bytes: &[u8], length: usize) -> String {
        let mut text = vec![0; length];
        let unpacked = decompress_into_with_dict(bytes, &mut text, &self.bytes);
        let text = unpacked.is_ok_and(|found| found == length).then_some(text);
        text.and_then(|text| String::from_utf8(text).ok()).unwrap_or_else(|| {
            tracing::error!("a text of the object cache is damaged; restart this process");
            String::new()
        })
    }
}
