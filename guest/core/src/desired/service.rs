//! The headless Service that gives registry pods their names.

use super::{Child, selector_labels};
use crate::json::Json;
use crate::kinds::SERVICE;
use crate::primary::Primary;
use orascache_api::names::{METRICS_NAME, METRICS_PORT, REGISTRY_NAME, REGISTRY_PORT};

/// The Service by which `<name>-0.<name>.<namespace>.svc:5000` resolves. It selects the pods of the
/// cache only.
pub(crate) fn service<'a>(primary: &'a Primary<'a>) -> Child<'a> {
    let port = |name: &'static str, number: i64| {
        Json::object([
            ("name", Some(name.into())),
            ("port", Some(number.into())),
            ("protocol", Some("TCP".into())),
            ("targetPort", Some(name.into())),
        ])
    };
    let mut ports = vec![port(REGISTRY_NAME, REGISTRY_PORT)];
    if primary.spec.metrics.is_some() {
        ports.push(port(METRICS_NAME, METRICS_PORT));
    }
    let spec = Json::object([
        ("clusterIP", Some("None".into())),
        ("ports", Some(Json::Array(ports))),
        ("selector", Some(selector_labels(primary))),
    ]);
    Child::new(primary, &SERVICE, primary.metadata.name.into(), [("spec", spec)])
}
