//! Pods whose containers name no command, and what the host says of their images.

mod programs;
mod security_registries;

use crate::reviewing;
use orascache_contract::{
    ArtifactAnswer, ArtifactFinding, ArtifactQuestion, Context, Needs, Outcome, Response,
};
use orascache_core::admission;
use serde_json::{Value, json};

/// Digest of the image of a step.
const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// A pod with an input, whose container has this image and these members.
fn pod(image: &str, members: &Value) -> Value {
    let mut container = json!({"name": "app", "image": image, "workingDir": "/data"});
    for (name, value) in members.as_object().expect("members") {
        container[name] = value.clone();
    }
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "step", "annotations": {
            "oras.converged-computing.github.io/oras-cache": "shared",
            "oras.converged-computing.github.io/input-uri": "in:1",
        }},
        "spec": {"restartPolicy": "Never", "containers": [container]},
    })
}

/// The settings of an administrator who lets images of these registries be read.
fn settings(registries: &[&str]) -> String {
    json!({"imageConfigRegistries": registries}).to_string()
}

fn review(object: &Value, old: Option<&Value>, settings: &str, answers: Vec<ArtifactAnswer>) -> Outcome {
    let context = Context {
        objects: vec![reviewing::cache("shared")],
        settings: settings.to_owned(),
        answers,
        ..Context::default()
    };
    admission::review(&reviewing::wrap(object, old), &context).expect("a review")
}

/// What the host must look up for a new object.
fn needs(object: &Value, settings: &str) -> Needs {
    match review(object, None, settings, Vec::new()) {
        Outcome::Need(needs) => needs,
        Outcome::Decided(response) => panic!("{response:?}"),
    }
}

/// The only question about a new object.
fn question(object: &Value, settings: &str) -> ArtifactQuestion {
    let [question] = needs(object, settings).questions.try_into().expect("one question");
    question
}

/// The response about a new object, when the host has answered its question.
fn answered(object: &Value, settings: &str, finding: ArtifactFinding) -> Response {
    let question = question(object, settings);
    reviewing::decided(review(object, None, settings, vec![ArtifactAnswer { question, finding }]))
}

/// The configuration of an image.
fn image(config: &Value) -> ArtifactFinding {
    ArtifactFinding::ImageConfig(json!({"config": config, "os": "linux"}).to_string())
}
