//! Rules for `spec.env`.

use super::Report;
use crate::json::Json;

const FIELD: &str = "spec.env";

/// Variables that the operator sets, and what to write instead.
const OF_THE_OPERATOR: [(&str, &str); 7] = [
    ("REGISTRY_HTTP_ADDR", "spec.service.port is the port for clients"),
    ("REGISTRY_HTTP_DEBUG_ADDR", "spec.metrics opens the metrics port"),
    ("REGISTRY_HTTP_DEBUG_PROMETHEUS_ENABLED", "spec.metrics opens the metrics port"),
    ("REGISTRY_HTTP_DEBUG_PROMETHEUS_PATH", "metrics are at /metrics"),
    ("REGISTRY_HTTP_SECRET", "spec.secret names the Secret that has it"),
    ("REGISTRY_STORAGE_DELETE_ENABLED", "spec.delete says whether clients may delete"),
    ("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", "spec.storage says where artifacts are kept"),
];

/// What to write instead of a variable that the operator sets. A variable with the beginning of such
/// a name sets all settings under it (distribution.github.io/distribution/about/configuration).
fn instead_of(name: &str) -> Option<&'static str> {
    if !name.starts_with("REGISTRY_") {
        return None;
    }
    let mut ours =
        OF_THE_OPERATOR.iter().filter_map(|(ours, instead)| Some((ours.strip_prefix(name)?, instead)));
    match ours.find(|(rest, _)| rest.is_empty() || rest.starts_with('_'))? {
        ("", instead) => Some(instead),
        _ => Some("a variable with a longer name sets what is not the operator's"),
    }
}

pub(super) fn problems(env: &[Json<'_>], report: &mut Report<'_>) {
    let mut names = Vec::with_capacity(env.len());
    for variable in env {
        let Some(name) = variable.name() else {
            report(FIELD, "an item has no name: write name and value".to_owned());
            continue;
        };
        names.push(name);
        if !is_name(name) {
            report(
                FIELD,
                format!(
                    "\"{name}\" is no name of a variable: write letters, digits, '_', '-' and '.', and no digit first"
                ),
            );
        }
        if let Some(instead) = instead_of(name) {
            report(FIELD, format!("\"{name}\" is set by the operator: remove it, {instead}"));
        }
        match (variable.member("value"), variable.member("valueFrom")) {
            (Some(value), Some(_)) if value.as_str() != Some("") => {
                report(FIELD, format!("\"{name}\" has both value and valueFrom: remove one of them"));
            }
            (Some(value), _) if value.as_str().is_none() => {
                report(FIELD, format!("\"{name}\" has {} as its value: write a string", value.type_name()));
            }
            (_, Some(source)) if !matches!(source, Json::Object(_)) => {
                report(
                    FIELD,
                    format!("\"{name}\" has {} as its valueFrom: write an object", source.type_name()),
                );
            }
            _ => {}
        }
    }
    for name in super::repeated(names) {
        report(FIELD, format!("\"{name}\" is there twice: keep one of them"));
    }
}

/// Name of a variable, as API servers of all supported versions accept it (`IsEnvVarName` of
/// apimachinery).
fn is_name(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    text.bytes().all(inner)
        && text.bytes().next().is_some_and(|first| !first.is_ascii_digit())
        && text != "."
        && !text.starts_with("..")
}

#[cfg(test)]
mod tests {
    use super::{instead_of, is_name};

    #[test]
    fn variables_of_the_operator_are_told_from_others() {
        for ours in ["REGISTRY_HTTP_SECRET", "REGISTRY_HTTP", "REGISTRY_STORAGE", "REGISTRY_STORAGE_DELETE"] {
            assert!(instead_of(ours).is_some(), "{ours}");
        }
        for other in [
            "REGISTRY_LOG_LEVEL",
            "REGISTRY_HTTP_HEADERS",
            "REGISTRY_STORAGE_CACHE_BLOBDESCRIPTOR",
            "REGISTRY_HTTP_SEC",
            "REGISTRY",
            "R",
            "OTEL_TRACES_EXPORTER",
        ] {
            assert!(instead_of(other).is_none(), "{other}");
        }
    }

    #[test]
    fn names_of_variables_are_those_that_every_api_server_accepts() {
        for right in ["A", "_a", "my-var.x1"] {
            assert!(is_name(right), "{right}");
        }
        for wrong in ["", "1a", "a b", "a=b", ".", "..a", "ä"] {
            assert!(!is_name(wrong), "{wrong}");
        }
    }
}
