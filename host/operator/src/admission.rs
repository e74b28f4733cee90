//! Answers reviews: the component decides, and this finds the objects that it asks for.

mod request;

use crate::image_configs::ImageConfigs;
use crate::settings::{SettingsReader, SettingsWatch, Source};
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::{Api, Client, ResourceExt};
use orascache_contract::{Context, GuestError, ObjectRef, Outcome, Response};
use orascache_controller::Primaries;
use orascache_runtime::ActiveVersion;
use orascache_webhook::{ReviewError, Reviewer};
use request::{Place, Request, names_in};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Largest number of primaries of a namespace that the component gets all of. It asks for those
/// that are missing, which costs a second call.
const MAX_UNASKED: usize = 8;

/// Answers reviews by the component, with primaries from the controller's cache and, where they are
/// not in it yet, from the API server.
pub(crate) struct Admission {
    /// The version that decides.
    pub(crate) active: Arc<ActiveVersion>,
    /// To read objects that the component asks for.
    pub(crate) client: Client,
    /// Primaries that the component may ask for.
    pub(crate) primaries: Primaries,
    /// Settings for all reviews.
    pub(crate) settings: SettingsWatch,
    /// What images start.
    pub(crate) images: ImageConfigs,
    /// How settings are read from their ConfigMap.
    pub(crate) reader: SettingsReader,
    /// The ConfigMap with the settings. Reviews of it are answered here.
    pub(crate) source: Option<Source>,
}

impl Admission {
    async fn decide(&self, review: &str) -> Result<Response, ReviewError> {
        let place = Place::of(review).map_err(unreadable)?;
        let is_near = |source: &&Source| place.is_config_map && place.namespace == source.namespace;
        if let Some(source) = self.source.as_ref().filter(is_near) {
            let request = Request::of(review).map_err(unreadable)?;
            if request.name == source.name {
                return self.review_settings(&request, review).await;
            }
        }
        let settings = self
            .settings
            .current()
            .map_err(|why| ReviewError::Failed(format!("no settings can be used: {why}")))?;
        let objects = self.unasked(&place.namespace, review);
        let mut context = Context { objects, settings, now: now(), ..Context::default() };
        // Both calls of a review are answered by the same version.
        let version = self.active.load_full();
        let needs = match version.review(review, &context).await.map_err(failed(review))? {
            Outcome::Decided(response) => return Ok(response),
            Outcome::Need(needs) => needs,
        };
        if !needs.objects.is_empty() {
            context.objects = Vec::with_capacity(needs.objects.len());
            for reference in &needs.objects {
                context.objects.extend(self.find(reference).await?);
            }
        }
        context.answers = self.images.answer(needs.questions, &context.settings).await;
        context.complete = true;
        match version.review(review, &context).await.map_err(failed(review))? {
            Outcome::Decided(response) => Ok(response),
            Outcome::Need(_) => {
                let sentence = "the component asks again for what it was told does not exist";
                Err(ReviewError::Failed(sentence.to_owned()))
            }
        }
    }

    /// Primaries that the component gets with a review. In a namespace with many of them this is the
    /// first one whose name the review has: copies of all others would cost more than the review.
    fn unasked(&self, namespace: &str, review: &str) -> Vec<Arc<str>> {
        self.primaries.in_namespace(namespace, MAX_UNASKED).unwrap_or_else(|| {
            let cached = names_in(review).find_map(|name| self.primaries.cached(namespace, name));
            cached.into_iter().filter(|cached| !is_being_deleted(cached)).collect()
        })
    }

    /// An object that the component asks for: a primary, or a namespace.
    async fn find(&self, reference: &ObjectRef) -> Result<Option<Arc<str>>, ReviewError> {
        // The operator may read more than that, but a component must not ask for Secrets.
        let kind = self.primaries.kind();
        if reference.kind.api_version == "v1" && reference.kind.kind == "Namespace" {
            return self.namespace(&reference.name).await;
        }
        if reference.kind != *kind {
            return Err(ReviewError::Failed(format!(
                "the component asks for {} {}, but it may only ask for {} and Namespace",
                reference.kind.kind, reference.name, kind.kind
            )));
        }
        let namespace = reference.namespace.as_deref().unwrap_or_default();
        let cached = self.primaries.cached(namespace, &reference.name);
        if let Some(cached) = cached.filter(|cached| !is_being_deleted(cached)) {
            return Ok(Some(cached));
        }
        self.primaries.read(namespace, &reference.name).await.map_err(|error| {
            ReviewError::Failed(format!(
                "{} {} of namespace {namespace} cannot be read: {error}",
                kind.kind, reference.name
            ))
        })
    }

    /// A namespace, reduced to its labels.
    async fn namespace(&self, name: &str) -> Result<Option<Arc<str>>, ReviewError> {
        let api: Api<Namespace> = Api::all(self.client.clone());
        let found = api.get_metadata_opt(name).await.map_err(|error| {
            ReviewError::Failed(format!(
                "namespace {name} cannot be read, and its labels decide what is required: {error}"
            ))
        })?;
        Ok(found.map(|found| {
            let metadata = json!({"name": name, "labels": found.labels()});
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}).to_string().into()
        }))
    }

    /// Refuses settings that the component does not accept.
    async fn review_settings(&self, request: &Request<'_>, review: &str) -> Result<Response, ReviewError> {
        #[derive(Deserialize)]
        struct Review {
            request: Written,
        }
        #[derive(Deserialize)]
        struct Written {
            object: Option<ConfigMap>,
        }
        let written: Review = serde_json::from_str(review).map_err(unreadable)?;
        let uid = request.uid.as_ref();
        let Some(map) = written.request.object else { return Ok(Response::allowed(uid)) };
        Ok(match self.reader.read(self.active.load().guest(), Some(&map)).await {
            Ok(_) => Response::allowed(uid),
            Err(problem) => Response::refused(uid, 422, problem),
        })
    }
}

impl Reviewer for Admission {
    fn review<'a>(&'a self, review: &'a str) -> BoxFuture<'a, Result<Response, ReviewError>> {
        Box::pin(self.decide(review))
    }

    /// Calls of the component end their turn after two ticks at most, and all else is reading from
    /// memory or waiting.
    fn is_cooperative(&self) -> bool {
        true
    }
}

/// A primary that is being deleted may have been replaced by another one of its name.
fn is_being_deleted(primary: &str) -> bool {
    primary.contains("\"deletionTimestamp\"")
}

fn unreadable(error: serde_json::Error) -> ReviewError {
    ReviewError::Invalid(format!("this is not an AdmissionReview: {error}"))
}

/// The answer when the component has none.
fn failed(review: &str) -> impl Fn(GuestError) -> ReviewError {
    |error| match error {
        // The host has read only the beginning.
        GuestError::InvalidInput(sentence) => {
            Request::of(review).err().map_or(ReviewError::Invalid(sentence), unreadable)
        }
        other => ReviewError::Failed(other.to_string()),
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs())
}
