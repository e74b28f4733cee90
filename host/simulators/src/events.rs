//! Events that the simulators record.

use kube::Client;
use kube::Resource;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};

/// Records one event; it is a courtesy, so that failing is only logged.
pub(crate) async fn record<K>(
    client: &Client,
    controller: &str,
    about: &K,
    severity: EventType,
    reason: &str,
    note: String,
) where
    K: Resource<DynamicType = ()>,
{
    let reporter = Reporter { controller: controller.to_owned(), instance: Some("dev".to_owned()) };
    let event = Event {
        type_: severity,
        reason: reason.to_owned(),
        note: Some(note),
        action: "Simulate".to_owned(),
        secondary: None,
    };
    if let Err(error) = Recorder::new(client.clone(), reporter).publish(&event, &about.object_ref(&())).await
    {
        tracing::debug!(%error, reason, "an event could not be recorded");
    }
}
