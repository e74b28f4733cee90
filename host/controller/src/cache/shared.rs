//! Texts that many objects have in common: names of namespaces, and UIDs of controllers.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// How many texts are known before it is looked for those that nothing has any more.
const AT_LEAST: usize = 1_024;

#[derive(Default)]
pub(super) struct Shared(Mutex<Known>);

#[derive(Default)]
struct Known {
    texts: HashSet<Arc<str>>,
    /// Texts that something had when it was looked for others last.
    in_use: usize,
}

impl Shared {
    /// The one copy of a text.
    pub(super) fn copy(&self, text: &str) -> Arc<str> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(copy) = known.texts.get(text) {
            return copy.clone();
        }
        if known.texts.len() >= AT_LEAST.max(2 * known.in_use) {
            known.texts.retain(|text| Arc::strong_count(text) > 1);
            known.in_use = known.texts.len();
        }
        let copy: Arc<str> = text.into();
        known.texts.insert(copy.clone());
        copy
    }
}

#[cfg(test)]
mod tests {
    use super::{AT_LEAST, Shared};
    use std::sync::Arc;

    #[test]
    fn there_is_one_copy_of_a_text() {
        let shared = Shared::default();
        let (one, other) = (shared.copy("lab"), shared.copy("lab"));
        assert!(Arc::ptr_eq(&one, &other) && &*one == "lab");
        assert_eq!(&*shared.copy("other"), "other");
    }

    #[test]
    fn texts_that_nothing_has_any_more_are_forgotten() {
        let shared = Shared::default();
        let kept: Vec<Arc<str>> = (0..10).map(|number| shared.copy(&format!("kept-{number}"))).collect();
        for number in 0..5 * AT_LEAST {
            shared.copy(&format!("gone-{number}"));
            assert!(shared.0.lock().expect("no panic").texts.len() <= AT_LEAST);
        }
        assert!(kept.iter().all(|text| Arc::ptr_eq(text, &shared.copy(text))));
    }
}
