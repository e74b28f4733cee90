//! Secrets that the host fills with values once.

use super::adopt::Wanted;
use super::{Context, Executor, target_of};
use crate::cache::Source;
use crate::object::is_secret;
use crate::permit::Planned;
use crate::recipe;
use crate::requests::{create, failure};
use orascache_contract::{Failure, FailureReason, Generated, Verb};
use serde_json::Value;

/// Reason of a Status (meta/v1): the name is taken.
const ALREADY_EXISTS: &str = "AlreadyExists";

impl Executor {
    /// Creates the Secret unless there is one of that name. A Secret that nothing controls becomes a
    /// child where both sides consent; any other stays as it is. Returns whether the next plan is
    /// made from another state.
    pub(super) async fn generate(
        &self,
        context: &Context<'_>,
        planned: Planned<'_>,
        generated: &Generated,
    ) -> Result<bool, Vec<Failure>> {
        let cache = context.cache;
        let (Some(target), Some(kind)) = (target_of(cache, &planned), cache.kind(planned.kind)) else {
            return Ok(false);
        };
        let fails = |reason: FailureReason, message: String| {
            vec![Failure { target: target.clone(), verb: Verb::Create, code: 0, reason, message }]
        };
        if !is_secret(kind) {
            let message = format!("{target} is no Secret: only Secrets are generated.");
            return Err(fails(FailureReason::NotPermitted, message));
        }
        match cache.get(planned.kind, &planned.key) {
            Some(existing) if existing.controller.is_some() => return Ok(false),
            Some(_) => return self.adopt_secret(context, &planned, generated).await,
            None => {}
        }
        let Planned { kind: index, key, object } = planned;
        let mut object: Value = serde_json::from_str(object.text()).unwrap_or_default();
        let values = recipe::follow(generated, &object)
            .await
            .map_err(|unfit| fails(unfit.reason, format!("{target}: {}", unfit.message)))?;
        fill(&mut object, values)
            .map_err(|problem| fails(FailureReason::Invalid, format!("{target} {problem}.")))?;
        match create(&self.client, kind, &key.namespace, cache.field_manager(), object.to_string()).await {
            Ok(answer) => {
                if let Some(stored) = cache.decode(index, answer) {
                    cache.store(index, stored, Source::Write);
                }
                Ok(true)
            }
            Err(kube::Error::Api(status)) if status.reason == ALREADY_EXISTS => Ok(false),
            Err(error) => Err(vec![failure(target, Verb::Create, &error)]),
        }
    }

    async fn adopt_secret(
        &self,
        context: &Context<'_>,
        planned: &Planned<'_>,
        generated: &Generated,
    ) -> Result<bool, Vec<Failure>> {
        match self.applier.adopter.adopt(context, planned, &Wanted::Generated(generated)).await {
            Err(failures) if failures.iter().all(|one| one.reason == FailureReason::NotControlled) => {
                Ok(false)
            }
            outcome => outcome,
        }
    }
}

/// Adds the values to `stringData`.
fn fill(secret: &mut Value, values: recipe::Values) -> Result<(), &'static str> {
    let members = secret.as_object_mut().ok_or("is no object")?;
    let data = members.entry("stringData").or_insert_with(|| Value::Object(serde_json::Map::new()));
    let data = data.as_object_mut().ok_or("has a stringData that is no object")?;
    data.extend(values.into_iter().map(|(key, value)| (key, Value::String(value))));
    Ok(())
}
