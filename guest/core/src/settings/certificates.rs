//! Certificates in PEM (RFC 7468), as far as their shape goes. What is in them is for the agent to
//! read, which has a library for it.

/// Most bytes of all certificates together. They become a variable of every pod with a step, and
/// the kernel takes variables of up to 128 KiB.
pub(crate) const MAX_BYTES: usize = 64 * 1024;

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";
const CERTIFICATE: &str = "CERTIFICATE";

/// What is wrong with a text that should be one or more certificates, as the end of a sentence
/// about it. Messages do not repeat the text.
pub(crate) fn complaint(text: &str) -> Option<&'static str> {
    if text.len() > MAX_BYTES {
        return Some("has more than 64 KiB: write the certificates of private authorities alone");
    }
    let mut number = 0;
    let mut rest = text;
    while let Some((_, behind)) = rest.split_once(BEGIN) {
        let (label, body) = behind.split_once(DASHES).unwrap_or((behind, ""));
        if label.contains("PRIVATE KEY") {
            return Some("holds a private key: remove it, and keep it secret");
        }
        if label != CERTIFICATE {
            return Some(
                "holds something else than certificates: write -----BEGIN CERTIFICATE----- blocks alone",
            );
        }
        let (body, behind) = body.split_once(END).unwrap_or((body, ""));
        let is_closed = behind.strip_prefix(CERTIFICATE).is_some_and(|rest| rest.starts_with(DASHES));
        if !is_closed || !is_der(body) {
            return Some(
                "holds a damaged certificate: write whole -----BEGIN CERTIFICATE----- blocks with their last line",
            );
        }
        number += 1;
        rest = behind;
    }
    (number == 0)
        .then_some("holds no certificate: write it in PEM, which begins with -----BEGIN CERTIFICATE-----")
}

/// Whether a text is base64 of one DER sequence of exactly its length (X.690, 8.1).
fn is_der(base64: &str) -> bool {
    let Some(bytes) = decoded(base64) else { return false };
    let [0x30, first, rest @ ..] = bytes.as_slice() else { return false };
    let (length, content) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x83 => {
            let Some((number, content)) = rest.split_at_checked(usize::from(*first - 0x80)) else {
                return false;
            };
            (number.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), content)
        }
        _ => return false,
    };
    content.len() == length
}

/// Bytes of a base64 text with padding (RFC 4648, section 4). Blanks and line ends do not count.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut group, mut length, mut padding) = (0_u32, 0, 0);
    for byte in text.bytes().filter(|byte| !byte.is_ascii_whitespace()) {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => {
                padding += 1;
                0
            }
            _ => return None,
        };
        if padding > 2 || (padding > 0 && byte != b'=') {
            return None;
        }
        group = group << 6 | u32::from(value);
        length += 1;
        if length % 4 == 0 {
            let [_, all @ ..] = group.to_be_bytes();
            bytes.extend(all.get(..3 - padding)?);
            group = 0;
        }
    }
    (length % 4 == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sequence of four bytes.
    const BLOCK: &str = "-----BEGIN CERTIFICATE-----\nMAQB\nAgME\n-----END CERTIFICATE-----\n";

    #[test]
    fn whole_blocks_are_certificates() {
        for text in [BLOCK, &format!("# Lab CA\n{BLOCK}\nnote\n{BLOCK}"), &BLOCK.replace('\n', "\r\n")] {
            assert_eq!(complaint(text), None, "{text}");
        }
    }

    #[test]
    fn other_texts_are_told_apart() {
        for (text, wanted) in [
            (String::new(), "holds no certificate"),
            ("lab".to_owned(), "holds no certificate"),
            (BLOCK.replace("AgME", "AgM"), "holds a damaged certificate"),
            (BLOCK.replace("AgME", ""), "holds a damaged certificate"),
            (BLOCK.replace("AgME", "AgMEAgME"), "holds a damaged certificate"),
            (BLOCK.replace("MAQB", "M*QB"), "holds a damaged certificate"),
            (BLOCK.replace("MAQB", "AAQB"), "holds a damaged certificate"),
            (BLOCK.replace("-----END CERTIFICATE-----", ""), "holds a damaged certificate"),
            (BLOCK.replace("CERTIFICATE", "RSA PRIVATE KEY"), "holds a private key"),
            (format!("{BLOCK}-----BEGIN PRIVATE KEY-----\nMAQB"), "holds a private key"),
            (BLOCK.replace("CERTIFICATE", "PUBLIC KEY"), "holds something else"),
            ("x".repeat(MAX_BYTES + 1), "has more than 64 KiB"),
        ] {
            let found = complaint(&text).unwrap_or_default();
            assert!(found.starts_with(wanted), "{text}: {found}");
        }
    }

    #[test]
    fn long_lengths_are_read() {
        let mut der = vec![0x30, 0x82, 0x01, 0x02];
        der.extend([7; 0x102]);
        let encode = |bytes: &[u8]| {
            const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
            let mut text = String::new();
            for chunk in bytes.chunks(3) {
                let group = chunk.iter().fold(0_u32, |group, byte| group << 8 | u32::from(*byte))
                    << (8 * (3 - chunk.len()));
                for place in 0..4 {
                    let digit = DIGITS[(group >> (18 - 6 * place) & 63) as usize];
                    text.push(if place <= chunk.len() { digit.into() } else { '=' });
                }
            }
            text
        };
        assert!(is_der(&encode(&der)));
        der.pop();
        assert!(!is_der(&encode(&der)));
        assert_eq!(decoded(&encode(b"a")).as_deref(), Some(&b"a"[..]));
        assert_eq!(decoded(&encode(b"ab")).as_deref(), Some(&b"ab"[..]));
        assert_eq!(decoded("YQ==YQ=="), None);
    }
}
