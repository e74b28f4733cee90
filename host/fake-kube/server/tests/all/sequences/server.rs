//! Sends the requests of a sequence to an API server, a fake or a real one.

use std::collections::BTreeMap;
use std::time::Duration;

use http_body_util::BodyExt;
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};

use super::kinds::{KINDS, definition};
use super::step::{Answer, LATEST, OLDER, Step};

/// An API server with a namespace for one sequence.
pub struct Server {
    client: Client,
    /// By path of the object: the resourceVersions that were answered, without repetitions.
    versions: BTreeMap<String, Vec<String>>,
}

/// All objects of a sequence's namespace by their paths.
pub type Snapshot = BTreeMap<String, Value>;

impl Server {
    pub async fn connect(kubeconfig: &str) -> Self {
        // All tests of a process share one provider; the second installation changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let kubeconfig = Kubeconfig::from_yaml(kubeconfig).unwrap();
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
        Self { client: Client::try_from(config).unwrap(), versions: BTreeMap::new() }
    }

    /// Creates the definition of `Widget` and an empty namespace, and waits until both can be used.
    pub async fn prepare(&mut self, namespace: &str) {
        let namespaces = "/api/v1/namespaces";
        self.until(namespaces, |answer| answer.status == 200).await;
        let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
        let created = self.request("POST", definitions, "application/json", &definition()).await;
        assert!(matches!(created.status, 201 | 409), "{created:?}");
        self.until(&format!("{definitions}/widgets.sequences.example.com"), |answer| {
            let conditions = answer.body["status"]["conditions"].as_array();
            conditions
                .into_iter()
                .flatten()
                .any(|one| one["type"] == "Established" && one["status"] == "True")
        })
        .await;
        let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
        let created = self.request("POST", namespaces, "application/json", &body).await;
        assert_eq!(created.status, 201, "{created:?}");
        for kind in &KINDS {
            self.until(&kind.collection(namespace), |answer| answer.status == 200).await;
        }
    }

    async fn until(&self, path: &str, holds: impl Fn(&Answer) -> bool) {
        let work = async {
            while !holds(&self.request("GET", path, "application/json", &Value::Null).await) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), work).await.expect(path);
    }

    /// Sends the request of a step, with the resourceVersions that this server knows.
    pub async fn send(&mut self, step: &Step) -> (Step, Answer) {
        let object = object_path(step);
        let known = self.versions.entry(object).or_default();
        let latest = known.last().cloned().unwrap_or_else(|| "1".to_owned());
        let older = known.iter().rev().nth(1).cloned().unwrap_or_else(|| "1".to_owned());
        let body = step.body.to_string().replace(LATEST, &latest).replace(OLDER, &older);
        let sent = Step { body: serde_json::from_str(&body).unwrap(), ..step.clone() };
        let answer = self.request(&sent.method, &sent.path, &sent.media, &sent.body).await;
        self.learn(step, &answer);
        (sent, answer)
    }

    fn learn(&mut self, step: &Step, answer: &Answer) {
        let Some(version) = answer.body["metadata"]["resourceVersion"].as_str() else { return };
        if answer.status >= 300 || step.has_query("dryRun=All") || answer.body["items"].is_array() {
            return;
        }
        let known = self.versions.entry(object_path(step)).or_default();
        if known.last().map(String::as_str) != Some(version) {
            known.push(version.to_owned());
        }
    }

    pub async fn request(&self, method: &str, path: &str, media: &str, body: &Value) -> Answer {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("Content-Type", media)
            .header("Accept", "application/json")
            .header("User-Agent", "sequence")
            .body(Body::from(body))
            .unwrap();
        let response = self.client.send(request).await.unwrap();
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&bytes).into_owned()));
        Answer { status, body }
    }

    pub async fn snapshot(&self, namespace: &str) -> Snapshot {
        let lists = futures::future::join_all(KINDS.iter().map(|kind| async move {
            let collection = kind.collection(namespace);
            let list = self.request("GET", &collection, "application/json", &Value::Null).await;
            (kind, collection, list)
        }));
        let mut snapshot = Snapshot::new();
        for (kind, collection, list) in lists.await {
            for mut item in list.body["items"].as_array().cloned().unwrap() {
                // Items of built-in kinds lack these two.
                item["apiVersion"] = json!(kind.api_version);
                item["kind"] = json!(kind.kind);
                snapshot.insert(format!("{collection}/{}", item["metadata"]["name"].as_str().unwrap()), item);
            }
        }
        snapshot
    }

    /// What a watch of every kind shows from a revision on, as the objects that are left at its
    /// end.
    ///
    /// The watches end by themselves after `seconds`.
    pub async fn watched(&self, namespace: &str, revision: &str, seconds: u32) -> Snapshot {
        let watches = KINDS.iter().map(|kind| async move {
            let collection = kind.collection(namespace);
            let path = format!("{collection}?watch=1&resourceVersion={revision}&timeoutSeconds={seconds}");
            let answer = self.request("GET", &path, "application/json", &Value::Null).await;
            // One event is a document, several are lines.
            let text = match answer.body {
                Value::String(lines) => lines,
                one => one.to_string(),
            };
            let mut objects = Snapshot::new();
            for event in serde_json::Deserializer::from_str(&text).into_iter::<Value>() {
                let event = event.unwrap();
                let object = event["object"].clone();
                let path = format!("{collection}/{}", object["metadata"]["name"].as_str().unwrap());
                match event["type"].as_str().unwrap() {
                    "ADDED" | "MODIFIED" => drop(objects.insert(path, object)),
                    "DELETED" => drop(objects.remove(&path)),
                    other => panic!("an event of type {other}: {event}"),
                }
            }
            objects
        });
        futures::future::join_all(watches).await.into_iter().flatten().collect()
    }
}

/// The path of the object that a step is about; of a POST that of the object to create.
pub fn object_path(step: &Step) -> String {
    let path = step.plain_path();
    if step.method == "POST" {
        return format!("{path}/{}", step.body["metadata"]["name"].as_str().unwrap_or_default());
    }
    let path = path.strip_suffix("/status").or_else(|| path.strip_suffix("/scale")).unwrap_or(path);
    path.to_owned()
}
