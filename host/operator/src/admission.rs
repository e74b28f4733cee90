//! Reviews with everything they depend on: the component decides, this finds what it asks for.

use crate::engine::{Outcome, ReviewContext};
use crate::version::Current;
use controller::Primaries;
use controller::contract::{DecideError, ObjectRef};
use futures::future::BoxFuture;
use serde::Deserialize;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use webhook::{ReviewError, Reviewer, Verdict};

/// Up to so many primaries of a namespace are handed to the component unasked. With more it is asked first which one
/// it needs, which costs a second call but no copies of all the others.
const MAX_UNASKED: usize = 8;

/// Answers reviews by the component, with primaries from the controller's cache and, where those are not known yet,
/// from the API itself.
pub struct Admission {
    current: Arc<Current>,
    primaries: Primaries,
    settings: Arc<str>,
}

impl Admission {
    /// `settings` is JSON text, as [`settings`] makes it.
    pub fn new(current: Arc<Current>, primaries: Primaries, settings: Arc<str>) -> Self {
        Self { current, primaries, settings }
    }

    async fn decide(&self, review: &str) -> Result<Verdict, ReviewError> {
        let namespace = namespace_of(review)?;
        let objects = self.primaries.in_namespace(&namespace, MAX_UNASKED).unwrap_or_default();
        let mut context =
            ReviewContext { objects, complete: false, settings: self.settings.clone(), now: now() };
        // One version answers both calls.
        let version = self.current.load_full();
        let needed = match version.review(review, &context).map_err(failed)? {
            Outcome::Decided(verdict) => return Ok(verdict),
            Outcome::Need(needed) => needed,
        };
        context.objects = Vec::with_capacity(needed.len());
        for reference in &needed {
            context.objects.extend(self.find(reference).await?);
        }
        context.complete = true;
        match version.review(review, &context).map_err(failed)? {
            Outcome::Decided(verdict) => Ok(verdict),
            Outcome::Need(_) => {
                Err(ReviewError::Failed("the component asks again for what the API does not have".to_owned()))
            }
        }
    }

    /// A primary from the cache, or from the API: informers lag behind it.
    async fn find(&self, reference: &ObjectRef) -> Result<Option<Arc<str>>, ReviewError> {
        // The operator's rights are for its own work, not for a component that asks for Secrets.
        let kind = self.primaries.kind();
        if reference.kind != *kind {
            return Err(ReviewError::Failed(format!(
                "the component asks for {} {}, but only {} may be asked for",
                reference.kind.kind, reference.name, kind.kind
            )));
        }
        let namespace = reference.namespace.as_deref().unwrap_or_default();
        // One that was being deleted may be gone, and made anew, by now.
        let known = self.primaries.cached(namespace, &reference.name);
        if let Some(known) = known.filter(|known| !known.contains("\"deletionTimestamp\"")) {
            return Ok(Some(known));
        }
        self.primaries.read(namespace, &reference.name).await.map_err(|error| {
            ReviewError::Failed(format!(
                "{} {} of namespace {namespace} cannot be read: {error}",
                kind.kind, reference.name
            ))
        })
    }
}

impl Reviewer for Admission {
    fn review<'a>(&'a self, review: &'a str) -> BoxFuture<'a, Result<Verdict, ReviewError>> {
        Box::pin(self.decide(review))
    }
}

/// Settings for the component: the image that carries the agent, where it is not the default.
pub fn settings(agent_image: Option<&str>) -> Arc<str> {
    match agent_image {
        Some(image) => serde_json::json!({ "agentImage": image }).to_string().into(),
        None => "".into(),
    }
}

/// The one field that the host reads of a review: which primaries may matter.
fn namespace_of(review: &str) -> Result<Cow<'_, str>, ReviewError> {
    #[derive(Deserialize)]
    struct Review<'a> {
        #[serde(borrow, default)]
        request: Request<'a>,
    }
    #[derive(Default, Deserialize)]
    struct Request<'a> {
        #[serde(borrow, default)]
        namespace: Cow<'a, str>,
    }
    let review: Review<'_> = serde_json::from_str(review)
        .map_err(|error| ReviewError::Invalid(format!("this is not an AdmissionReview: {error}")))?;
    Ok(review.request.namespace)
}

fn failed(error: DecideError) -> ReviewError {
    match error {
        DecideError::InvalidInput(sentence) => ReviewError::Invalid(sentence),
        other => ReviewError::Failed(other.to_string()),
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs())
}
