//! Texts that decisions about other objects asked for lately: a review should not have to open the
//! same primaries each time.

use crate::object::Stored;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many texts are kept.
const MAX: usize = 256;
/// The longest text that is kept, in bytes. Whoever may change one primary makes as many texts as
/// they like: all of them together have 8 MiB at most.
const LONGEST: usize = 32 << 10;

/// Texts by the address of their objects.
#[derive(Default)]
pub(super) struct Opened(Mutex<HashMap<usize, Text>>);

struct Text {
    /// While the object is here, its address is that of no other one.
    _object: Arc<Stored>,
    text: Arc<str>,
}

impl Opened {
    pub(super) fn text(&self, object: &Arc<Stored>) -> Arc<str> {
        let address = Arc::as_ptr(object).addr();
        if let Some(known) = self.lock().get(&address) {
            return known.text.clone();
        }
        // Others do not wait while a text is opened.
        let text = object.text();
        if object.length() > LONGEST {
            return text;
        }
        let mut opened = self.lock();
        if opened.len() >= MAX {
            opened.clear();
        }
        opened.insert(address, Text { _object: object.clone(), text: text.clone() });
        text
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<usize, Text>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, MAX, Opened};
    use crate::testing::object;
    use std::sync::Arc;

    #[test]
    fn a_text_is_opened_once_until_its_object_changes() {
        let opened = Opened::default();
        let (before, after) = (Arc::new(object("p", "P", 10, None)), Arc::new(object("p", "P", 20, None)));
        let text = opened.text(&before);
        assert_eq!(text, before.text());
        assert!(Arc::ptr_eq(&text, &opened.text(&before)));
        assert_eq!(opened.text(&after), after.text());
    }

    #[test]
    fn security_a_long_text_is_opened_and_not_kept() {
        let opened = Opened::default();
        let mut long = object("p", "P", 10, None);
        long.compressed = "x".repeat(LONGEST + 1).as_str().into();
        let long = Arc::new(long);
        assert_eq!(opened.text(&long).len(), LONGEST + 1);
        assert!(opened.lock().is_empty());
    }

    #[test]
    fn few_texts_are_kept() {
        let opened = Opened::default();
        for number in 0..3 * MAX {
            let object = Arc::new(object("p", "P", 10 * number as u64, None));
            assert_eq!(opened.text(&object), object.text());
            assert!(opened.lock().len() <= MAX);
        }
    }
}
