//! A graph as JSON. `docs/lineage.md` describes the members.

use orascache_provenance::Attestation;
use serde::Serialize;

use crate::graph::{Graph, Node, Reason, State};

/// Version of the format. Members are added without a new one.
const FORMAT: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    format: u32,
    registry: &'a str,
    complete: bool,
    artifacts: Vec<Entry<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    id: usize,
    names: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<&'a str>,
    depth: usize,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    layers: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pod: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provenance: Option<Vec<Provenance<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'a str>,
    inputs: &'a [usize],
    omitted_inputs: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Provenance<'a> {
    digest: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    predicate_type: Option<&'a str>,
}

/// The graph as one indented JSON document.
pub fn json(graph: &Graph) -> String {
    let document = Document {
        format: FORMAT,
        registry: &graph.registry,
        complete: graph.is_complete(),
        artifacts: graph.nodes.iter().enumerate().map(|(id, node)| entry(id, node)).collect(),
    };
    // Texts, numbers and lists can always be written.
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    text
}

fn entry(id: usize, node: &Node) -> Entry<'_> {
    let mut entry = Entry {
        id,
        names: &node.names,
        digest: node.digest.as_ref().map(|digest| digest.as_str()),
        depth: node.depth,
        state: "found",
        reason: None,
        artifact_type: None,
        size: None,
        layers: None,
        pod: None,
        created: None,
        image: None,
        command: None,
        key: None,
        provenance: None,
        problem: None,
        inputs: &node.inputs,
        omitted_inputs: node.omitted,
    };
    match &node.state {
        State::Unknown(leaf) => {
            entry.state = state(leaf.reason);
            entry.reason = Some(&leaf.sentence);
        }
        State::Found(artifact) => {
            let record = &artifact.record;
            entry.artifact_type = artifact.artifact_type.as_deref();
            entry.size = Some(artifact.size);
            entry.layers = Some(artifact.layers);
            entry.pod = record.pod.as_deref();
            entry.created = record.created.as_deref();
            entry.image = record.image.as_deref();
            entry.command = record.command.as_deref();
            entry.key = record.key.as_deref();
            entry.problem = record.problem.as_deref();
            entry.provenance = artifact.attestations.as_ref().map(|all| all.iter().map(provenance).collect());
        }
    }
    entry
}

fn provenance(found: &Attestation) -> Provenance<'_> {
    Provenance { digest: found.digest.as_str(), predicate_type: found.predicate_type.as_deref() }
}

fn state(reason: Reason) -> &'static str {
    match reason {
        Reason::Missing => "missing",
        Reason::Unreadable => "unreadable",
        Reason::Elsewhere => "elsewhere",
        Reason::Unpinned => "unpinned",
        Reason::Invalid => "invalid",
        Reason::NotFollowed => "notFollowed",
    }
}
