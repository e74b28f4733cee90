//! The shape of objects and lists in answers: plain, metadata only, or a table.

use bytes::Bytes;
use serde_json::{Value, json};

use super::include::IncludeObject;
use super::table;
use crate::catalogue::{Kind, Origin};
use crate::http::accept::Shape;
use crate::store::Object;

const METADATA_HEAD: &str = r#"{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":"#;

/// The `PartialObjectMetadata` of a stored object. The object is not parsed.
pub fn metadata_of(object: &Object) -> Bytes {
    format!("{METADATA_HEAD}{}}}", object.metadata()).into()
}

/// One stored object.
pub fn object(kind: &Kind, object: &Object, shape: Shape, include: IncludeObject) -> Bytes {
    match shape {
        Shape::Plain => kind.bytes(object),
        Shape::Metadata => metadata_of(object),
        Shape::Table => {
            let row = table::row(kind, object, include, &crate::clock::now());
            let version = object.revision.to_string();
            table::table(&json!({"resourceVersion": version}), Some(table::columns(kind)), vec![row])
                .to_string()
                .into()
        }
    }
}

/// An object that is not read from the store, for example the result of a write.
pub fn value(kind: &Kind, value: &Value, shape: Shape, include: IncludeObject) -> Bytes {
    let is_status = value.get("kind").and_then(Value::as_str) == Some("Status");
    let metadata = value.get("metadata").cloned().unwrap_or_else(|| json!({}));
    match shape {
        _ if is_status => value.to_string().into(),
        Shape::Plain => value.to_string().into(),
        Shape::Metadata => format!("{METADATA_HEAD}{metadata}}}").into(),
        Shape::Table => {
            let row = table::row_of_value(kind, value, include, &crate::clock::now());
            let version = metadata.get("resourceVersion").cloned().unwrap_or_default();
            table::table(&json!({"resourceVersion": version}), Some(table::columns(kind)), vec![row])
                .to_string()
                .into()
        }
    }
}

/// The metadata of a list.
pub struct ListMeta {
    /// The revision that the list shows.
    pub revision: u64,
    /// The continue token of the next page.
    pub next: Option<String>,
    /// How many objects follow this page, where that is known.
    pub remaining: Option<usize>,
}

/// A list of stored objects.
pub fn list(
    kind: &Kind,
    meta: &ListMeta,
    objects: &[std::sync::Arc<Object>],
    shape: Shape,
    include: IncludeObject,
) -> Bytes {
    let mut metadata = json!({"resourceVersion": meta.revision.to_string()});
    if let Some(map) = metadata.as_object_mut() {
        match &meta.next {
            Some(next) => {
                map.insert("continue".into(), next.clone().into());
            }
            // Lists of custom resources always have the field.
            None if kind.custom().is_some() && shape == Shape::Plain => {
                map.insert("continue".into(), "".into());
            }
            None => {}
        }
        if let Some(remaining) = meta.remaining {
            map.insert("remainingItemCount".into(), remaining.into());
        }
    }
    let (api_version, list_kind) = match shape {
        Shape::Plain => (kind.api_version(), kind.list_kind.as_str()),
        Shape::Metadata => ("meta.k8s.io/v1".to_owned(), "PartialObjectMetadataList"),
        Shape::Table => {
            let now = crate::clock::now();
            let rows = objects.iter().map(|object| table::row(kind, object, include, &now)).collect();
            return table::table(&metadata, Some(table::columns(kind)), rows).to_string().into();
        }
    };
    let mut out =
        Vec::with_capacity(256 + objects.iter().map(|object| object.body().len() + 64).sum::<usize>());
    let head = match &kind.origin {
        Origin::Builtin(_) => format!(r#"{{"kind":"{list_kind}","apiVersion":"{api_version}","#),
        Origin::Custom(_) => format!(r#"{{"apiVersion":"{api_version}","kind":"{list_kind}","#),
    };
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(format!(r#""metadata":{metadata},"items":["#).as_bytes());
    for (index, object) in objects.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        match shape {
            Shape::Metadata => out.extend_from_slice(&metadata_of(object)),
            Shape::Plain | Shape::Table => kind.write_list_item(object, &mut out),
        }
    }
    out.extend_from_slice(b"]}");
    out.into()
}
