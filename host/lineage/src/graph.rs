//! The graph of an artifact back to its sources.

use oci_registry_client::Digest;
use orascache_provenance::{Attestation, StepRecord};

/// How far inputs are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Most artifacts in the graph, those that cannot be read included.
    pub artifacts: usize,
    /// Most steps between the artifact that was asked for and one that is read.
    pub depth: usize,
}

impl Default for Bounds {
    /// 1,000 artifacts and 100 steps.
    fn default() -> Self {
        Bounds { artifacts: 1_000, depth: 100 }
    }
}

/// An artifact, the artifacts that it was made of, and so on. Each digest is in it once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    /// Host of the registry.
    pub registry: String,
    /// The artifacts. The first one is the one that was asked for.
    pub nodes: Vec<Node>,
}

/// An artifact of the graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// How manifests name it, without its digest: `repository:tag`, or `repository` alone. The
    /// first name is the one by which it was found first; of many names some are kept.
    pub names: Vec<String>,
    /// Digest of its manifest. None where the manifest that names it does not say it.
    pub digest: Option<Digest>,
    /// Least number of steps between it and the artifact that was asked for.
    pub depth: usize,
    /// Its content, or why it is not known.
    pub state: State,
    /// Places of its inputs in [`Graph::nodes`], in the order of the manifest, each once.
    pub inputs: Vec<usize>,
    /// Number of inputs that are left out, since the graph would become too large.
    pub omitted: usize,
}

/// Whether an artifact is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Its manifest was read.
    Found(Box<Artifact>),
    /// Its manifest was not read, so that the graph ends here.
    Unknown(Leaf),
}

/// What is known of an artifact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Artifact {
    /// Digest of its manifest.
    pub digest: Option<Digest>,
    /// Its type.
    pub artifact_type: Option<String>,
    /// Size of all its layers, in bytes.
    pub size: u64,
    /// Number of its layers.
    pub layers: usize,
    /// What it says about the step that made it. In a graph its inputs are those of the node.
    pub record: StepRecord,
    /// Statements about it. None where the registry does not know referrers, or nobody asked.
    pub attestations: Option<Vec<Attestation>>,
}

/// Why an artifact is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// The reason, for programs.
    pub reason: Reason,
    /// The reason, for people: the rest of a sentence that begins with the artifact.
    pub sentence: String,
}

/// Why an artifact is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The registry does not have it (any more).
    Missing,
    /// The registry refuses access, or what it has is no manifest of an artifact.
    Unreadable,
    /// It is in another registry, which is not asked.
    Elsewhere,
    /// The manifest names it without a digest, so that nobody knows what was meant.
    Unpinned,
    /// The manifest names it by a text that is no reference.
    Invalid,
    /// It is further away than [`Bounds::depth`].
    NotFollowed,
}

impl Reason {
    /// All reasons, in the order in which summaries name them.
    pub const ALL: [Reason; 6] = [
        Reason::Missing,
        Reason::Unreadable,
        Reason::Elsewhere,
        Reason::Unpinned,
        Reason::Invalid,
        Reason::NotFollowed,
    ];

    /// The reason in few words.
    pub fn words(self) -> &'static str {
        match self {
            Reason::Missing => "not in the registry",
            Reason::Unreadable => "not readable",
            Reason::Elsewhere => "in another registry",
            Reason::Unpinned => "named without a digest",
            Reason::Invalid => "no reference",
            Reason::NotFollowed => "not followed",
        }
    }
}

impl Graph {
    /// The edges, from an artifact to an input of it, as places in [`Graph::nodes`].
    pub fn edges(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        self.nodes.iter().enumerate().flat_map(|(from, node)| node.inputs.iter().map(move |to| (from, *to)))
    }

    /// For each artifact, how many artifacts of the graph were made of it.
    pub fn uses(&self) -> Vec<usize> {
        let mut uses = vec![0; self.nodes.len()];
        for (_, to) in self.edges() {
            if let Some(count) = uses.get_mut(to) {
                *count += 1;
            }
        }
        uses
    }

    /// Whether the graph shows everything: each artifact was read, and no input is left out.
    pub fn is_complete(&self) -> bool {
        let is_whole = |node: &Node| match &node.state {
            State::Found(artifact) => node.omitted == 0 && artifact.record.problem.is_none(),
            State::Unknown(_) => false,
        };
        self.nodes.iter().all(is_whole)
    }
}

impl Node {
    /// The name by which it was found first.
    pub fn name(&self) -> &str {
        self.names.first().map_or("", String::as_str)
    }
}
