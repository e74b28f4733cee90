//! `spec.service`: the Service over which clients are spread.

use super::copied;
use crate::fields::Fields;
use crate::json::Json;
use orascache_api::names::REGISTRY_PORT;
use orascache_contract::Error;

/// `spec.service`.
#[derive(Debug)]
pub(crate) struct Service<'a> {
    kind: Option<&'a str>,
    port: Option<i64>,
    pub(crate) node_port: Option<i64>,
    /// Networks outside of the cluster whose clients reach the registry.
    pub(crate) source_ranges: Vec<&'a str>,
    pub(crate) annotations: Option<&'a Json<'a>>,
}

impl<'a> Service<'a> {
    /// A Service about which the spec says nothing.
    pub(crate) const NONE: Service<'static> =
        Service { kind: None, port: None, node_port: None, source_ranges: Vec::new(), annotations: None };

    pub(super) fn read(spec: Fields<'a>) -> Result<Option<Self>, Error> {
        let Some(service) = spec.object("service", "spec.service")? else { return Ok(None) };
        Ok(Some(Service {
            kind: service.text("type")?,
            port: service.integer("port")?,
            node_port: service.integer("nodePort")?,
            source_ranges: service.texts("sourceRanges")?.unwrap_or_default(),
            annotations: copied(service, "annotations")?,
        }))
    }

    /// The type of the Service.
    pub(crate) fn kind(&self) -> &'a str {
        self.kind.unwrap_or("ClusterIP")
    }

    pub(crate) fn port(&self) -> i64 {
        self.port.unwrap_or(REGISTRY_PORT)
    }

    /// Whether it can be reached from outside of the cluster.
    pub(crate) fn is_external(&self) -> bool {
        self.kind() != "ClusterIP"
    }
}
