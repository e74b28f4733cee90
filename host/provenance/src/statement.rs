//! A statement about an artifact: who made it of what (in-toto Statement v1, with SLSA's
//! "Provenance" predicate v1).

use std::collections::BTreeMap;

use oci_registry_client::{ArtifactReference, Digest};
use serde::Serialize;

use crate::package_url;
use crate::record::StepRecord;

/// Type of a statement (in-toto attestation framework, "Statement layer specification").
const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// Type of the predicate (SLSA 1.0, "Provenance").
pub(crate) const PREDICATE_TYPE: &str = "https://slsa.dev/provenance/v1";
/// Says what the parameters of a statement mean. It leads to a description of them.
pub const BUILD_TYPE: &str =
    concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/docs/lineage.md#build-type-step-version-1");
/// Says who made the statement: an agent in a pod, which nobody vouches for.
pub const BUILDER: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/docs/agent.md");
/// Name of the agent among the versions of a builder.
const AGENT: &str = "orascache-agent";

/// What a statement says beside the annotations of the manifest.
#[derive(Clone, Copy, Debug)]
pub struct StepRun<'a> {
    /// Host and port of the registry, as the step sees it.
    pub registry: &'a str,
    /// All outputs of the step.
    pub outputs: &'a [ArtifactReference],
    /// Version of the agent.
    pub agent: &'a str,
}

/// A statement about one artifact. It is written with [`serde_json`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Statement {
    #[serde(rename = "_type")]
    statement_type: &'static str,
    subject: Vec<Resource>,
    predicate_type: &'static str,
    predicate: Predicate,
}

/// An artifact in a statement (in-toto attestation framework, "ResourceDescriptor").
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Resource {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    uri: Option<String>,
    /// Digests by their algorithm, without its name in front.
    digest: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Predicate {
    build_definition: BuildDefinition,
    run_details: RunDetails,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct BuildDefinition {
    build_type: &'static str,
    external_parameters: ExternalParameters,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    internal_parameters: BTreeMap<&'static str, String>,
    resolved_dependencies: Vec<Resource>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct ExternalParameters {
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<String>,
    outputs: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct RunDetails {
    builder: Builder,
    metadata: Metadata,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Builder {
    id: &'static str,
    version: BTreeMap<&'static str, String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    #[serde(skip_serializing_if = "Option::is_none")]
    invocation_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_on: Option<String>,
}

/// The statement about an output of a step, whose manifest has this digest and these annotations.
/// The same arguments make the same statement. Inputs without a digest are left out.
pub fn statement(
    output: &ArtifactReference,
    digest: &Digest,
    record: &StepRecord,
    run: &StepRun<'_>,
) -> Statement {
    let inputs = record.inputs.iter().filter_map(|input| {
        let reference = ArtifactReference::parse(input).ok()?;
        let digest = Digest::parse(reference.digest.as_deref()?)?;
        Some(resource(run.registry, &reference, &digest))
    });
    let key = record.key.clone().map(|key| ("key", key));
    Statement {
        statement_type: STATEMENT_TYPE,
        subject: vec![resource(run.registry, output, digest)],
        predicate_type: PREDICATE_TYPE,
        predicate: Predicate {
            build_definition: BuildDefinition {
                build_type: BUILD_TYPE,
                external_parameters: ExternalParameters {
                    image: record.image.clone(),
                    command: record.command.clone(),
                    outputs: run.outputs.iter().map(name).collect(),
                },
                internal_parameters: key.into_iter().collect(),
                resolved_dependencies: inputs.collect(),
            },
            run_details: RunDetails {
                builder: Builder { id: BUILDER, version: [(AGENT, run.agent.to_owned())].into() },
                metadata: Metadata { invocation_id: record.pod.clone(), finished_on: record.created.clone() },
            },
        },
    }
}

fn resource(registry: &str, reference: &ArtifactReference, digest: &Digest) -> Resource {
    let (algorithm, hex) = digest.as_str().split_once(':').unwrap_or_default();
    Resource {
        name: name(reference),
        uri: Some(package_url::of(registry, reference, digest)),
        digest: [(algorithm.to_owned(), hex.to_owned())].into(),
    }
}

/// The repository, with the tag where there is one.
fn name(reference: &ArtifactReference) -> String {
    let tag = reference.tag.as_ref().map(|tag| format!(":{tag}")).unwrap_or_default();
    format!("{}{tag}", reference.repository)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_without_a_digest_and_unknown_values_are_left_out() {
        let output: ArtifactReference = "flow/count:run-1".parse().unwrap();
        let run = StepRun { registry: "a:5000", outputs: &[], agent: "0.1.0" };
        let record =
            StepRecord { inputs: vec!["flow/words:1".to_owned(), "No".to_owned()], ..Default::default() };
        let text = serde_json::to_value(statement(&output, &Digest::of(b"m"), &record, &run)).unwrap();
        let definition = &text["predicate"]["buildDefinition"];
        assert_eq!(definition["resolvedDependencies"], serde_json::json!([]));
        assert_eq!(definition["externalParameters"], serde_json::json!({"outputs": []}));
        assert_eq!(text["predicate"]["runDetails"]["metadata"], serde_json::json!({}));
        assert!(definition.get("internalParameters").is_none());
    }
}
