//! The volumes of pods.

use fake_kube_apimachinery::status::Cause;
use serde_json::Value;

use super::causes::{duplicate, invalid};
use super::{names, resources};
use crate::json::Fields;

/// Required fields of the kinds of volumes.
const REQUIRED: [(&str, &[&str]); 9] = [
    ("configMap", &["name"]),
    ("csi", &["driver"]),
    ("glusterfs", &["endpoints", "path"]),
    ("hostPath", &["path"]),
    ("iscsi", &["targetPortal", "iqn"]),
    ("nfs", &["server", "path"]),
    ("persistentVolumeClaim", &["claimName"]),
    ("image", &["reference"]),
    ("secret", &["secretName"]),
];

/// Validates `spec.volumes`.
pub(super) fn volumes(spec: &Value, path: &str, causes: &mut Vec<Cause>) {
    let mut seen = Vec::new();
    for (index, volume) in spec.list("volumes").iter().enumerate() {
        let path = format!("{path}.volumes[{index}]");
        let name = volume.text("name");
        if name.is_empty() {
            causes.push(Cause::required(format!("{path}.name"), ""));
        } else if seen.contains(&name) {
            causes.push(duplicate(format!("{path}.name"), volume.at("name")));
        } else {
            let wrong = names::dns_label(name);
            causes.extend(wrong.iter().map(|wrong| invalid(format!("{path}.name"), name, wrong)));
        }
        seen.push(name);
        source(volume, &path, causes);
    }
}

fn source(volume: &Value, path: &str, causes: &mut Vec<Cause>) {
    let kinds = volume.as_object().into_iter().flatten();
    let mut kinds =
        kinds.filter(|(key, value)| *key != "name" && !value.is_null()).map(|(key, _)| key.as_str());
    let Some(kind) = kinds.next() else {
        causes.push(Cause::required(path, "must specify a volume type"));
        return;
    };
    causes.extend(
        kinds.map(|other| {
            Cause::forbidden(format!("{path}.{other}"), "may not specify more than 1 volume type")
        }),
    );
    let source = volume.at(kind);
    let path = format!("{path}.{kind}");
    for field in REQUIRED.iter().filter(|(of, _)| *of == kind).flat_map(|(_, fields)| *fields) {
        if source.text(field).is_empty() {
            causes.push(Cause::required(format!("{path}.{field}"), ""));
        }
    }
    if kind == "emptyDir" && source.has("sizeLimit") {
        resources::not_negative(source.at("sizeLimit"), &format!("{path}.sizeLimit"), causes);
    }
    if let Some(mode) = source.integer("defaultMode").filter(|mode| !(0..=0o777).contains(mode)) {
        causes.push(bad_mode(format!("{path}.defaultMode"), mode));
    }
    if matches!(kind, "configMap" | "secret") {
        items(source, &path, causes);
    }
    for (index, part) in source.list("sources").iter().enumerate() {
        for kind in ["configMap", "secret"].into_iter().filter(|kind| part.has(kind)) {
            let path = format!("{path}.sources[{index}].{kind}");
            if part.at(kind).text("name").is_empty() {
                causes.push(Cause::required(format!("{path}.name"), ""));
            }
            items(part.at(kind), &path, causes);
        }
    }
}

fn bad_mode(field: String, mode: i64) -> Cause {
    Cause::invalid(field, &mode.into(), "must be a number between 0 and 0777 (octal), both inclusive")
}

fn items(source: &Value, path: &str, causes: &mut Vec<Cause>) {
    for (index, item) in source.list("items").iter().enumerate() {
        let path = format!("{path}.items[{index}]");
        for field in ["key", "path"].into_iter().filter(|field| item.text(field).is_empty()) {
            causes.push(Cause::required(format!("{path}.{field}"), ""));
        }
        relative(item.text("path"), &format!("{path}.path"), causes);
        if let Some(mode) = item.integer("mode").filter(|mode| !(0..=0o777).contains(mode)) {
            causes.push(bad_mode(format!("{path}.mode"), mode));
        }
    }
}

/// Validates that a relative path does not lead out of its volume.
pub(super) fn relative(text: &str, field: &str, causes: &mut Vec<Cause>) {
    if text.starts_with('/') {
        causes.push(invalid(field.to_owned(), text, "must be a relative path"));
    }
    if text.split('/').any(|part| part == "..") {
        causes.push(invalid(field.to_owned(), text, "must not contain '..'"));
    }
}
