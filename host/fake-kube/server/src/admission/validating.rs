//! Validating webhooks: all at once, and the first refusal counts (`plugin/webhook/validating`).

use fake_kube_apimachinery::status::ApiError;
use futures::future::join_all;
use tracing::warn;

use super::configuration::Webhook;
use super::failure::{self, Failure};
use super::{Attributes, Phase, matching};
use crate::cluster::Cluster;

/// Asks all webhooks that are concerned.
pub async fn run(
    cluster: &Cluster,
    webhooks: &[Webhook],
    attributes: &Attributes,
    warnings: &mut Vec<String>,
) -> Result<(), ApiError> {
    let mut concerned = Vec::new();
    for webhook in webhooks {
        if let Some(kind) = matching::asked_about(cluster, webhook, attributes)? {
            concerned.push((webhook, kind));
        }
    }
    let calls = concerned.iter().map(|(webhook, kind)| async move {
        let object = attributes.object_as(kind);
        cluster.webhooks.ask(Phase::Validating, webhook, attributes, kind, object.as_ref()).await
    });
    let answers = join_all(calls).await;
    let mut refusal = Ok(());
    for ((webhook, _), answer) in concerned.iter().zip(answers) {
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
