//! Validating webhooks, called in parallel. The first refusal counts (`plugin/webhook/validating`).

use fake_kube_apimachinery::status::ApiError;
use futures::future::join_all;
use tracing::warn;

use super::caller::Caller;
use super::configuration::Webhook;
use super::failure::{self, Failure};
use super::{Attributes, Phase, matching};
use crate::state::State;

/// Calls all webhooks that match the request.
///
/// # Errors
/// The refusal of the first webhook, in the order of configurations, that refuses.
pub async fn run(
    state: &State,
    caller: &Caller,
    webhooks: &[Webhook],
    attributes: &Attributes,
    warnings: &mut Vec<String>,
) -> Result<(), ApiError> {
    let mut matching_webhooks = Vec::new();
    for webhook in webhooks {
        if let Some(kind) = matching::matching_version(state, webhook, attributes)? {
            matching_webhooks.push((webhook, kind));
        }
    }
    let calls = matching_webhooks.iter().map(|(webhook, kind)| async move {
        let object = attributes.object_as(kind);
        caller.ask(Phase::Validating, webhook, attributes, kind, object.as_ref()).await
    });
    let answers = join_all(calls).await;
    let mut refusal = Ok(());
    for ((webhook, _), answer) in matching_webhooks.iter().zip(answers) {
        let decided = match answer {
            Ok(answer) => {
                warnings.extend(answer.warnings);
                if answer.allowed {
                    Ok(())
                } else {
                    Err(failure::denied(&webhook.name, answer.status.as_ref()))
                }
            }
            Err(Failure::Refused(error)) => Err(error),
            Err(Failure::Call(why)) => {
                let sentence = failure::sentence(&webhook.name, &why);
                if webhook.ignores_failures {
                    warn!("{sentence}; the request goes on");
                    Ok(())
                } else {
                    Err(ApiError::internal(&sentence))
                }
            }
        };
        refusal = refusal.and(decided);
    }
    refusal
}
