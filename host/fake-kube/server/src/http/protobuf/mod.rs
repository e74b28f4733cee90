//! Decodes request bodies in Kubernetes' protobuf encoding, which for example `kubectl create`
//! sends.
//!
//! There is no encoder, because all clients accept answers in JSON. The decoder uses a table of
//! field numbers (`messages.txt`) and produces the JSON of the same object.

mod messages;
mod wire;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use messages::{Field, Shape, Type};
use wire::{Reader, Wire};

const MAGIC: &[u8] = b"k8s\0";

/// Fields that are absent in JSON when they are zero or false (Go's `omitempty` on a plain number
/// or boolean).
const ZERO_IS_ABSENT: [&str; 28] = [
    "active",
    "availableReplicas",
    "count",
    "currentReplicas",
    "deprecatedCount",
    "failed",
    "failureThreshold",
    "fullyLabeledReplicas",
    "generation",
    "healthCheckNodePort",
    "hostIPC",
    "hostNetwork",
    "hostPID",
    "hostPort",
    "initialDelaySeconds",
    "minReadySeconds",
    "nodePort",
    "observedGeneration",
    "paused",
    "periodSeconds",
    "publishNotReadyAddresses",
    "readOnly",
    "readyReplicas",
    "stdin",
    "stdinOnce",
    "succeeded",
    "successThreshold",
    "tty",
];

/// Fields whose message is inlined into the enclosing object in JSON.
const INLINE: [&str; 7] = [
    "ephemeralContainerCommon",
    "handler",
    "ingressRuleValue",
    "localObjectReference",
    "persistentVolumeSource",
    "rule",
    "volumeSource",
];

/// Decodes an object in its envelope.
///
/// # Errors
/// A sentence about what is wrong with the body.
pub fn decode(body: &[u8]) -> Result<Value, String> {
    let envelope =
        body.strip_prefix(MAGIC).ok_or("it does not start with the bytes of the Kubernetes envelope")?;
    let (mut api_version, mut kind, mut raw) = (String::new(), String::new(), &[][..]);
    let mut reader = Reader::new(envelope);
    while let Some((number, wire)) = reader.next()? {
        match (number, wire) {
            (1, Wire::Bytes(type_meta)) => {
                let mut reader = Reader::new(type_meta);
                while let Some((number, wire)) = reader.next()? {
                    match (number, wire) {
                        (1, Wire::Bytes(text)) => api_version = utf8(text)?,
                        (2, Wire::Bytes(text)) => kind = utf8(text)?,
                        _ => {}
                    }
                }
            }
            (2, Wire::Bytes(bytes)) => raw = bytes,
            _ => {}
        }
    }
    let name = message_name(&api_version, &kind);
    let fields = messages::find(&name)
        .ok_or_else(|| format!("the server knows no protobuf encoding of {api_version} {kind}; send JSON"))?;
    let mut object = message(fields, raw)?;
    object.insert("apiVersion".into(), api_version.into());
    object.insert("kind".into(), kind.into());
    Ok(Value::Object(object))
}

/// `rbac.v1.Role` for `rbac.authorization.k8s.io/v1` `Role`.
fn message_name(api_version: &str, kind: &str) -> String {
    if kind == "DeleteOptions" {
        return "meta.v1.DeleteOptions".to_owned();
    }
    let (group, version) = api_version.split_once('/').unwrap_or(("core", api_version));
    let package = group.split('.').next().unwrap_or_default();
    format!("{package}.{version}.{kind}")
}

fn utf8(bytes: &[u8]) -> Result<String, String> {
    String::from_utf8(bytes.to_vec()).map_err(|_| "a text is not UTF-8".to_owned())
}

fn message(fields: &[Field], bytes: &[u8]) -> Result<Map<String, Value>, String> {
    let mut object = Map::new();
    let mut reader = Reader::new(bytes);
    while let Some((number, wire)) = reader.next()? {
        let Some(field) = fields.iter().find(|field| field.number == number) else { continue };
        match field.shape {
            Shape::Single => single(field, &wire, &mut object)?,
            Shape::Repeated => {
                let item = value(&field.type_, &wire, field.name)?;
                let list = object.entry(field.name).or_insert_with(|| json!([]));
                if let Some(list) = list.as_array_mut() {
                    list.push(item);
                }
            }
            Shape::Map => {
                let (key, item) = entry(field, &wire)?;
                let map = object.entry(field.name).or_insert_with(|| json!({}));
                if let Some(map) = map.as_object_mut() {
                    map.insert(key, item);
                }
            }
        }
    }
    Ok(object)
}

fn single(field: &Field, wire: &Wire<'_>, object: &mut Map<String, Value>) -> Result<(), String> {
    let item = value(&field.type_, wire, field.name)?;
    if INLINE.contains(&field.name) {
        if let Value::Object(inner) = item {
            object.extend(inner);
        }
        return Ok(());
    }
    let absent = match &item {
        Value::Null => true,
        // An empty `storageClassName` differs from an absent one; other empty texts are absent.
        Value::String(text) => text.is_empty() && field.name != "storageClassName",
        Value::Bool(false) => ZERO_IS_ABSENT.contains(&field.name),
        Value::Number(number) => number.as_i64() == Some(0) && ZERO_IS_ABSENT.contains(&field.name),
        _ => false,
    };
    if !absent {
        object.insert(field.name.to_owned(), item);
    }
    Ok(())
}

fn entry(field: &Field, wire: &Wire<'_>) -> Result<(String, Value), String> {
    let Wire::Bytes(bytes) = wire else { return Err(format!("{} is no map", field.name)) };
    let (mut key, mut item) = (String::new(), None);
    let mut reader = Reader::new(bytes);
    while let Some((number, wire)) = reader.next()? {
        match (number, &wire) {
            (1, Wire::Bytes(text)) => key = utf8(text)?,
            (2, _) => item = Some(value(&field.type_, &wire, field.name)?),
            _ => {}
        }
    }
    // A missing value is the type's zero.
    let zero = match field.type_ {
        Type::Text | Type::Bytes => "".into(),
        Type::Integer | Type::Double => 0.into(),
        Type::Bool => false.into(),
        Type::Message(_) => json!({}),
    };
    Ok((key, item.unwrap_or(zero)))
}

fn value(type_: &Type, wire: &Wire<'_>, field: &str) -> Result<Value, String> {
    match (type_, wire) {
        (Type::Text, Wire::Bytes(bytes)) => Ok(utf8(bytes)?.into()),
        (Type::Bytes, Wire::Bytes(bytes)) => Ok(STANDARD.encode(bytes).into()),
        (Type::Bool, Wire::Varint(number)) => Ok((*number != 0).into()),
        // Negative numbers are encoded as their two's complement.
        (Type::Integer, Wire::Varint(number)) => Ok(number.cast_signed().into()),
        (Type::Double, Wire::Fixed64(bits)) => Ok(f64::from_bits(*bits).into()),
        (Type::Message(name), Wire::Bytes(bytes)) => special_or_message(name, bytes),
        _ => Err(format!("the field {field} has another wire type than {type_:?}")),
    }
}

/// Decodes a message. Some types have a JSON form of their own.
fn special_or_message(name: &str, bytes: &[u8]) -> Result<Value, String> {
    let numbers = |bytes| -> Result<(i64, i64), String> {
        let (mut seconds, mut nanos) = (0, 0);
        let mut reader = Reader::new(bytes);
        while let Some((number, wire)) = reader.next()? {
            match (number, wire) {
                (1, Wire::Varint(value)) => seconds = value.cast_signed(),
                (2, Wire::Varint(value)) => nanos = value.cast_signed(),
                _ => {}
            }
        }
        Ok((seconds, nanos))
    };
    let time = |format: &str| -> Result<Value, String> {
        if bytes.is_empty() {
            return Ok(Value::Null);
        }
        let (seconds, nanos) = numbers(bytes)?;
        let nanos = i32::try_from(nanos).map_err(|_| "a time is out of range")?;
        let time =
            Timestamp::new(seconds, nanos).map_err(|error| format!("a time is out of range: {error}"))?;
        Ok(time.strftime(format).to_string().into())
    };
    match name {
        "meta.v1.Time" => time("%Y-%m-%dT%H:%M:%SZ"),
        "meta.v1.MicroTime" => time("%Y-%m-%dT%H:%M:%S.%6fZ"),
        "resource.Quantity" => only_bytes(bytes)?.map_or(Ok("0".into()), |text| Ok(utf8(text)?.into())),
        "runtime.RawExtension" | "meta.v1.FieldsV1" => match only_bytes(bytes)? {
            None => Ok(Value::Null),
            Some(raw) => serde_json::from_slice(raw).map_err(|error| format!("an embedded object: {error}")),
        },
        "intstr.IntOrString" => int_or_string(bytes),
        "authentication.v1.ExtraValue" => {
            let mut items = Vec::new();
            let mut reader = Reader::new(bytes);
            while let Some((_, wire)) = reader.next()? {
                items.push(value(&Type::Text, &wire, "items")?);
            }
            Ok(items.into())
        }
        _ => match messages::find(name) {
            Some(fields) => message(fields, bytes).map(Value::Object),
            None => Err(format!("the server knows no protobuf message {name}")),
        },
    }
}

fn only_bytes(bytes: &[u8]) -> Result<Option<&[u8]>, String> {
    let mut found = None;
    let mut reader = Reader::new(bytes);
    while let Some((number, wire)) = reader.next()? {
        if let (1, Wire::Bytes(bytes)) = (number, wire) {
            found = Some(bytes);
        }
    }
    Ok(found)
}

fn int_or_string(bytes: &[u8]) -> Result<Value, String> {
    let (mut is_text, mut number, mut text) = (false, 0, String::new());
    let mut reader = Reader::new(bytes);
    while let Some((field, wire)) = reader.next()? {
        match (field, wire) {
            (1, Wire::Varint(kind)) => is_text = kind == 1,
            (2, Wire::Varint(value)) => number = value.cast_signed(),
            (3, Wire::Bytes(bytes)) => text = utf8(bytes)?,
            _ => {}
        }
    }
    Ok(if is_text { text.into() } else { number.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One length-delimited field; everything here is shorter than 128 bytes.
    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let mut out = vec![number << 3 | 2, u8::try_from(bytes.len()).unwrap()];
        out.extend_from_slice(bytes);
        out
    }

    fn object(api_version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
        let type_meta = [field(1, api_version.as_bytes()), field(2, kind.as_bytes())].concat();
        [MAGIC.to_vec(), field(1, &type_meta), field(2, raw)].concat()
    }

    #[test]
    fn secrets_are_decoded() {
        let metadata = [field(1, b"s"), field(2, b""), field(8, b"")].concat();
        let entry = [field(1, b"key"), field(2, b"value")].concat();
        let raw = [field(1, &metadata), field(2, &entry), field(3, b"Opaque")].concat();
        assert_eq!(
            decode(&object("v1", "Secret", &raw)).unwrap(),
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"key": "dmFsdWU="}, "type": "Opaque"})
        );
    }

    #[test]
    fn the_source_of_a_volume_is_inlined() {
        let volume = [field(1, b"v"), field(2, &field(2, b""))].concat();
        let raw = field(2, &field(1, &volume));
        let pod = decode(&object("v1", "Pod", &raw)).unwrap();
        assert_eq!(pod["spec"]["volumes"], json!([{"name": "v", "emptyDir": {}}]));
    }

    #[test]
    fn truncated_and_unknown_messages_are_refused() {
        let whole = object("v1", "Secret", &field(1, &field(1, b"s")));
        for length in 0..whole.len() {
            // Never a panic; a cut between two fields is a shorter object.
            let _ = decode(&whole[..length]);
        }
        assert!(decode(b"{}").unwrap_err().contains("envelope"));
        assert!(decode(&object("v1", "Nothing", b"")).unwrap_err().contains("v1 Nothing"));
    }
}
