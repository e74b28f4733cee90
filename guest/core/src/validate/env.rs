//! Rules for `spec.env`.

use super::report::Report;
use crate::json::Json;

const FIELD: &str = "spec.env";

const OF_BUCKET: &str = "spec.storage.s3, gcs and azure say where artifacts are kept";
const OF_PROXY: &str = "spec.proxy makes a pull-through cache";

/// Variables that the operator sets, and what to write instead.
const OF_THE_OPERATOR: [(&str, &str); 37] = [
    ("AWS_ACCESS_KEY_ID", OF_BUCKET),
    ("AWS_SECRET_ACCESS_KEY", OF_BUCKET),
    ("REGISTRY_AUTH", "spec.auth lets the registry ask for accounts"),
    ("REGISTRY_AUTH_HTPASSWD_PATH", "spec.auth lets the registry ask for accounts"),
    ("REGISTRY_AUTH_HTPASSWD_REALM", "spec.auth lets the registry ask for accounts"),
    ("REGISTRY_HTTP_ADDR", "spec.service.port is the port for clients"),
    ("REGISTRY_HTTP_DEBUG_ADDR", "spec.metrics opens the metrics port"),
    ("REGISTRY_HTTP_DEBUG_PROMETHEUS_ENABLED", "spec.metrics opens the metrics port"),
    ("REGISTRY_HTTP_DEBUG_PROMETHEUS_PATH", "metrics are at /metrics"),
    ("REGISTRY_HTTP_SECRET", "spec.secret names the Secret that has it"),
    ("REGISTRY_HTTP_TLS_CERTIFICATE", "spec.tls lets the registry speak HTTPS"),
    ("REGISTRY_HTTP_TLS_KEY", "spec.tls lets the registry speak HTTPS"),
    ("REGISTRY_PROXY_PASSWORD", OF_PROXY),
    ("REGISTRY_PROXY_REMOTEURL", OF_PROXY),
    ("REGISTRY_PROXY_TTL", OF_PROXY),
    ("REGISTRY_PROXY_USERNAME", OF_PROXY),
    ("REGISTRY_STORAGE_AZURE_ACCOUNTKEY", OF_BUCKET),
    ("REGISTRY_STORAGE_AZURE_ACCOUNTNAME", OF_BUCKET),
    ("REGISTRY_STORAGE_AZURE_CONTAINER", OF_BUCKET),
    ("REGISTRY_STORAGE_AZURE_CREDENTIALS", OF_BUCKET),
    ("REGISTRY_STORAGE_AZURE_REALM", OF_BUCKET),
    ("REGISTRY_STORAGE_AZURE_ROOTDIRECTORY", OF_BUCKET),
    ("REGISTRY_STORAGE_DELETE_ENABLED", "spec.delete says whether clients may delete"),
    ("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", "spec.storage says where artifacts are kept"),
    ("REGISTRY_STORAGE_GCS_BUCKET", OF_BUCKET),
    ("REGISTRY_STORAGE_GCS_KEYFILE", OF_BUCKET),
    ("REGISTRY_STORAGE_GCS_ROOTDIRECTORY", OF_BUCKET),
    ("REGISTRY_STORAGE_MAINTENANCE_READONLY", "spec.readOnly lets the registry take no pushes"),
    ("REGISTRY_STORAGE_MAINTENANCE_READONLY_ENABLED", "spec.readOnly lets the registry take no pushes"),
    ("REGISTRY_STORAGE_REDIRECT_DISABLE", "clients get everything from the registry"),
    ("REGISTRY_STORAGE_S3_ACCESSKEY", OF_BUCKET),
    ("REGISTRY_STORAGE_S3_BUCKET", OF_BUCKET),
    ("REGISTRY_STORAGE_S3_FORCEPATHSTYLE", OF_BUCKET),
    ("REGISTRY_STORAGE_S3_REGION", OF_BUCKET),
    ("REGISTRY_STORAGE_S3_REGIONENDPOINT", OF_BUCKET),
    ("REGISTRY_STORAGE_S3_ROOTDIRECTORY", OF_BUCKET),
    ("REGISTRY_STORAGE_S3_SECRETKEY", OF_BUCKET),
];

/// What to write instead of a variable that the operator sets. A variable with the beginning of such
/// a name sets all settings under it (distribution.github.io/distribution/about/configuration).
fn instead_of(name: &str) -> Option<&'static str> {
    if !name.starts_with("REGISTRY_") && !name.starts_with("AWS_") {
        return None;
    }
    let mut ours =
        OF_THE_OPERATOR.iter().filter_map(|(ours, instead)| Some((ours.strip_prefix(name)?, instead)));
    match ours.find(|(rest, _)| rest.is_empty() || rest.starts_with('_'))? {
        ("", instead) => Some(instead),
        _ => Some("a variable with a longer name sets what is not the operator's"),
    }
}

pub(super) fn problems(env: &[Json<'_>], report: &mut Report) {
    let mut names = Vec::with_capacity(env.len());
    for variable in env {
        let Some(name) = variable.name() else {
            report.say(FIELD, "an item has no name: write name and value");
            continue;
        };
        names.push(name);
        if !is_name(name) {
            report.add(
                FIELD,
                format!(
                    "\"{name}\" is no name of a variable: write letters, digits, '_', '-' and '.', and no digit first"
                ),
            );
        }
        if let Some(instead) = instead_of(name) {
            report.add(FIELD, format!("\"{name}\" is set by the operator: remove it, {instead}"));
        }
        match (variable.member("value"), variable.member("valueFrom")) {
            (Some(value), Some(_)) if value.as_str() != Some("") => {
                report.add(FIELD, format!("\"{name}\" has both value and valueFrom: remove one of them"));
            }
            (Some(value), _) if value.as_str().is_none() => {
                report
                    .add(FIELD, format!("\"{name}\" has {} as its value: write a string", value.type_name()));
            }
            (_, Some(source)) if !matches!(source, Json::Object(_)) => {
                report.add(
                    FIELD,
                    format!("\"{name}\" has {} as its valueFrom: write an object", source.type_name()),
                );
            }
            _ => {}
        }
    }
    for name in super::repeated(&names) {
        report.add(FIELD, format!("\"{name}\" is there twice: keep one of them"));
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
