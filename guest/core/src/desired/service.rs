//! The headless Service that gives registry pods their names.

use super::{Child, selector_labels};
use crate::json::Json;
use crate::kinds::SERVICE;
use crate::primary::Primary;
use orascache_api::names::{REGISTRY_NAME, REGISTRY_PORT};

/// `<name>-0.<name>.<namespace>.svc:5000` resolves through it. It selects the cache's own pods only.
pub(crate) fn service<'a>(primary: &'a Primary<'a>) -> Child<'a> {
    let port = Json::object([
        ("name", Some(REGISTRY_NAME.into())),
        ("port", Some(REGISTRY_PORT.into())),
        ("protocol", Some("TCP".into())),
        ("targetPort", Some(REGISTRY_NAME.into())),
    ]);
    let spec = Json::object([
        ("clusterIP", Some("None".into())),
        ("ports", Some(Json::Array(vec![port]))),
        ("selector", Some(selector_labels(primary))),
    ]);
    Child::new(primary, &SERVICE, primary.metadata.name.into(), [("spec", spec)])
}
