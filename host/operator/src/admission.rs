//! Answers reviews: the component decides, and this finds the objects that it asks for.

use crate::image_configs::ImageConfigs;
use crate::settings::{SettingsReader, SettingsWatch, Source};
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::{Api, Client, ResourceExt};
use orascache_contract::{Context, GuestError, ObjectRef, Outcome, Response};
use orascache_controller::Primaries;
use orascache_runtime::ActiveVersion;
use orascache_webhook::{ReviewError, Reviewer};
use serde::Deserialize;
use serde_json::json;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Largest number of primaries of a namespace that the component gets with a review. Where there
/// are more, it has to ask for those that it needs: that costs a second call, but no copies of the
/// others.
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
        let request = request_of(review)?;
        if self.is_about_settings(&request) {
            return self.review_settings(&request, review).await;
        }
        let settings = self
            .settings
            .current()
            .map_err(|why| ReviewError::Failed(format!("no settings can be used: {why}")))?;
        let objects = self.primaries.in_namespace(&request.namespace, MAX_UNASKED).unwrap_or_default();
        let mut context = Context { objects, settings, now: now(), ..Context::default() };
        // Both calls of a review are answered by the same version.
        let version = self.active.load_full();
        let needs = match version.review(review, &context).await.map_err(failed)? {
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
        match version.review(review, &context).await.map_err(failed)? {
            Outcome::Decided(response) => Ok(response),
            Outcome::Need(_) => {
                let sentence = "the component asks again for what it was told does not exist";
                Err(ReviewError::Failed(sentence.to_owned()))
            }
        }
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
        // A primary that is being deleted may have been replaced by another one of its name.
        let cached = self.primaries.cached(namespace, &reference.name);
        if let Some(cached) = cached.filter(|cached| !cached.contains("\"deletionTimestamp\"")) {
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

    fn is_about_settings(&self, request: &Request<'_>) -> bool {
        request.kind.group.is_empty()
            && request.kind.kind == "ConfigMap"
            && self
                .source
                .as_ref()
                .is_some_and(|source| request.namespace == source.namespace && request.name == source.name)
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
}

/// The fields of a request that the host reads: in which namespace primaries may matter, and
/// whether the request is about the settings.
#[derive(Default, Deserialize)]
struct Request<'a> {
    #[serde(borrow, default)]
    uid: Cow<'a, str>,
    #[serde(borrow, default)]
    kind: RequestKind<'a>,
    #[serde(borrow, default)]
    namespace: Cow<'a, str>,
    #[serde(borrow, default)]
    name: Cow<'a, str>,
}

#[derive(Default, Deserialize)]
struct RequestKind<'a> {
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

fn failed(error: GuestError) -> ReviewError {
    match error {
        GuestError::InvalidInput(sentence) => ReviewError::Invalid(sentence),
        other => ReviewError::Failed(other.to_string()),
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs())
}
