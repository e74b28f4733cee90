//! Which problems an update does not have to correct: those of values that it leaves as they are
//! (KEP-4008, on by default since Kubernetes 1.30).
//!
//! So a definition can become stricter while objects are stored that break its new rules.

use crate::status::Cause;
use serde_json::Value;

/// Whether the value at a path, or an object or list around it, is that of the old object. An item
/// of a list has no old item that it could be compared with, so that only the whole list counts.
pub(crate) fn is_unchanged(new: &Value, old: &Value, path: &str) -> bool {
    let (mut new, mut old) = (new, old);
    for part in path.split('.').filter(|part| !part.is_empty()) {
        if new == old {
            return true;
        }
        let (name, index) = part.split_once('[').map_or((part, None), |(name, index)| (name, Some(index)));
        match (new.get(name), old.get(name)) {
            (Some(below), Some(old_below)) => (new, old) = (below, old_below),
            _ => return false,
        }
        if index.is_some() {
            break;
        }
    }
    new == old
}

/// Whether a cause that was found in the schema's values is about a value that stays as it is. That
/// a field is missing is a problem of the object around it.
pub(crate) fn is_old(cause: &Cause, new: &Value, old: &Value) -> bool {
    let path = match cause.reason {
        "FieldValueRequired" => cause.field.rsplit_once('.').map_or("", |(around, _)| around),
        _ => &cause.field,
    };
    is_unchanged(new, old, path)
}

#[cfg(test)]
mod tests {
    use super::is_unchanged;
    use serde_json::json;

    #[test]
    fn values_are_compared_by_their_path() {
        let old = json!({"a": {"b": 1, "c": [{"d": 1}, {"d": 2}]}, "e": 1});
        let mut new = old.clone();
        new["e"] = json!(2);
        for path in ["a", "a.b", "a.c", "a.c[1].d", "a.missing.field"] {
            assert!(is_unchanged(&new, &old, path), "{path}");
        }
        for path in ["", "e", "missing"] {
            assert!(!is_unchanged(&new, &old, path), "{path}");
        }
        new["a"]["c"][0]["d"] = json!(3);
        assert!(is_unchanged(&new, &old, "a.b"));
        assert!(!is_unchanged(&new, &old, "a.c[1].d"), "another item of the list changed");
    }
}
