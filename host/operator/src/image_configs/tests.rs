use super::{ImageConfigs, Limits};
use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures::future::join_all;
use oci_registry_client::Digest;
use orascache_contract::{ArtifactAspect, ArtifactFinding, ArtifactQuestion};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use serde_json::json;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use test_registries::Embedded;
use tokio::sync::Semaphore;

/// Limits that no test reaches but by what it sets.
pub(super) fn patient() -> Limits {
    let minute = Duration::from_secs(60);
    Limits { wait: minute, read: minute, failures: minute, ..Limits::default() }
}

pub(super) fn images(limits: Limits) -> ImageConfigs {
    ImageConfigs::new(limits, &mut Registry::default())
}

/// An image, as a registry has it.
#[derive(Clone)]
pub(super) struct Image {
    pub(super) manifest: String,
    pub(super) config: String,
}

impl Image {
    pub(super) fn starting(words: &[&str]) -> Self {
        let config = json!({"config": {"Entrypoint": words, "User": "root"}, "os": "linux"}).to_string();
        let manifest = json!({"schemaVersion": 2, "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": Digest::of(config.as_bytes()).as_str(), "size": config.len(),
        }});
        Image { manifest: manifest.to_string(), config }
    }

    pub(super) fn digest(&self) -> String {
        Digest::of(self.manifest.as_bytes()).to_string()
    }
}

/// A registry that answers as it is told, and remembers what it was asked.
pub(super) struct Told {
    registry: Embedded,
    asked: Arc<Mutex<Vec<String>>>,
    /// Each answer takes one permit.
    pub(super) permits: Arc<Semaphore>,
}

impl Told {
    /// `permits` is how many requests are answered at once; the others wait.
    pub(super) fn new(
        permits: usize,
        answer: impl Fn(&str) -> Response + Clone + Send + Sync + 'static,
    ) -> Self {
        let permits = Arc::new(Semaphore::new(permits));
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let (seen, waiting) = (asked.clone(), permits.clone());
        let registry = Embedded::serving(Router::new().fallback(move |request: Request| {
            let path = request.uri().path().to_owned();
            seen.lock().expect("a list").push(path.clone());
            let (answer, waiting) = (answer.clone(), waiting.clone());
            async move {
                waiting.acquire().await.expect("a permit").forget();
                answer(&path)
            }
        }));
        Told { registry, asked, permits }
    }

    /// A registry with these images, in whatever repository.
    pub(super) fn with(permits: usize, images: &[&Image]) -> Self {
        let images: Vec<Image> = images.iter().map(|image| (*image).clone()).collect();
        Told::new(permits, move |path| {
            let contents = images.iter().flat_map(|image| [&image.manifest, &image.config]);
            let mut found = contents.filter(|text| path.ends_with(Digest::of(text.as_bytes()).as_str()));
            found.next().map_or(StatusCode::NOT_FOUND.into_response(), |text| text.clone().into_response())
        })
    }

    pub(super) fn host(&self) -> String {
        self.registry.host()
    }

    /// How many requests it got.
    pub(super) fn requests(&self) -> usize {
        self.asked.lock().expect("a list").len()
    }

    /// Settings that let this registry be asked.
    pub(super) fn settings(&self) -> String {
        json!({"imageConfigRegistries": [format!("http://{}", self.host())]}).to_string()
    }

    pub(super) fn question(&self, digest: &str) -> ArtifactQuestion {
        ArtifactQuestion {
            registry: self.host(),
            plain_http: true,
            repository: "team/tool".to_owned(),
            reference: digest.to_owned(),
            credentials: None,
            aspect: ArtifactAspect::ImageConfig,
        }
    }

    pub(super) async fn ask(&self, images: &ImageConfigs, digest: &str) -> ArtifactFinding {
        find(images, self.question(digest), &self.settings()).await
    }
}

pub(super) async fn find(
    images: &ImageConfigs,
    question: ArtifactQuestion,
    settings: &str,
) -> ArtifactFinding {
    let [answer] = images.answer(vec![question.clone()], settings).await.try_into().expect("one answer");
    assert_eq!(answer.question, question);
    answer.finding
}

pub(super) fn starts(words: &[&str]) -> ArtifactFinding {
    ArtifactFinding::ImageConfig(json!({"config": {"Entrypoint": words, "Cmd": []}}).to_string())
}

pub(super) fn why(finding: ArtifactFinding) -> String {
    match finding {
        ArtifactFinding::Unknown(why) => why,
        other => panic!("{other:?}"),
    }
}

const ENOUGH: usize = 1_000;

#[tokio::test]
async fn what_an_image_starts_is_read_once_and_remembered() {
    let image = Image::starting(&["/tool", "$(x)"]);
    let registry = Told::with(ENOUGH, &[&image]);
    let images = images(patient());
    for _ in 0..3 {
        assert_eq!(registry.ask(&images, &image.digest()).await, starts(&["/tool", "$(x)"]));
        assert_eq!(registry.requests(), 2, "manifest and configuration");
    }
}

#[tokio::test]
async fn an_image_of_a_real_registry_is_read() {
    use oci_registry_client::{
        Client, Credentials, EncodedManifest, Endpoint, Manifest, TransferPolicy, media_type,
    };
    let registry = Embedded::start();
    let endpoint: Endpoint = format!("http://{}", registry.host()).parse().expect("an endpoint");
    let client = Client::new(endpoint, Credentials::default(), TransferPolicy::default());
    let image = Image::starting(&["/tool"]);
    let config = client
        .push_bytes("team/tool", image.config.as_bytes(), "application/vnd.oci.image.config.v1+json")
        .await
        .expect("a config");
    let mut manifest = Manifest::of_layers(media_type::UNKNOWN_ARTIFACT, Vec::new(), Default::default());
    manifest.config = Some(config);
    manifest.artifact_type = None;
    let manifest = EncodedManifest::of(&manifest).expect("a manifest");
    client.put_manifest("team/tool", &manifest).await.expect("a manifest");
    let question = ArtifactQuestion {
        registry: registry.host(),
        plain_http: true,
        repository: "team/tool".to_owned(),
        reference: manifest.digest().to_string(),
        credentials: None,
        aspect: ArtifactAspect::ImageConfig,
    };
    let settings = json!({"imageConfigRegistries": [format!("http://{}", registry.host())]}).to_string();
    assert_eq!(find(&images(patient()), question, &settings).await, starts(&["/tool"]));
}

#[tokio::test]
async fn reviews_that_ask_at_the_same_time_are_answered_by_one_read() {
    let image = Image::starting(&["/tool"]);
    let registry = Told::with(0, &[&image]);
    let (images, digest) = (images(patient()), image.digest());
    let reviews = join_all((0..10).map(|_| registry.ask(&images, &digest)));
    // All reviews have asked before anything is answered.
    let release = async { registry.permits.add_permits(ENOUGH) };
    let (answers, ()) = futures::join!(reviews, release);
    assert_eq!(answers, vec![starts(&["/tool"]); 10]);
    assert_eq!(registry.requests(), 2);
}

#[tokio::test]
async fn a_review_that_does_not_wait_any_more_leaves_the_answer_to_the_next_one() {
    let image = Image::starting(&["/tool"]);
    let registry = Told::with(0, &[&image]);
    let images = images(Limits { wait: Duration::ZERO, ..patient() });
    let said = why(registry.ask(&images, &image.digest()).await);
    assert!(said.contains("gave no answer within 0ns, so try again"), "{said}");
    registry.permits.add_permits(ENOUGH);
    // Whoever asks again gets the answer as soon as it is there.
    let mut found = registry.ask(&images, &image.digest()).await;
    while found != starts(&["/tool"]) {
        tokio::task::yield_now().await;
        found = registry.ask(&images, &image.digest()).await;
    }
    assert_eq!(registry.requests(), 2);
}

#[tokio::test]
async fn failures_are_remembered_for_a_while_alone() {
    let missing = Image::starting(&["/tool"]).digest();
    for (failures, requests) in [(Duration::from_secs(60), 1), (Duration::ZERO, 2)] {
        let registry = Told::with(ENOUGH, &[]);
        let images = images(Limits { failures, ..patient() });
        for _ in 0..2 {
            assert_eq!(registry.ask(&images, &missing).await, ArtifactFinding::Missing);
        }
        assert_eq!(registry.requests(), requests, "{failures:?}");
    }
    for (status, part) in [(401, "refuses access"), (429, "answered 429"), (503, "answered 503")] {
        let status = StatusCode::from_u16(status).expect("a status");
        let registry = Told::new(ENOUGH, move |_| status.into_response());
        let said = why(registry.ask(&images(patient()), &missing).await);
        assert!(said.contains(part), "{said}");
        assert_eq!(registry.requests(), 1, "a review cannot wait for another attempt");
    }
}

#[tokio::test]
async fn reads_and_remembered_answers_are_counted() {
    let image = Image::starting(&["/tool"]);
    let registry = Told::with(ENOUGH, &[&image]);
    let mut metrics = Registry::default();
    let images = ImageConfigs::new(patient(), &mut metrics);
    registry.ask(&images, &image.digest()).await;
    registry.ask(&images, &image.digest()).await;
    registry.ask(&images, &Image::starting(&["/other"]).digest()).await;
    let mut text = String::new();
    encode(&mut text, &metrics).expect("metrics");
    for line in [
        "orascache_image_config_reads_total{result=\"found\"} 1",
        "orascache_image_config_reads_total{result=\"missing\"} 1",
        "orascache_image_config_remembered_total 1",
    ] {
        assert!(text.contains(line), "{text}");
    }
}
