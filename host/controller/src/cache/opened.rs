//! Texts that decisions about other objects asked for lately: a review should not have to open the
//! same primaries each time.

use crate::object::Stored;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// How many texts are kept.
const MAX: usize = 256;

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
        let mut opened = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = opened.get(&address) {
            return known.text.clone();
        }
        if opened.len() >= MAX {
            opened.clear();
        }
        let text = object.text();
        opened.insert(address, Text { _object: object.clone(), text: text.clone() });
        text
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX, Opened};
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
    fn few_texts_are_kept() {
        let opened = Opened::default();
        for number in 0..3 * MAX {
            let object = Arc::new(object("p", "P", 10 * number as u64, None));
            assert_eq!(opened.text(&object), object.text());
            assert!(opened.0.lock().expect("no panic").len() <= MAX);
        }
    }
}
