//! Who set which fields of an object: the entries of its managedFields, as text.

use crate::text::{Cursor, Name, string};
use std::borrow::Cow;

/// An entry of managedFields.
pub(crate) struct ManagedEntry<'t> {
    text: &'t str,
    pub(crate) manager: Cow<'t, str>,
    operation: Cow<'t, str>,
    subresource: Cow<'t, str>,
}

impl ManagedEntry<'_> {
    /// Whether the fields are those of the status, where our applies can conflict with any.
    fn is_about_status(&self) -> bool {
        self.subresource == "status"
    }

    /// Whether the manager set the fields of the object itself in another way than by an apply.
    fn is_update(&self) -> bool {
        self.operation == "Update" && self.subresource.is_empty()
    }
}

/// The entries of managedFields but those about a status. A value that is no list has none.
pub(crate) fn entries(managed: &str) -> Vec<ManagedEntry<'_>> {
    let mut entries = Vec::new();
    Cursor::new(managed).array(|cursor| {
        let (mut manager, mut operation, mut subresource) = Default::default();
        let start = cursor.position();
        cursor.object(|cursor, name: Name<'_>| {
            let value = cursor.value();
            let text = || string(value).unwrap_or_default();
            if name.is("manager") {
                manager = text();
            } else if name.is("operation") {
                operation = text();
            } else if name.is("subresource") {
                subresource = text();
            }
        });
        let text = managed.get(start..cursor.position()).unwrap_or_default();
        entries.push(ManagedEntry { text: text.trim_ascii(), manager, operation, subresource });
    });
    entries.retain(|entry| !entry.is_about_status());
    entries
}

/// Whether a manager set fields outside of the status.
pub(crate) fn has_manager(managed: &str, field_manager: &str) -> bool {
    entries(managed).iter().any(|entry| entry.manager == field_manager)
}

/// Whether a manager has fields that it did not apply. Fields of subresources do not count.
pub(crate) fn has_updated(entries: &[ManagedEntry<'_>], field_manager: &str) -> bool {
    entries.iter().any(|entry| entry.is_update() && entry.manager == field_manager)
}

/// The entries as a list of JSON text; `None` where there are none.
pub(crate) fn list<'e>(entries: impl Iterator<Item = &'e ManagedEntry<'e>>) -> Option<String> {
    let mut list = String::new();
    for entry in entries {
        list.push(if list.is_empty() { '[' } else { ',' });
        list.push_str(entry.text);
    }
    if list.is_empty() {
        return None;
    }
    list.push(']');
    Some(list)
}

#[cfg(test)]
mod tests {
    use super::{entries, has_manager, has_updated, list};

    const MANAGED: &str = r#"[{"manager":"a","operation":"Update","fieldsV1":{"f:manager":{}}}, {"manager":"b","operation":"Apply"},{"manager":"c","operation":"Update","subresource":"scale"},{"manager":"d","subresource":"status"}]"#;

    #[test]
    fn entries_about_a_status_do_not_count() {
        assert!(has_manager(MANAGED, "a") && has_manager(MANAGED, "c"));
        assert!(!has_manager(MANAGED, "d") && !has_manager("{}", "a") && !has_manager("[1]", "a"));
    }

    #[test]
    fn fields_are_updated_when_they_are_not_applied_and_not_of_a_subresource() {
        let entries = entries(MANAGED);
        assert!(has_updated(&entries, "a"));
        assert!(!has_updated(&entries, "b") && !has_updated(&entries, "c"));
    }

    #[test]
    fn a_list_has_the_entries_as_they_were() {
        let entries = entries(MANAGED);
        let expected = r#"[{"manager":"b","operation":"Apply"},{"manager":"c","operation":"Update","subresource":"scale"}]"#;
        assert_eq!(list(entries.iter().skip(1)).as_deref(), Some(expected));
        assert_eq!(list(entries.iter().take(0)), None);
    }
}
