//! Replays the exchanges recorded from a real kube-apiserver 1.36 and compares the answers.
//!
//! UIDs, times, ages and generated names differ and are normalised. Resource versions must
//! correspond one to one, so that the test also notices a version that changed or stayed by
//! mistake.

use std::collections::BTreeMap;
use std::path::Path;

use crate::common::{Answer, Events, expect, send};
use fake_kube_server::{ApiServer, Options};
use serde_json::{Value, json};

const CACHES: &str = "/apis/lab.example.com/v1/namespaces/default/caches";

struct Transcript {
    name: String,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: String,
    status: u16,
    answer_headers: Vec<(String, String)>,
    answer: String,
}

fn header(line: &str) -> Option<(String, String)> {
    line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()))
}

fn parse(name: &str, text: &str) -> Transcript {
    let (request, answer) = text.split_once("\n\n< ").unwrap();
    let (mut headers, mut body) = (Vec::new(), Vec::new());
    let mut lines = request.lines();
    let (method, path) = lines.next().unwrap().trim_start_matches("> ").split_once(' ').unwrap();
    for line in lines {
        match line.strip_prefix("> ") {
            Some(line) if body.is_empty() => headers.extend(header(line)),
            _ => body.push(line),
        }
    }
    let mut lines = answer.lines();
    let status = lines.next().unwrap().split(' ').next().unwrap().parse().unwrap();
    let (mut answer_headers, mut answer_body) = (Vec::new(), Vec::new());
    for line in lines {
        match line.strip_prefix("< ") {
            Some(line) if answer_body.is_empty() => answer_headers.extend(header(line)),
            _ => answer_body.push(line),
        }
    }
    Transcript {
        name: name.to_owned(),
        method: method.to_owned(),
        path: path.to_owned(),
        headers,
        body: body.join("\n"),
        status,
        answer_headers,
        answer: answer_body.join("\n"),
    }
}

fn transcripts() -> Vec<Transcript> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let name = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
    paths.iter().map(|path| parse(&name(path), &std::fs::read_to_string(path).unwrap())).collect()
}

/// Maps recorded resource versions to those of this run.
#[derive(Default)]
struct Versions {
    ours: BTreeMap<String, String>,
}

impl Versions {
    /// Replaces values that differ between two runs.
    fn normalise(&self, value: &mut Value, key: &str) {
        match value {
            Value::Object(map) => {
                for (key, value) in map.iter_mut() {
                    self.normalise(value, key);
                }
            }
            Value::Array(items) => {
                items.iter_mut().for_each(|item| self.normalise(item, key));
                if key == "managedFields" {
                    // Ordered by time, which differs.
                    items.sort_by_key(|entry| {
                        [&entry["manager"], &entry["operation"], &entry["subresource"]].map(Value::to_string)
                    });
                }
            }
            Value::String(text) => {
                let replaced = match key {
                    "creationTimestamp" | "deletionTimestamp" | "time" | "lastTransitionTime" => {
                        assert!(text.ends_with('Z') && text.len() == 20, "{text} is not a time in seconds");
                        "TIME".to_owned()
                    }
                    "continue" if !text.is_empty() => "TOKEN".to_owned(),
                    "cells" if text.len() < 5 && text.ends_with('s') && text.len() > 1 => "AGE".to_owned(),
                    _ => without_random_parts(text),
                };
                *text = replaced;
            }
            _ => {}
        }
    }

    /// Learns which of our versions stands for which recorded one, and puts ours into the
    /// recording.
    fn translate(&mut self, recorded: &mut Value, ours: &Value, key: &str) {
        match (recorded, ours) {
            (Value::Object(recorded), Value::Object(ours)) => {
                for (key, value) in recorded.iter_mut() {
                    if let Some(ours) = ours.get(key) {
                        self.translate(value, ours, key);
                    }
                }
            }
            (Value::Array(recorded), Value::Array(ours)) => {
                for (recorded, ours) in recorded.iter_mut().zip(ours) {
                    self.translate(recorded, ours, key);
                }
            }
            (Value::String(recorded), Value::String(ours)) if key == "resourceVersion" => {
                let known = self.ours.entry(recorded.clone()).or_insert_with(|| ours.clone());
                recorded.clone_from(known);
            }
            _ => {}
        }
    }
}

/// Replaces UIDs, suffixes of generated names and the revision in "too old resource version: 1
/// (250)".
fn without_random_parts(text: &str) -> String {
    let is_uid = |word: &str| word.len() == 36 && word.bytes().filter(|byte| *byte == b'-').count() == 4;
    let mut out = String::new();
    let mut word = String::new();
    for character in text.chars().chain(['\0']) {
        if character.is_ascii_alphanumeric() || "-.".contains(character) {
            word.push(character);
            continue;
        }
        let generated =
            ["p-", "l-", "a."].iter().find(|prefix| word.len() == 7 && word.starts_with(**prefix));
        match generated {
            _ if is_uid(&word) => out.push_str("UID"),
            Some(prefix) => out.push_str(&format!("{prefix}XXXXX")),
            None => out.push_str(&word),
        }
        word.clear();
        out.push(character);
    }
    let out = out.trim_end_matches('\0').to_owned();
    match out.strip_prefix("too old resource version: 1 (") {
        Some(_) => "too old resource version: 1 (N)".to_owned(),
        None => out,
    }
}

fn lines(text: &str) -> Vec<Value> {
    serde_json::Deserializer::from_str(text).into_iter::<Value>().map(Result::unwrap).collect()
}

fn compare(transcript: &Transcript, answer: &Answer, versions: &mut Versions) -> Result<(), String> {
    let body = String::from_utf8(answer.body.to_vec()).unwrap();
    if answer.status != transcript.status {
        return Err(format!("status {} instead of {}: {body}", answer.status, transcript.status));
    }
    let recorded_type = transcript.answer_headers.iter().find(|(name, _)| name == "Content-Type");
    if recorded_type.map(|(_, value)| value.as_str()) != answer.header("content-type") {
        return Err(format!("content type {:?} instead of {recorded_type:?}", answer.header("content-type")));
    }
    let warnings = |headers: Vec<(&str, &str)>| -> Vec<String> {
        let warnings = headers.into_iter().filter(|(name, _)| name.eq_ignore_ascii_case("warning"));
        warnings.map(|(_, value)| value.to_owned()).collect()
    };
    let wanted = warnings(transcript.answer_headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect());
    let given = warnings(answer.headers.iter().map(|(n, v)| (n.as_str(), v.to_str().unwrap())).collect());
    if wanted != given {
        return Err(format!("warnings {given:?} instead of {wanted:?}"));
    }
    if transcript.answer.contains("\n... cut, ") {
        return compare_beginning(transcript, &answer.json());
    }
    if !transcript.answer.trim_start().starts_with('{') {
        return if transcript.answer.trim() == body.trim() { Ok(()) } else { Err(format!("body {body:?}")) };
    }
    let (mut wanted, mut given) = (lines(&transcript.answer), lines(&body));
    for value in wanted.iter_mut().chain(&mut given) {
        versions.normalise(value, "");
    }
    for (wanted, given) in wanted.iter_mut().zip(&given) {
        versions.translate(wanted, given, "");
    }
    if wanted == given {
        return Ok(());
    }
    let mut differences = Vec::new();
    difference(&Value::from(wanted), &Value::from(given), String::new(), &mut differences);
    Err(differences.join("\n    "))
}

fn difference(wanted: &Value, given: &Value, path: String, out: &mut Vec<String>) {
    match (wanted, given) {
        (Value::Object(a), Value::Object(b)) => {
            let mut keys: Vec<&String> = a.keys().chain(b.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                match (a.get(key), b.get(key)) {
                    (Some(a), Some(b)) => difference(a, b, format!("{path}/{key}"), out),
                    (Some(a), None) => out.push(format!("{path}/{key} is missing: {a}")),
                    (None, b) => out.push(format!("{path}/{key} is too much: {}", b.unwrap())),
                }
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                difference(a, b, format!("{path}/{index}"), out);
            }
        }
        _ if wanted != given => out.push(format!("{path}: {given} instead of {wanted}")),
        _ => {}
    }
}

/// Compares a document whose recording was cut: the recorded part must be in the given document.
fn compare_beginning(transcript: &Transcript, given: &Value) -> Result<(), String> {
    match transcript.name.as_str() {
        "02-discovery-aggregated" => {
            let start = transcript.answer.find("  {\n   \"metadata\": {\n    \"name\": \"apps\"").unwrap();
            let text = &transcript.answer[start..];
            let recorded: Value =
                serde_json::Deserializer::from_str(text).into_iter().next().unwrap().unwrap();
            let items = given["items"].as_array().unwrap();
            let ours = items.iter().find(|item| item["metadata"]["name"] == "apps").unwrap();
            let mut differences = Vec::new();
            difference(&recorded, ours, String::new(), &mut differences);
            if differences.is_empty() { Ok(()) } else { Err(differences.join("\n    ")) }
        }
        "04-openapi-v3-index" => {
            for (path, entry) in given["paths"].as_object().unwrap() {
                let url = entry["serverRelativeURL"].as_str().unwrap();
                let hash = url.strip_prefix(&format!("/openapi/v3/{path}?hash=")).unwrap_or_default();
                if hash.len() != 128 {
                    return Err(format!("{path}: {url}"));
                }
            }
            let known = ["api/v1", "apis/apps/v1", "apis/apiextensions.k8s.io/v1"];
            let missing: Vec<_> = known.iter().filter(|path| given["paths"].get(**path).is_none()).collect();
            if missing.is_empty() { Ok(()) } else { Err(format!("missing {missing:?}")) }
        }
        "07-openapi-v3-crd" => {
            // What clients look for there: the type, and the parameters of the write operations.
            let gvk = json!({"group": "lab.example.com", "version": "v1", "kind": "Cache"});
            let path = "/apis/lab.example.com/v1/namespaces/{namespace}/caches/{name}";
            let patch = &given["paths"][path]["patch"];
            let parameters: Vec<_> = patch["parameters"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one["name"].as_str().unwrap())
                .collect();
            let same = given["openapi"] == "3.0.0"
                && given["info"] == json!({"title": "Kubernetes CRD Swagger", "version": "v0.1.0"})
                && given["components"]["schemas"]["com.example.lab.v1.Cache"]["x-kubernetes-group-version-kind"]
                    == json!([gvk])
                && patch["x-kubernetes-group-version-kind"] == gvk
                && ["dryRun", "fieldManager", "fieldValidation", "force"]
                    .iter()
                    .all(|one| parameters.contains(one));
            if same { Ok(()) } else { Err(format!("{patch}")) }
        }
        other => Err(format!("{other} was cut and nothing says how to compare it")),
    }
}

/// Requests that were sent before a recorded one and are not in the recording.
async fn steps_before(server: &ApiServer, transcript: &Transcript) {
    if transcript.name == "49-delete-with-finalizer" {
        let patch = json!({"metadata": {"finalizers": ["lab.example.com/f"]}});
        expect(server, "PATCH", &format!("{CACHES}/a"), &patch, 200).await;
    }
}

/// Requests that were sent during the recorded watch.
async fn steps_during_watch(server: &ApiServer) {
    let object =
        json!({"apiVersion": "lab.example.com/v1", "kind": "Cache", "metadata": {"name": "c"}, "spec": {}});
    expect(server, "POST", CACHES, &object, 201).await;
    expect(server, "PATCH", &format!("{CACHES}/c"), &json!({"spec": {"image": "i:9"}}), 200).await;
    expect(server, "DELETE", &format!("{CACHES}/c"), &Value::Null, 200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_recorded_answers_are_given() {
    let server = ApiServer::start(Options::default()).await.unwrap();
    let mut versions = Versions::default();
    let mut failures = Vec::new();
    let transcripts = transcripts();
    assert_eq!(transcripts.len(), 54);
    for transcript in &transcripts {
        steps_before(&server, transcript).await;
        let headers: Vec<(&str, &str)> =
            transcript.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let mut path = transcript.path.clone();
        if let Some(version) = versions.ours.get("256") {
            path = path.replace("resourceVersion=256", &format!("resourceVersion={version}"));
        }
        let request = send(&server, &transcript.method, &path, &headers, transcript.body.clone());
        let answer = if transcript.name == "37-watch-add-modify-delete" {
            tokio::join!(request, steps_during_watch(&server)).0
        } else {
            request.await
        };
        if let Err(problem) = compare(transcript, &answer, &mut versions) {
            failures.push(format!("{}:\n    {problem}", transcript.name));
        }
    }
    assert!(failures.is_empty(), "{} of 54 differ:\n{}", failures.len(), failures.join("\n"));
    let mut events =
        Events::open(&server, &format!("{CACHES}?watch=1&resourceVersion=0&timeoutSeconds=1")).await;
    assert_eq!(events.next().await, None, "the last transcript deleted everything");
    server.shutdown().await;
}
