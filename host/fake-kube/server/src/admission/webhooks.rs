//! The admission webhooks of the stored configurations.

use std::net::SocketAddr;
use std::sync::Arc;

use fake_kube_apimachinery::status::ApiError;

use super::caller::Caller;
use super::configuration::{Configurations, Webhook};
use super::{Attributes, Phase, matching, mutating, validating};
use crate::catalogue::Kind;
use crate::state::State;

/// The admission webhooks of the stored configurations.
#[derive(Default)]
pub struct Webhooks {
    configurations: Configurations,
    caller: Caller,
}

impl Webhooks {
    /// Sets the address of a service.
    pub fn route_service(&self, namespace: &str, name: &str, port: u16, address: SocketAddr) {
        self.caller.route_service(namespace, name, port, address);
    }

    /// Removes the address of a service.
    pub fn remove_service_route(&self, namespace: &str, name: &str, port: u16) {
        self.caller.remove_service_route(namespace, name, port);
    }

    /// The webhooks of a phase; none for kinds that configure admission itself.
    pub fn of(&self, state: &State, phase: Phase, kind: &Kind) -> Arc<[Webhook]> {
        if matching::is_exempt(kind) {
            return Arc::default();
        }
        let (webhooks, read_anew) = self.configurations.current(&state.store, phase);
        if read_anew {
            let loaded = self.configurations.loaded();
            self.caller.keep_connections(loaded.iter().flat_map(|webhooks| webhooks.iter()));
        }
        webhooks
    }

    /// Calls the mutating webhooks. Warnings are added also when the request is refused.
    ///
    /// # Errors
    /// The refusal of a webhook.
    pub async fn mutate(
        &self,
        state: &State,
        attributes: &mut Attributes,
        warnings: &mut Vec<String>,
    ) -> Result<(), ApiError> {
        let webhooks = self.of(state, Phase::Mutating, &attributes.kind);
        mutating::run(state, &self.caller, &webhooks, attributes, warnings).await
    }

    /// Calls the validating webhooks. Warnings are added also when the request is refused.
    ///
    /// # Errors
    /// The refusal of a webhook.
    pub async fn validate(
        &self,
        state: &State,
        attributes: &Attributes,
        warnings: &mut Vec<String>,
    ) -> Result<(), ApiError> {
        let webhooks = self.of(state, Phase::Validating, &attributes.kind);
        validating::run(state, &self.caller, &webhooks, attributes, warnings).await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};
    use tokio::sync::watch;

    use crate::admission::AdmitAll;
    use crate::cluster::{Cluster, ClusterSettings};
    use crate::http::decode::Decoded;
    use crate::store::{Key, TableName};
    use crate::write::{Write, create};

    /// Creates a namespace as a dry run while there is a webhook with side effects. Validation
    /// refuses such a webhook, so the test puts it into the store.
    async fn dry_run(
        plural: &str,
        side_effects: Value,
    ) -> Result<Value, fake_kube_apimachinery::status::ApiError> {
        let (_running, stop) = watch::channel(false);
        let settings =
            ClusterSettings { history: 10, bookmark_interval: Duration::from_secs(60), token: None };
        let cluster = Cluster::new(settings, std::sync::Arc::new(AdmitAll), stop);
        let webhook = json!({
            "name": "w.hook.test", "sideEffects": side_effects, "failurePolicy": "Ignore",
            "clientConfig": {"service": {"namespace": "n", "name": "s"}}, "admissionReviewVersions": ["v1"],
            "rules": [{"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"]}],
        });
        let table = TableName::new("admissionregistration.k8s.io", plural);
        let configuration = json!({"metadata": {"name": "w"}, "webhooks": [webhook]});
        cluster.state.store.create(&table, Key::new(None, "w"), configuration).unwrap();
        let kind = cluster.state.catalogue().find("", "v1", "namespaces").unwrap();
        let mut write = Write::internal(kind, None, None);
        (write.exempt, write.dry_run) = (false, true);
        let value = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}});
        create::create(&cluster, &mut write, Decoded { value, duplicates: Vec::new() }).await
    }

    #[tokio::test]
    async fn side_effects_and_dry_runs_do_not_go_together() {
        for plural in ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"] {
            for side_effects in ["Some", "Unknown"] {
                let error = dry_run(plural, side_effects.into()).await.unwrap_err();
                assert_eq!((error.code, &*error.reason), (400, "BadRequest"));
                assert_eq!(error.message, "admission webhook \"w.hook.test\" does not support dry run");
            }
            // The call fails, which is ignored.
            assert!(dry_run(plural, "NoneOnDryRun".into()).await.is_ok());
        }
    }
}
