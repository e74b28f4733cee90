//! Calls webhooks, with the connections to them.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::client::Clients;
use super::configuration::Webhook;
use super::failure::{self, Failure};
use super::review::{self, Answer};
use super::services::Services;
use super::{Attributes, Phase};
use crate::catalogue::Kind;
use crate::identity;

/// Calls webhooks.
#[derive(Default)]
pub struct Caller {
    clients: Clients,
    services: Services,
}

impl Caller {
    /// Sets the address of a service.
    pub fn route_service(&self, namespace: &str, name: &str, port: u16, address: SocketAddr) {
        self.services.route(namespace, name, port, address);
    }

    /// Removes the address of a service.
    pub fn remove_service_route(&self, namespace: &str, name: &str, port: u16) {
        self.services.remove(namespace, name, port);
    }

    /// Closes the connections that none of these webhooks needs.
    pub fn keep_connections<'a>(&self, webhooks: impl Iterator<Item = &'a Webhook>) {
        self.clients.keep(webhooks.map(|webhook| &webhook.client));
    }

    /// Calls one webhook. `object`, if any, is that of the attributes in the version of `kind`.
    ///
    /// # Errors
    /// Why the webhook did not answer, or why it cannot be called at all.
    pub async fn ask(
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
