//! The secret with which a registry signs the state of uploads.

use super::Child;
use crate::json::Json;
use crate::kinds::SECRET;
use crate::primary::Primary;
use orascache_api::names::HTTP_SECRET_KEY;
use orascache_contract::{Generated, RandomKey, Recipe};
use std::borrow::Cow;

/// Random bytes of a generated secret: as many as the output of SHA-256 (RFC 2104, section 3).
const GENERATED_BYTES: u32 = 32;

/// Name of the Secret that holds a literal from `spec.secrets.registryHttp`.
pub(crate) fn literal_http_secret_name(primary: &Primary<'_>) -> String {
    format!("{}-registry-http", primary.metadata.name)
}

fn generated_http_secret_name(primary: &Primary<'_>) -> String {
    format!("{}-http-secret", primary.metadata.name)
}

/// Name of the Secret that the registry reads. A single pod needs none: the registry makes a random
/// value at its start.
pub(crate) fn http_secret_source<'a>(primary: &'a Primary<'a>) -> Option<Cow<'a, str>> {
    let spec = &primary.spec;
    if let Some(name) = &spec.secret {
        Some((*name).into())
    } else if spec.registry_http.is_some() {
        Some(literal_http_secret_name(primary).into())
    } else {
        (spec.replicas() > 1).then(|| generated_http_secret_name(primary).into())
    }
}

/// The Secret that holds the literal from the spec, so that the pod template does not.
pub(crate) fn literal_http_secret<'a>(primary: &'a Primary<'a>) -> Option<Child<'a>> {
    let literal = primary.spec.registry_http.filter(|_| primary.spec.secret.is_none())?;
    let data = Json::object([(HTTP_SECRET_KEY, Some(base64(literal.as_bytes()).into()))]);
    let name = literal_http_secret_name(primary).into();
    Some(Child::new(primary, &SECRET, name, [("type", "Opaque".into()), ("data", data)]))
}

/// Name and content of the Secret that the host fills once: several pods need the same value, and
/// the spec gives none.
pub(super) fn generated_http_secret(primary: &Primary<'_>) -> Option<(String, Generated)> {
    let spec = &primary.spec;
    if spec.secret.is_some() || spec.registry_http.is_some() || spec.replicas() <= 1 {
        return None;
    }
    let name = generated_http_secret_name(primary);
    let child = Child::new(primary, &SECRET, Cow::Borrowed(&name), [("type", "Opaque".into())]);
    let recipe = Recipe::Random(RandomKey { key: HTTP_SECRET_KEY.to_owned(), bytes: GENERATED_BYTES });
    let generated = Generated { secret: child.object.to_text(), recipe };
    Some((name, generated))
}

/// RFC 4648 with padding, as in `data` of a Secret.
pub(super) fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let at = |position: usize| u32::from(group.get(position).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for position in 0..4 {
            let index = (bits >> (18 - 6 * position) & 63) as usize;
            let symbol = ALPHABET.get(index).copied().unwrap_or(b'A');
            text.push(if position > group.len() { '=' } else { char::from(symbol) });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn the_examples_of_rfc_4648_are_encoded() {
        for (plain, encoded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
        assert_eq!(base64(&[0xfb, 0xff, 0xfe]), "+//+");
    }
}
