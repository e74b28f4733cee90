//! Graphs for tests.
#![allow(dead_code)]

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use oci_registry_client::{ArtifactReference, Digest, Error};
use orascache_lineage::{Artifact, Graph, Leaf, Node, Reason, Source, State};
use orascache_provenance::{Attestation, StepRecord};

/// The digest of an artifact with a number. It follows from no content, so that artifacts may have
/// been made of each other in a circle.
pub fn digest(number: usize) -> Digest {
    Digest::of(format!("artifact {number}").as_bytes())
}

pub fn repository(number: usize) -> String {
    format!("flow/r{number}")
}

/// An artifact in memory.
#[derive(Clone, Debug, Default)]
pub struct FakeArtifact {
    /// The repositories that have it.
    pub repositories: BTreeSet<usize>,
    /// What it was made of: artifacts by repository and number.
    pub inputs: Vec<(usize, usize)>,
}

/// Manifests in memory.
#[derive(Debug, Default)]
pub struct FakeSource {
    /// The artifacts by their numbers.
    pub artifacts: BTreeMap<usize, FakeArtifact>,
    /// What was asked for.
    pub asked: RefCell<Vec<(String, String)>>,
}

impl Source for FakeSource {
    async fn read(&self, reference: &ArtifactReference) -> Result<Artifact, Error> {
        let wanted = reference.digest.clone().unwrap_or_else(|| digest(0).to_string());
        self.asked.borrow_mut().push((reference.repository.clone(), wanted.clone()));
        let has = |number: usize, artifact: &FakeArtifact| {
            let mut places = artifact.repositories.iter();
            digest(number).as_str() == wanted
                && places.any(|place| repository(*place) == reference.repository)
        };
        let found = self.artifacts.iter().find(|(number, artifact)| has(**number, artifact));
        let Some((number, FakeArtifact { inputs, .. })) = found else {
            return Err(Error::NotFound { what: reference.to_string(), detail: String::new() });
        };
        let name =
            |(place, input): &(usize, usize)| format!("{}:{input}@{}", repository(*place), digest(*input));
        let inputs = inputs.iter().map(name);
        let record = StepRecord { inputs: inputs.collect(), ..StepRecord::default() };
        Ok(Artifact { digest: Some(digest(*number)), record, ..Artifact::default() })
    }
}

/// A node with nothing but names and inputs.
pub fn node(number: usize, name: &str, state: State, inputs: &[usize]) -> Node {
    Node {
        names: vec![name.to_owned()],
        digest: Some(digest(number)),
        depth: 0,
        state,
        inputs: inputs.to_vec(),
        omitted: 0,
    }
}

pub fn found() -> State {
    State::Found(Box::default())
}

fn leaf(reason: Reason, sentence: &str) -> State {
    State::Unknown(Leaf { reason, sentence: sentence.to_owned() })
}

/// A graph in which everything occurs that can occur.
pub fn everything() -> Graph {
    let record = |pod: &str, image: &str| StepRecord {
        image: Some(image.to_owned()),
        command: Some(Digest::of(pod.as_bytes()).to_string()),
        key: Some("0a".repeat(32)),
        pod: Some(pod.to_owned()),
        created: Some("2026-11-29T20:00:00Z".to_owned()),
        ..StepRecord::default()
    };
    let made = |pod: &str, image: &str, size: u64| {
        let statement = Attestation {
            digest: digest(100),
            predicate_type: Some("https://slsa.dev/provenance/v1".to_owned()),
        };
        State::Found(Box::new(Artifact {
            digest: None,
            artifact_type: Some("application/vnd.unknown.artifact.v1".to_owned()),
            size,
            layers: 1,
            record: record(pod, image),
            attestations: Some(vec![statement]),
        }))
    };
    let broken = Artifact {
        record: StepRecord { problem: Some("its annotation is no list".to_owned()), ..StepRecord::default() },
        ..Artifact::default()
    };
    let mut nodes = vec![
        node(
            0,
            "flow/report:run-1",
            made("lab/report", "registry.example.org/lab/plots:2.1", 20_480),
            &[1, 2, 5],
        ),
        node(1, "flow/count:run-1", made("lab/count", "busybox:1.37", 2), &[3, 4]),
        node(2, "flow/sort:run-1", made("lab/sort", "busybox:1.37", 180_000), &[3, 6, 7]),
        node(3, "flow/words:run-1", made("lab/generate", "busybox:1.37", 180_000), &[]),
        node(4, "flow/stop-words:3", leaf(Reason::Missing, "is not in the registry"), &[]),
        node(5, "flow/template:latest", leaf(Reason::Unpinned, "is named without a digest"), &[]),
        node(
            6,
            "other.example.org:5000/data/locale:de",
            leaf(Reason::Elsewhere, "is in another registry"),
            &[],
        ),
        node(7, "flow/by-hand:1", State::Found(Box::new(broken)), &[8]),
        node(8, "flow/far:1", leaf(Reason::NotFollowed, "is further away than inputs are followed"), &[]),
    ];
    nodes[3].names.push("flow/words-again:run-1".to_owned());
    nodes[5].digest = None;
    nodes[7].omitted = 12;
    for (at, depth) in [0, 1, 1, 2, 2, 1, 2, 2, 3].into_iter().enumerate() {
        nodes[at].depth = depth;
    }
    Graph { registry: "cache.lab.svc:5000".to_owned(), nodes }
}
