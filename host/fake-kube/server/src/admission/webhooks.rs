//! Everything that calling webhooks needs, and one call.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use fake_kube_apimachinery::status::ApiError;
use serde_json::Value;
use tokio::time::Instant;

use super::client::Clients;
use super::configuration::{Configurations, Webhook};
use super::failure::{self, Failure};
use super::review::{self, Answer};
use super::services::Services;
use super::{Attributes, Phase, matching, mutating, validating};
use crate::catalogue::Kind;
use crate::cluster::Cluster;
use crate::identity;

/// The webhooks of a cluster, and the connections to them.
#[derive(Default)]
pub struct Webhooks {
    configurations: Configurations,
    clients: Clients,
    services: Services,
}

impl Webhooks {
    /// Sets where a service answers.
    pub fn route_service(&self, namespace: &str, name: &str, port: u16, address: SocketAddr) {
        self.services.route(namespace, name, port, address);
    }

    /// Forgets where a service answers.
    pub fn remove_service_route(&self, namespace: &str, name: &str, port: u16) {
        self.services.remove(namespace, name, port);
    }

    /// The webhooks that requests to a kind may have to pass.
    pub fn of(&self, cluster: &Cluster, phase: Phase, kind: &Kind) -> Arc<[Webhook]> {
        if matching::is_exempt(kind) {
            return Arc::default();
        }
        let (webhooks, read_anew) = self.configurations.current(&cluster.store, phase);
        if read_anew {
            let loaded = self.configurations.loaded();
            self.clients
                .keep(loaded.iter().flat_map(|webhooks| webhooks.iter()).map(|webhook| &webhook.client));
        }
        webhooks
    }

    /// Lets mutating webhooks change the object. Warnings are added also when the request is refused.
    pub async fn mutate(
        &self,
        cluster: &Cluster,
        attributes: &mut Attributes,
        warnings: &mut Vec<String>,
    ) -> Result<(), ApiError> {
        let webhooks = self.of(cluster, Phase::Mutating, &attributes.kind);
        mutating::run(cluster, &webhooks, attributes, warnings).await
    }

    /// Lets validating webhooks look at the object. Warnings are added also when the request is refused.
    pub async fn validate(
        &self,
        cluster: &Cluster,
        attributes: &Attributes,
        warnings: &mut Vec<String>,
    ) -> Result<(), ApiError> {
        let webhooks = self.of(cluster, Phase::Validating, &attributes.kind);
        validating::run(cluster, &webhooks, attributes, warnings).await
    }

    /// Asks one webhook. The objects are those of the attributes in the version of `kind`.
    pub(super) async fn ask(
        &self,
        phase: Phase,
        webhook: &Webhook,
        attributes: &Attributes,
        kind: &Kind,
        object: Option<&Value>,
    ) -> Result<Answer, Failure> {
        if attributes.request.dry_run && !webhook.allows_dry_run {
            return Err(Failure::Refused(failure::no_dry_run(&webhook.name)));
        }
        let Some(version) = webhook.review_version else {
            return Err(Failure::Call(
                "could not create admission objects: webhook does not accept known AdmissionReview versions (v1, v1beta1)"
                    .to_owned(),
            ));
        };
        let uid = identity::new_uid();
        let old_object = attributes.old_object_as(kind);
        let question = review::question(version, &uid, attributes, kind, object, old_object.as_ref());
        let remaining = attributes.deadline.saturating_duration_since(Instant::now());
        let timeout = webhook.timeout.min(remaining).max(Duration::from_millis(1));
        let body = question.to_string().into();
        let answer = self.clients.post(&self.services, &webhook.client, body, timeout).await;
        let answer = answer.map_err(Failure::Call)?;
        review::answer(phase, version, &uid, &answer).map_err(Failure::Call)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};
    use tokio::sync::watch;

    use crate::admission::AdmitAll;
    use crate::cluster::{Cluster, Settings};
    use crate::http::decode::Decoded;
    use crate::store::{Key, TableName};
    use crate::write::{Write, create};

    /// Creates a namespace as a dry run while a stored webhook (no client could write it any more) has side effects.
    async fn dry_run(
        plural: &str,
        side_effects: Value,
    ) -> Result<Value, fake_kube_apimachinery::status::ApiError> {
        let (_running, stop) = watch::channel(false);
        let settings = Settings { history: 10, bookmark_interval: Duration::from_secs(60), token: None };
        let cluster = Cluster::new(settings, std::sync::Arc::new(AdmitAll), stop);
        let webhook = json!({
            "name": "w.hook.test", "sideEffects": side_effects, "failurePolicy": "Ignore",
            "clientConfig": {"service": {"namespace": "n", "name": "s"}}, "admissionReviewVersions": ["v1"],
            "rules": [{"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"]}],
        });
        let table = TableName::new("admissionregistration.k8s.io", plural);
        let configuration = json!({"metadata": {"name": "w"}, "webhooks": [webhook]});
        cluster.store.create(&table, Key::new(None, "w"), configuration).unwrap();
        let kind = cluster.catalogue().find("", "v1", "namespaces").unwrap();
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
