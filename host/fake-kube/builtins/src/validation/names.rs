//! The formats of names, labels and keys, and the sentences about them. Each function returns what
//! is wrong with a text: nothing if it is valid.

const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must \
    start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', \
    and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL_1035: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an \
    alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for \
    validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or \
    '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex \
    used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const QUALIFIED: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
    alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
    '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const CONFIG_KEY: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  \
    or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";

fn max_length(text: &str, bytes: usize) -> Option<String> {
    (text.len() > bytes).then(|| format!("must be no more than {bytes} bytes"))
}

fn lower(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit()
}

/// Whether all characters are of one set, and the first and the last also of stricter sets.
fn shaped(
    text: &str,
    first: impl Fn(char) -> bool,
    inner: impl Fn(char) -> bool,
    last: impl Fn(char) -> bool,
) -> bool {
    text.chars().all(inner)
        && text.chars().next().is_some_and(first)
        && text.chars().next_back().is_some_and(last)
}

fn is_label(text: &str) -> bool {
    shaped(text, lower, |c| lower(c) || c == '-', lower)
}

fn is_subdomain(text: &str) -> bool {
    text.split('.').all(is_label)
}

fn is_qualified_part(text: &str) -> bool {
    let alphanumeric = |c: char| c.is_ascii_alphanumeric();
    shaped(text, alphanumeric, |c| c.is_ascii_alphanumeric() || "-_.".contains(c), alphanumeric)
}

/// Names of most objects.
pub(super) fn dns_subdomain(text: &str) -> Vec<String> {
    let shape = (!is_subdomain(text)).then(|| SUBDOMAIN.to_owned());
    max_length(text, 253).into_iter().chain(shape).collect()
}

/// Names of namespaces, containers and volumes.
pub(super) fn dns_label(text: &str) -> Vec<String> {
    let shape = if is_label(text) {
        None
    } else if is_subdomain(text) {
        Some("must not contain dots".to_owned())
    } else {
        Some(LABEL.to_owned())
    };
    max_length(text, 63).into_iter().chain(shape).collect()
}

/// Names of services.
pub(super) fn dns_1035_label(text: &str) -> Vec<String> {
    let valid = shaped(text, |c| c.is_ascii_lowercase(), |c| lower(c) || c == '-', lower);
    max_length(text, 63).into_iter().chain((!valid).then(|| LABEL_1035.to_owned())).collect()
}

/// Names of roles and bindings, which may have any characters that a path segment may have.
pub(super) fn path_segment(text: &str) -> Vec<String> {
    if text == "." || text == ".." {
        return vec![format!("may not be '{text}'")];
    }
    let forbidden = ["/", "%"].into_iter().filter(|part| text.contains(part));
    forbidden.map(|part| format!("may not contain '{part}'")).collect()
}

/// Keys of labels and annotations, finalizers and resource names: a name with an optional prefix.
pub(super) fn qualified_name(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let name = match text.split_once('/') {
        None => text,
        Some((_, name)) if name.contains('/') => {
            return vec![format!(
                "a qualified name {QUALIFIED} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            )];
        }
        Some((prefix, name)) => {
            if prefix.is_empty() {
                wrong.push("prefix part must be non-empty".to_owned());
            } else {
                wrong.extend(dns_subdomain(prefix).into_iter().map(|wrong| format!("prefix part {wrong}")));
            }
            name
        }
    };
    if name.is_empty() {
        wrong.push("name part must be non-empty".to_owned());
    } else {
        wrong.extend(max_length(name, 63).map(|wrong| format!("name part {wrong}")));
    }
    if !is_qualified_part(name) {
        wrong.push(format!("name part {QUALIFIED}"));
    }
    wrong
}

/// Values of labels.
pub(super) fn label_value(text: &str) -> Vec<String> {
    let shape = (!text.is_empty() && !is_qualified_part(text)).then(|| LABEL_VALUE.to_owned());
    max_length(text, 63).into_iter().chain(shape).collect()
}

/// Keys of config maps and secrets.
pub(super) fn config_key(text: &str) -> Vec<String> {
    let mut wrong: Vec<String> = max_length(text, 253).into_iter().collect();
    if text.is_empty() || !text.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c)) {
        wrong.push(CONFIG_KEY.to_owned());
    }
    match text {
        "." => wrong.push("must not be '.'".to_owned()),
        ".." => wrong.push("must not be '..'".to_owned()),
        _ if text.starts_with("..") => wrong.push("must not start with '..'".to_owned()),
        _ => {}
    }
    wrong
}

/// Names of environment variables: any printable ASCII but `=`.
pub(super) fn variable_name(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if text.is_empty() {
        wrong.push("environment variable name must be non-empty".to_owned());
    }
    if text.chars().any(|c| !(c == ' ' || c.is_ascii_graphic()) || c == '=') {
        wrong.push(
            "a valid environment variable name must consist only of printable ASCII characters other than '='"
                .to_owned(),
        );
    }
    wrong
}

/// Names of ports.
pub(super) fn port_name(text: &str) -> Vec<String> {
    let mut wrong: Vec<String> = max_length(text, 15).into_iter().collect();
    let mut check = |bad: bool, sentence: &str| {
        if bad {
            wrong.push(sentence.to_owned());
        }
    };
    check(
        text.is_empty() || !text.chars().all(|c| lower(c) || c == '-'),
        "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
    );
    check(!text.contains(|c: char| c.is_ascii_lowercase()), "must contain at least one letter (a-z)");
    check(text.contains("--"), "must not contain consecutive hyphens");
    check(text.starts_with('-') || text.ends_with('-'), "must not begin or end with a hyphen");
    wrong
}

/// Port numbers.
pub(super) fn port_number(port: i64) -> Option<&'static str> {
    (!(1..=65535).contains(&port)).then_some("must be between 1 and 65535, inclusive")
}

/// `generateName` is a prefix: it is checked as a name that could be made from it.
pub(super) fn mask_trailing_dash(text: &str) -> String {
    match text.strip_suffix('-') {
        Some(rest) if !rest.is_empty() => format!("{}a", rest.get(..rest.len() - 1).unwrap_or_default()),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_accept_and_refuse() {
        let check = |format: fn(&str) -> Vec<String>, good: &[&str], bad: &[&str]| {
            for text in good {
                assert_eq!(format(text), Vec::<String>::new(), "{text}");
            }
            for text in bad {
                assert!(!format(text).is_empty(), "{text}");
            }
        };
        check(dns_subdomain, &["a", "a.b-c.0"], &["", "A", "a.", "-a", "a_b", "a..b"]);
        check(dns_label, &["a", "0-a"], &["", "a.b", "a-", "A"]);
        check(dns_1035_label, &["a", "a-0"], &["0a", "a.b", ""]);
        check(qualified_name, &["a", "A_b.c", "x.io/Name"], &["", "/a", "a/", "a/b/c", "X/a", "-a"]);
        check(label_value, &["", "A.b_c"], &["-a", "a b"]);
        check(config_key, &[".dockerconfigjson", "a_b"], &["", "a/b", "..", "..a"]);
        check(variable_name, &["A", "1-.x"], &["", "A=B", "é"]);
        check(port_name, &["http", "a-1"], &["", "80", "a--b", "-a", "A", "abcdefghijklmnop"]);
        check(path_segment, &["system:node"], &[".", "a/b", "%"]);
    }

    #[test]
    fn sentences_are_the_recorded_ones() {
        assert_eq!(dns_label("a.b"), ["must not contain dots"]);
        assert_eq!(
            dns_subdomain("Bad_Name"),
            [concat!(
                "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and ",
                "must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is ",
                r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
            )]
        );
    }

    #[test]
    fn a_prefix_may_end_in_a_dash() {
        assert_eq!(mask_trailing_dash("p-"), "a");
        assert_eq!(mask_trailing_dash("pod-"), "poa");
        assert_eq!(mask_trailing_dash("a."), "a.");
        assert_eq!(mask_trailing_dash("-"), "-");
    }
}
