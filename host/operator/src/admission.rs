//! Reviews with everything they depend on: the component decides, this finds what it asks for.

use crate::engine::{Outcome, ReviewContext};
use crate::settings::{self, InForce, Source};
use crate::version::Current;
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::{Api, Client, ResourceExt};
use orascache_contract::Response;
use orascache_controller::Primaries;
use orascache_controller::contract::{DecideError, ObjectRef};
use orascache_webhook::{ReviewError, Reviewer};
use serde::Deserialize;
use serde_json::json;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Up to so many primaries of a namespace are handed to the component unasked. With more it is asked first which one
/// it needs, which costs a second call but no copies of all the others.
const MAX_UNASKED: usize = 8;

/// Answers reviews by the component, with primaries from the controller's cache and, where those are not known yet,
/// from the API itself.
pub struct Admission {
    current: Arc<Current>,
    client: Client,
    primaries: Primaries,
    settings: InForce,
    source: Option<Source>,
}

impl Admission {
    /// Every review is held to the settings that are in force when it comes. Reviews of the ConfigMap that they are
    /// written in are answered too.
    pub fn new(
        current: Arc<Current>,
        client: Client,
        primaries: Primaries,
        settings: InForce,
        source: Option<Source>,
    ) -> Self {
        Self { current, client, primaries, settings, source }
    }

    async fn decide(&self, review: &str) -> Result<Response, ReviewError> {
        let request = request_of(review)?;
        if let Some(response) = self.settings_review(&request, review)? {
            return Ok(response);
        }
        let settings = self
            .settings
            .current()
            .map_err(|why| ReviewError::Failed(format!("there are no settings that can be used: {why}")))?;
        let objects = self.primaries.in_namespace(&request.namespace, MAX_UNASKED).unwrap_or_default();
        let mut context = ReviewContext { objects, complete: false, settings, now: now() };
        // One version answers both calls.
        let version = self.current.load_full();
        let needed = match version.review(review, &context).map_err(failed)? {
            Outcome::Decided(response) => return Ok(response),
            Outcome::Need(needed) => needed,
        };
        context.objects = Vec::with_capacity(needed.len());
        for reference in &needed {
            context.objects.extend(self.find(reference).await?);
        }
        context.complete = true;
        match version.review(review, &context).map_err(failed)? {
            Outcome::Decided(response) => Ok(response),
            Outcome::Need(_) => {
                Err(ReviewError::Failed("the component asks again for what the API does not have".to_owned()))
            }
        }
    }

    /// A primary from the cache, or from the API: informers lag behind it.
    async fn find(&self, reference: &ObjectRef) -> Result<Option<Arc<str>>, ReviewError> {
        // The operator's rights are for its own work, not for a component that asks for Secrets.
        let kind = self.primaries.kind();
        if reference.kind.api_version == "v1" && reference.kind.kind == "Namespace" {
            return self.namespace(&reference.name).await;
        }
        if reference.kind != *kind {
            return Err(ReviewError::Failed(format!(
                "the component asks for {} {}, but only {} and namespaces may be asked for",
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

    /// A namespace, as far as its labels.
    async fn namespace(&self, name: &str) -> Result<Option<Arc<str>>, ReviewError> {
        let api: Api<Namespace> = Api::all(self.client.clone());
        let found = api.get_metadata_opt(name).await.map_err(|error| {
            ReviewError::Failed(format!(
                "namespace {name} cannot be read, whose labels decide what is required: {error}"
            ))
        })?;
        Ok(found.map(|found| {
            let metadata = json!({"name": name, "labels": found.labels()});
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}).to_string().into()
        }))
    }

    /// The response, if the review is one of our settings.
    fn settings_review(&self, request: &Request<'_>, review: &str) -> Result<Option<Response>, ReviewError> {
        let Some(source) = &self.source else { return Ok(None) };
        let is_ours = request.kind.group.is_empty()
            && request.kind.kind == "ConfigMap"
            && request.namespace == source.namespace
            && request.name == source.name;
        if !is_ours {
            return Ok(None);
        }
        #[derive(Deserialize)]
        struct Review {
            request: Written,
        }
        #[derive(Deserialize)]
        struct Written {
            object: Option<ConfigMap>,
        }
        let written: Review = serde_json::from_str(review).map_err(unreadable)?;
        let problem = written
            .request
            .object
            .and_then(|map| settings::judge(self.current.load().guest(), Some(&map), None).err());
        let uid = request.uid.as_ref();
        Ok(Some(match problem {
            None => Response::allowed(uid),
            Some(problem) => Response::refused(uid, 422, problem),
        }))
    }
}

impl Reviewer for Admission {
    fn review<'a>(&'a self, review: &'a str) -> BoxFuture<'a, Result<Response, ReviewError>> {
        Box::pin(self.decide(review))
    }
}

/// The fields that the host reads of a request: which primaries may matter, and whether it is about its own settings.
#[derive(Default, Deserialize)]
struct Request<'a> {
    #[serde(borrow, default)]
    uid: Cow<'a, str>,
    #[serde(borrow, default)]
    kind: Kind<'a>,
    #[serde(borrow, default)]
    namespace: Cow<'a, str>,
    #[serde(borrow, default)]
    name: Cow<'a, str>,
}

#[derive(Default, Deserialize)]
struct Kind<'a> {
    #[serde(borrow, default)]
    group: Cow<'a, str>,
    #[serde(borrow, default)]
    kind: Cow<'a, str>,
}

fn request_of(review: &str) -> Result<Request<'_>, ReviewError> {
    #[derive(Deserialize)]
    struct Review<'a> {
        #[serde(borrow, default)]
        request: Request<'a>,
    }
    let review: Review<'_> = serde_json::from_str(review).map_err(unreadable)?;
    Ok(review.request)
}

fn unreadable(error: serde_json::Error) -> ReviewError {
    ReviewError::Invalid(format!("this is not an AdmissionReview: {error}"))
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
