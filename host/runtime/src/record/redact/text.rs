//! Finds secrets in the middle of texts: private keys in PEM, and credentials in URLs.

use super::rules::is_secret_name;
use std::ops::Range;

const PEM_BEGIN: &str = "-----BEGIN ";
const PEM_DASHES: &str = "-----";
/// What the label of every private key contains: `RSA PRIVATE KEY`, `PGP PRIVATE KEY BLOCK`.
const PEM_LABEL: &str = "PRIVATE KEY";
/// Bytes in which the `@` is looked for behind a password with a slash, and names of parameters
/// end.
const NEAR: usize = 256;

/// The parts of a text that are secret, in order and without overlaps.
pub(super) fn secret_parts(text: &str) -> Vec<Range<usize>> {
    let mut found = private_keys(text);
    found.extend(user_infos(text));
    found.extend(parameters(text));
    found.sort_by_key(|range| (range.start, range.end));
    let mut parts: Vec<Range<usize>> = Vec::new();
    for range in found {
        match parts.last_mut() {
            Some(last) if range.start < last.end => last.end = last.end.max(range.end),
            _ => parts.push(range),
        }
    }
    parts
}

/// Private keys in PEM (RFC 7468). A key without its end goes on to the end of the text.
fn private_keys(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(begin) = position(text, at, PEM_BEGIN) {
        let label_start = begin + PEM_BEGIN.len();
        at = label_start;
        let Some(label_end) = position(text, label_start, PEM_DASHES) else { break };
        let label = text.get(label_start..label_end).unwrap_or_default();
        if label.contains(PEM_LABEL) {
            let end = format!("-----END {label}-----");
            at = position(text, label_end, &end).map_or(text.len(), |start| start + end.len());
            found.push(begin..at);
        }
    }
    found
}

/// `user:password` of URLs (RFC 3986, section 3.2.1). A password may have a slash, which is no
/// valid URL but common: the part before it is then no port.
fn user_infos(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    for (separator, _) in text.match_indices("://") {
        let has_scheme =
            separator.checked_sub(1).and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_alphanumeric);
        let start = separator + "://".len();
        let rest = bytes.get(start..).unwrap_or_default();
        let authority_end = rest.iter().position(|byte| ends_url(*byte) || b"/?#".contains(byte));
        let authority = rest.get(..authority_end.unwrap_or(rest.len())).unwrap_or_default();
        let at = authority.iter().rposition(|byte| *byte == b'@').or_else(|| {
            let port = authority.iter().rposition(|byte| *byte == b':')?;
            let is_port = authority.starts_with(b"[")
                || authority.get(port + 1..).is_none_or(|digits| digits.iter().all(u8::is_ascii_digit));
            let mut near = rest.iter().take(NEAR).take_while(|byte| !ends_url(**byte));
            if is_port { None } else { near.position(|byte| *byte == b'@') }
        });
        if has_scheme && let Some(length) = at.filter(|length| *length > 0) {
            found.push(start..start + length);
        }
    }
    found
}

/// Values of parameters in queries and fragments whose name says that they are secret.
fn parameters(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut done = 0;
    for (separator, _) in text.match_indices(['?', '&', ';', '#']) {
        // A value may have a question mark. Looking at each of them would be quadratic.
        if separator < done {
            continue;
        }
        let start = separator + 1;
        let rest = bytes.get(start..).unwrap_or_default();
        let length = rest.iter().take(NEAR).take_while(|byte| is_of_name(**byte)).count();
        let name = text.get(start..start + length).unwrap_or_default();
        if rest.get(length) != Some(&b'=') || !is_secret_name(name) {
            continue;
        }
        let value = rest.get(length + 1..).unwrap_or_default();
        let value = value.iter().take_while(|byte| !ends_url(**byte) && !b"&;#".contains(byte)).count();
        if value > 0 {
            let value_start = start + length + 1;
            done = value_start + value;
            found.push(value_start..done);
        }
    }
    found
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.[]%".contains(&byte)
}

/// Whether a byte cannot be in a URL, and is at its end in prose and in programs.
fn ends_url(byte: u8) -> bool {
    byte.is_ascii_whitespace() || b"\"'`<>\\".contains(&byte)
}

fn position(text: &str, from: usize, searched: &str) -> Option<usize> {
    text.get(from..)?.find(searched).map(|at| from + at)
}

#[cfg(test)]
mod tests {
    use super::secret_parts;

    fn parts(text: &str) -> Vec<&str> {
        secret_parts(text).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn credentials_in_urls_are_found() {
        for (text, expected) in [
            ("postgres://u:p4ss@db/x", &["u:p4ss"][..]),
            ("see https://u:a@b@host, and ftp://v:w@h/", &["u:a@b", "v:w"]),
            ("https://ghp_abc@github.com/x", &["ghp_abc"]),
            ("redis://:p4ss@h:6379", &[":p4ss"]),
            ("amqp://u:pa/ss?x@h", &["u:pa/ss?x"]),
            ("a://u:ü€@h", &["u:ü€"]),
            ("--url='https://u:p@h'", &["u:p"]),
            ("oci://registry:5000/repo@sha256:00", &[]),
            ("https://[::1]:5000/a@b", &[]),
            ("http://host/path", &[]),
            ("://u:p@h", &[]),
            ("/?token=abc&x=1", &["abc"]),
            ("https://h/?x=1&api_key=k%20k#access_token=t", &["k%20k", "t"]),
            ("/?page=1&y=token", &[]),
            ("/?token=", &[]),
            ("/?token=a?token=b&pin=c", &["a?token=b", "c"]),
        ] {
            assert_eq!(parts(text), expected, "{text}");
        }
    }

    #[test]
    fn private_keys_are_found_and_other_blocks_are_not() {
        let key = "-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----";
        let certificate = "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----";
        assert_eq!(parts(&format!("a {certificate}\n{key}\nb {key}")), [key, key]);
        let cut = "-----BEGIN PRIVATE KEY-----\nMII";
        assert_eq!(parts(&format!("x{cut}")), [cut]);
        assert_eq!(parts(certificate), [""; 0]);
        assert_eq!(parts("-----BEGIN "), [""; 0]);
    }
}
