//! How many registry pods a drain of nodes may take at a time.

use super::{Child, registry_service_name, selector_labels};
use crate::json::Json;
use crate::kinds::DISRUPTION_BUDGET;
use crate::primary::Primary;

/// The budget of a cache with several pods. A single pod gets none: nodes could not be drained.
pub(crate) fn disruption_budget<'a>(primary: &'a Primary<'a>) -> Option<Child<'a>> {
    if primary.spec.replicas() <= 1 {
        return None;
    }
    let selector = Json::object([("matchLabels", Some(selector_labels(primary)))]);
    let spec = Json::object([("maxUnavailable", Some(1.into())), ("selector", Some(selector))]);
    let name = registry_service_name(primary).into();
    Some(Child::new(primary, &DISRUPTION_BUDGET, name, [("spec", spec)]))
}
