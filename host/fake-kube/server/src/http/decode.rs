//! Decodes request bodies: JSON with a check for duplicate fields, YAML, and protobuf.

use std::fmt;

use fake_kube_apimachinery::status::ApiError;
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::protobuf;

/// A decoded body.
#[derive(Debug)]
pub struct Decoded {
    /// The document.
    pub value: Value,
    /// A message such as `duplicate field "spec.image"` for each field that occurs twice.
    pub duplicates: Vec<String>,
}

/// Decodes a body by its content type, which is JSON by default. `kind` is for error messages.
///
/// # Errors
/// 400 when the body is malformed, 415 for another content type.
pub fn decode(body: &[u8], content_type: Option<&str>, kind: &str) -> Result<Decoded, ApiError> {
    let media = content_type.and_then(|text| text.split(';').next()).unwrap_or_default().trim();
    match media {
        "" | "application/json" | "*/*" => json(body, kind),
        "application/yaml" | "application/apply-patch+yaml" => yaml(body),
        "application/vnd.kubernetes.protobuf" => {
            let value = protobuf::decode(body).map_err(|problem| {
                ApiError::bad_request(format!("the protobuf body of a {kind} cannot be read: {problem}"))
            })?;
            Ok(Decoded { value, duplicates: Vec::new() })
        }
        other => Err(unsupported(&format!(
            "the body of the request was in an unknown format - accepted media types include: application/json, application/yaml; got {other}"
        ))),
    }
}

/// The error 415.
pub fn unsupported(message: &str) -> ApiError {
    ApiError {
        code: 415,
        reason: "UnsupportedMediaType".into(),
        message: message.to_owned(),
        details: Value::Object(Map::new()),
    }
}

fn json(body: &[u8], kind: &str) -> Result<Decoded, ApiError> {
    let mut duplicates = Vec::new();
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = Node { path: String::new(), duplicates: &mut duplicates }
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value))
        .map_err(|error| malformed(body, kind, &error))?;
    Ok(Decoded { value, duplicates })
}

/// Decodes YAML. JSON is tried first: apply patches may be either under one content type.
fn yaml(body: &[u8]) -> Result<Decoded, ApiError> {
    if body.trim_ascii_start().first() == Some(&b'{')
        && let Ok(decoded) = json(body, "")
    {
        return Ok(decoded);
    }
    let text = std::str::from_utf8(body)
        .map_err(|error| ApiError::bad_request(format!("error decoding YAML: {error}")))?;
    let value = serde_saphyr::from_str(text)
        .map_err(|error| ApiError::bad_request(format!("error decoding YAML: {error}")))?;
    Ok(Decoded { value, duplicates: Vec::new() })
}

fn malformed(body: &[u8], kind: &str, error: &serde_json::Error) -> ApiError {
    let problem = go_sentence(body, error);
    let shown = summary(body);
    ApiError::bad_request(format!(
        "the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; json parse error: {problem} ({shown})"
    ))
}

/// The message of Go's `encoding/json` for the same mistake.
fn go_sentence(body: &[u8], error: &serde_json::Error) -> String {
    if error.is_eof() {
        return "unexpected end of JSON input".to_owned();
    }
    let at = body
        .split(|byte| *byte == b'\n')
        .nth(error.line().saturating_sub(1))
        .and_then(|line| line.get(error.column().saturating_sub(1)))
        .copied()
        .map_or('?', char::from);
    let text = error.to_string();
    let context = if text.starts_with("key must be a string") {
        "looking for beginning of object key string"
    } else if text.starts_with("expected `:`") {
        "after object key"
    } else if text.starts_with("expected `,` or `}`") {
        "after object key:value pair"
    } else if text.starts_with("expected `,` or `]`") {
        "after array element"
    } else if text.starts_with("trailing characters") {
        "after top-level value"
    } else if text.starts_with("control character") {
        "in string literal"
    } else {
        "looking for beginning of value"
    };
    format!("invalid character '{at}' {context}")
}

/// The start of a body for a message: as text when it begins like an object, else in hexadecimal.
fn summary(body: &[u8]) -> String {
    const LONGEST: usize = 30;
    let (shown, dots) = match body.get(..LONGEST) {
        Some(start) if body.len() > LONGEST => (start, " ..."),
        _ => (body, ""),
    };
    match shown.first() {
        None => "<empty>".to_owned(),
        Some(b'{') => String::from_utf8_lossy(shown).into_owned() + dots,
        Some(_) => shown.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + dots,
    }
}

/// Builds a value and collects duplicate keys, of which the last one counts, as in the API server.
struct Node<'a> {
    path: String,
    duplicates: &'a mut Vec<String>,
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        loop {
            let path = format!("{}[{}]", self.path, array.len());
            match items.next_element_seed(Node { path, duplicates: self.duplicates })? {
                Some(item) => array.push(item),
                None => return Ok(Value::Array(array)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let path = if self.path.is_empty() { key.clone() } else { format!("{}.{key}", self.path) };
            if map.contains_key(&key) {
                self.duplicates.push(format!("duplicate field {path:?}"));
            }
            let value = entries.next_value_seed(Node { path, duplicates: self.duplicates })?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_json_is_described_in_the_words_of_go() {
        let error = decode(b"{not json", None, "Cache").unwrap_err();
        assert_eq!(
            error.message,
            "the object provided is unrecognized (must be of type Cache): couldn't get version/kind; json parse error: invalid character 'n' looking for beginning of object key string ({not json)"
        );
        let error = decode(b"{\"a\": 1", None, "Cache").unwrap_err();
        assert!(error.message.contains("unexpected end of JSON input"), "{}", error.message);
    }

    #[test]
    fn duplicates_are_reported_and_the_last_one_counts() {
        let decoded = decode(br#"{"spec":{"a":1,"b":[{"c":1,"c":2}],"a":3}}"#, None, "X").unwrap();
        assert_eq!(decoded.value, serde_json::json!({"spec": {"a": 3, "b": [{"c": 2}]}}));
        assert_eq!(decoded.duplicates, ["duplicate field \"spec.b[0].c\"", "duplicate field \"spec.a\""]);
    }

    #[test]
    fn apply_bodies_may_be_yaml_or_json() {
        for body in ["{\"kind\": \"Cache\"}", "kind: Cache\n"] {
            let decoded = decode(body.as_bytes(), Some("application/apply-patch+yaml"), "Cache").unwrap();
            assert_eq!(decoded.value, serde_json::json!({"kind": "Cache"}));
        }
        assert_eq!(decode(b"", Some("application/vnd.kubernetes.protobuf"), "X").unwrap_err().code, 400);
        assert_eq!(decode(b"", Some("text/html"), "X").unwrap_err().code, 415);
    }
}
