//! The uploads of a step. A registry may send them to any address. The step sees only a name, so
//! that it cannot reach any other address.

use oci_registry_client::Url;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Largest number of uploads. A step has few at a time; the oldest are forgotten first.
const MAX_SESSIONS: usize = 256;

/// The addresses of uploads, by name.
#[derive(Debug, Default)]
pub struct Sessions {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    last: u64,
    urls: BTreeMap<u64, Url>,
}

impl Sessions {
    /// Keeps the address of a new upload. Returns its name.
    pub fn open(&self, url: Url) -> String {
        let mut known = self.lock();
        known.last += 1;
        let name = known.last;
        known.urls.insert(name, url);
        while known.urls.len() > MAX_SESSIONS {
            known.urls.pop_first();
        }
        name.to_string()
    }

    /// The address of an upload.
    pub fn find(&self, name: &str) -> Option<Url> {
        self.lock().urls.get(&name.parse().ok()?).cloned()
    }

    /// Changes the address of an upload.
    pub fn moved(&self, name: &str, url: Url) {
        if let Ok(name) = name.parse()
            && let Some(at) = self.lock().urls.get_mut(&name)
        {
            *at = url;
        }
    }

    /// Forgets an upload that has ended.
    pub fn close(&self, name: &str) {
        if let Ok(name) = name.parse() {
            self.lock().urls.remove(&name);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(path: &str) -> Url {
        Url::parse("http://registry/").unwrap().join(path).unwrap()
    }

    #[test]
    fn an_upload_is_found_by_name_until_it_ends() {
        let sessions = Sessions::default();
        let (one, two) = (sessions.open(url("/a")), sessions.open(url("/b")));
        sessions.moved(&one, url("/c"));
        assert_eq!((sessions.find(&one), sessions.find(&two)), (Some(url("/c")), Some(url("/b"))));
        sessions.close(&one);
        sessions.moved(&one, url("/d"));
        assert_eq!(sessions.find(&one), None);
        assert_eq!(sessions.find("http://elsewhere/"), None);
    }

    #[test]
    fn the_oldest_uploads_are_forgotten() {
        let sessions = Sessions::default();
        let first = sessions.open(url("/0"));
        let others: Vec<_> = (0..MAX_SESSIONS).map(|_| sessions.open(url("/x"))).collect();
        assert_eq!(sessions.find(&first), None);
        assert!(others.iter().all(|name| sessions.find(name).is_some()));
    }
}
