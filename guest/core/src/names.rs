//! The syntax of names, keys and labels in Kubernetes.

use crate::quantity;

/// Longest DNS name (RFC 1035, section 2.3.4, without the final dot).
const MAX_SUBDOMAIN: usize = 253;
/// Longest name of a key, longest value of a label, and longest DNS label.
const MAX_LABEL_VALUE: usize = 63;

/// DNS subdomain (RFC 1123), as most objects are named.
pub(crate) fn is_subdomain(text: &str) -> bool {
    text.len() <= MAX_SUBDOMAIN && text.split('.').all(is_part_of_subdomain)
}

/// DNS label (RFC 1123), as namespaces are named.
pub(crate) fn is_label(text: &str) -> bool {
    text.len() <= MAX_LABEL_VALUE && is_part_of_subdomain(text)
}

fn is_part_of_subdomain(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.bytes().next().is_some_and(inner)
        && text.bytes().last().is_some_and(inner)
        && text.bytes().all(|byte| inner(byte) || byte == b'-')
}

/// Key of a label or an annotation: a name of up to 63 characters, with an optional subdomain and
/// `/` in front (kubernetes.io/docs/concepts/overview/working-with-objects/labels, "Syntax and
/// character set").
pub(crate) fn is_key(text: &str) -> bool {
    let name = match text.split_once('/') {
        Some((prefix, name)) if is_subdomain(prefix) => name,
        Some(_) => return false,
        None => text,
    };
    !name.is_empty() && is_label_value(name)
}

/// Resource that a container can request: one of those that every node has, huge pages, or one of a
/// device, with its domain (kubernetes.io/docs/concepts/configuration/manage-resources-containers).
pub(crate) fn is_container_resource(text: &str) -> bool {
    matches!(text, "cpu" | "memory" | "ephemeral-storage")
        || text.strip_prefix("hugepages-").is_some_and(quantity::is_positive)
        || (text.contains('/') && is_key(text))
}

/// Value of a label: empty, or up to 63 characters that start and end with a letter or digit.
pub(crate) fn is_label_value(text: &str) -> bool {
    let end = |byte: u8| byte.is_ascii_alphanumeric();
    text.len() <= MAX_LABEL_VALUE
        && text.bytes().next().is_none_or(end)
        && text.bytes().last().is_none_or(end)
        && text.bytes().all(|byte| end(byte) || matches!(byte, b'-' | b'_' | b'.'))
}

/// Key in the data of a ConfigMap or a Secret (core/v1 ConfigMap, data). It is the name of a file
/// where it is mounted.
pub(crate) fn is_data_key(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !text.is_empty()
        && text.len() <= MAX_SUBDOMAIN
        && text.bytes().all(inner)
        && text != "."
        && !text.starts_with("..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_from_other_texts() {
        for right in ["team", "example.org/Cost_centre.1", "a/b", &format!("a/{}", "b".repeat(63))] {
            assert!(is_key(right), "{right}");
        }
        for wrong in ["", "/", "a/", "/a", "A/b", "a/b/c", "-a", "a-", "a b", &"b".repeat(64), "a_.b/c"] {
            assert!(!is_key(wrong), "{wrong}");
        }
        assert!(is_data_key("ca.crt") && is_data_key(".a") && !is_data_key("..a") && !is_data_key(""));
        assert!(is_label_value("") && is_label_value("v1.2_x-3") && !is_label_value(".x"));
    }
}
