//! Fields of the spec that go into the registry pods as they are.

use super::copied;
use crate::fields::Fields;
use crate::json::Json;
use orascache_contract::Error;

/// What users add to the registry pods.
#[derive(Debug, Default)]
pub(crate) struct Pods<'a> {
    pub(crate) affinity: Option<&'a Json<'a>>,
    pub(crate) topology_spread_constraints: Option<&'a Json<'a>>,
    pub(crate) priority_class_name: Option<&'a str>,
    pub(crate) labels: Option<&'a Json<'a>>,
    pub(crate) annotations: Option<&'a Json<'a>>,
    pub(crate) service_account_name: Option<&'a str>,
    /// Variables of the registry container.
    pub(crate) env: Option<&'a Json<'a>>,
}

impl<'a> Pods<'a> {
    pub(super) fn read(spec: Fields<'a>) -> Result<Self, Error> {
        Ok(Pods {
            affinity: copied(spec, "affinity")?,
            topology_spread_constraints: copied(spec, "topologySpreadConstraints")?,
            priority_class_name: spec.text("priorityClassName")?,
            labels: copied(spec, "podLabels")?,
            annotations: copied(spec, "podAnnotations")?,
            service_account_name: spec.text("serviceAccountName")?,
            env: copied(spec, "env")?,
        })
    }
}
