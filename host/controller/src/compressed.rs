//! Texts in the memory that they need. Texts of one kind look nearly alike, so that most of a text
//! is in another one: it is compressed with a dictionary of such texts.

mod dictionary;

use dictionary::Dictionary;
use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Shortest text that is compressed, in bytes. What is kept beside a text takes as much.
const SHORTEST: usize = 64;

/// How many more texts have to fit badly than fit well, before others take the place of a full
/// dictionary. Texts that are compressed keep theirs, so that this bounds what the dictionaries of
/// a kind take beside the texts.
const MISFITS: u32 = 64;

/// A text, compressed where that makes it smaller.
#[derive(Clone)]
pub(crate) enum Compressed {
    /// The text as it is.
    Plain(Box<str>),
    /// What the dictionary makes the text from.
    Packed {
        bytes: Box<[u8]>,
        /// Bytes of the text.
        length: usize,
        dictionary: Arc<Dictionary>,
    },
}

/// Shows lengths alone: the text may be secret.
impl std::fmt::Debug for Compressed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Compressed({} of {} bytes)", self.size(), self.length())
    }
}

/// Compares the texts.
impl PartialEq for Compressed {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Compressed::Packed { bytes, length, dictionary },
                Compressed::Packed { bytes: other_bytes, length: other_length, dictionary: other },
            ) if Arc::ptr_eq(dictionary, other) => {
                // A dictionary makes the same bytes from a text each time, and one text from bytes.
                length == other_length && bytes == other_bytes
            }
            _ => self.length() == other.length() && self.open() == other.open(),
        }
    }
}

impl Compressed {
    /// The text.
    pub(crate) fn open(&self) -> Cow<'_, str> {
        match self {
            Compressed::Plain(text) => Cow::Borrowed(text),
            Compressed::Packed { bytes, length, dictionary } => Cow::Owned(dictionary.unpack(bytes, *length)),
        }
    }

    /// Bytes of the text.
    pub(crate) fn length(&self) -> usize {
        match self {
            Compressed::Plain(text) => text.len(),
            Compressed::Packed { length, .. } => *length,
        }
    }

    /// Bytes that are held of it, without the dictionary.
    pub(crate) fn size(&self) -> usize {
        match self {
            Compressed::Plain(text) => text.len(),
            Compressed::Packed { bytes, .. } => bytes.len(),
        }
    }
}

impl From<&str> for Compressed {
    fn from(text: &str) -> Self {
        Compressed::Plain(text.into())
    }
}

/// Compresses the texts of one kind. Its dictionary has the first texts that were unlike those
/// before; a text that is like one of them takes little memory.
#[derive(Default)]
pub(crate) struct Compressor(Mutex<Known>);

#[derive(Default)]
struct Known {
    dictionary: Arc<Dictionary>,
    /// How many more texts fitted badly than fitted well.
    misfits: u32,
}

impl Compressor {
    pub(crate) fn compress(&self, text: &str) -> Compressed {
        if text.len() < SHORTEST {
            return text.into();
        }
        let dictionary = self.dictionary();
        let bytes = dictionary.pack(text);
        if fits(&bytes, text) {
            self.fitted();
            return smaller(text, bytes, dictionary);
        }
        match self.learn(text, &dictionary) {
            Some(dictionary) => smaller(text, dictionary.pack(text), dictionary),
            None => smaller(text, bytes, dictionary),
        }
    }

    /// Bytes of the dictionary that texts are compressed with now.
    #[cfg(test)]
    pub(crate) fn dictionary_size(&self) -> usize {
        self.dictionary().len()
    }

    fn dictionary(&self) -> Arc<Dictionary> {
        self.lock().dictionary.clone()
    }

    fn fitted(&self) {
        let mut known = self.lock();
        known.misfits = known.misfits.saturating_sub(1);
    }

    /// Takes a text that fitted badly into the dictionary; `None` when it is left as it is.
    fn learn(&self, text: &str, tried: &Arc<Dictionary>) -> Option<Arc<Dictionary>> {
        let mut known = self.lock();
        if !Arc::ptr_eq(&known.dictionary, tried) {
            // Another text came first.
            return Some(known.dictionary.clone());
        }
        let learned = match known.dictionary.with(text) {
            Some(longer) => longer,
            None => {
                known.misfits += 1;
                if known.misfits < MISFITS {
                    return None;
                }
                Dictionary::default().with(text)?
            }
        };
        known.misfits = 0;
        known.dictionary = Arc::new(learned);
        Some(known.dictionary.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a text is like one of the dictionary. What differs in any two objects, such as their
/// UIDs, takes about a hundred bytes.
fn fits(bytes: &[u8], text: &str) -> bool {
    bytes.len() <= 128 + text.len() / 4
}

fn smaller(text: &str, bytes: Vec<u8>, dictionary: Arc<Dictionary>) -> Compressed {
    if bytes.len() < text.len() {
        Compressed::Packed { bytes: bytes.into_boxed_slice(), length: text.len(), dictionary }
    } else {
        text.into()
    }
}

#[cfg(test)]
mod tests;
