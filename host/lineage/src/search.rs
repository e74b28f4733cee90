//! Which manifests to ask for next. Nothing here asks for them.

use std::collections::{HashMap, HashSet};

use oci_registry_client::{ArtifactReference, Digest};

use crate::graph::{Artifact, Bounds, Graph, Leaf, Node, Reason, State};
use crate::input::{Input, may_be_elsewhere};

/// Most edges of a graph. A thousand artifacts of a thousand inputs each would be unreadable.
const MAX_EDGES: usize = 100_000;
/// Most names of one artifact that are kept, and most repositories in which it is looked for.
const MAX_NAMES: usize = 16;

/// A manifest that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Its place in the graph.
    node: usize,
    /// Its repository and digest.
    pub reference: ArtifactReference,
}

/// A search for the artifacts that one artifact was made of. It goes on in rounds: the questions of
/// a round are answered, and the answers lead to those of the next round. The order of the artifacts
/// in the graph depends on the manifests alone.
#[derive(Debug)]
pub struct Search {
    graph: Graph,
    /// For each artifact of the graph, where it may be.
    places: Vec<Places>,
    by_digest: HashMap<Digest, usize>,
    by_text: HashMap<String, usize>,
    edges: usize,
    bounds: Bounds,
}

/// The repositories in which an artifact may be. An artifact that is gone from one of them may still
/// be in another one.
#[derive(Debug, Default)]
struct Places {
    repositories: Vec<String>,
    asked: usize,
}

impl Search {
    /// Begins with an artifact that was read already. `registry` is the host of its registry.
    pub fn new(registry: &str, root: &ArtifactReference, artifact: Artifact, bounds: Bounds) -> Self {
        let mut search = Search {
            graph: Graph { registry: registry.to_owned(), nodes: Vec::new() },
            places: Vec::new(),
            by_digest: HashMap::new(),
            by_text: HashMap::new(),
            edges: 0,
            bounds,
        };
        let is_bare = root.tag.is_none() && root.digest.is_none();
        search.add(Node {
            names: vec![if is_bare { root.to_string() } else { name(root) }],
            digest: artifact.digest.clone(),
            depth: 0,
            state: State::Unknown(not_followed()),
            inputs: Vec::new(),
            omitted: 0,
        });
        search.by_digest.extend(artifact.digest.clone().map(|digest| (digest, 0)));
        search.found(0, artifact);
        search
    }

    /// The questions of the next round. None are left when the search has ended.
    pub fn questions(&mut self) -> Vec<Question> {
        let mut questions = Vec::new();
        let nodes = self.graph.nodes.iter().zip(&mut self.places).enumerate();
        for (node, (Node { digest, depth, state, .. }, places)) in nodes {
            let is_asked_for = matches!(state, State::Unknown(_)) && *depth <= self.bounds.depth;
            let Some(digest) = digest.as_ref().filter(|_| is_asked_for) else { continue };
            let Some(repository) = places.repositories.get(places.asked) else { continue };
            places.asked += 1;
            let (repository, digest) = (repository.clone(), Some(digest.to_string()));
            questions.push(Question { node, reference: ArtifactReference { repository, tag: None, digest } });
        }
        questions
    }

    /// Takes the answer to a question: the artifact, or why it is not known.
    pub fn answer(&mut self, question: &Question, answer: Result<Artifact, Leaf>) {
        match answer {
            Ok(artifact) => self.found(question.node, artifact),
            Err(mut leaf) => {
                if leaf.reason == Reason::Missing && may_be_elsewhere(&question.reference.repository) {
                    leaf.reason = Reason::Elsewhere;
                    leaf.sentence =
                        "is not in this registry, and its name begins like that of another registry, which is not asked"
                            .to_owned();
                }
                if let Some(node) = self.graph.nodes.get_mut(question.node) {
                    node.state = State::Unknown(leaf);
                }
            }
        }
    }

    /// The graph. Artifacts that nobody asked for are leaves.
    pub fn finish(self) -> Graph {
        self.graph
    }

    fn found(&mut self, at: usize, mut artifact: Artifact) {
        let inputs = std::mem::take(&mut artifact.record.inputs);
        let depth = self.graph.nodes.get(at).map_or(0, |node| node.depth);
        let (mut places, mut omitted) = (Vec::new(), 0);
        let mut seen = HashSet::new();
        for input in inputs {
            match self.input(&input, depth + 1) {
                Some(place) if seen.insert(place) => {
                    places.push(place);
                    self.edges += 1;
                }
                Some(_) => {}
                None => omitted += 1,
            }
        }
        if let Some(node) = self.graph.nodes.get_mut(at) {
            node.state = State::Found(Box::new(artifact));
            node.omitted = omitted;
            node.inputs = places;
        }
    }

    /// The place of an input in the graph. None where the graph is full.
    fn input(&mut self, text: &str, depth: usize) -> Option<usize> {
        if self.edges >= MAX_EDGES {
            return None;
        }
        match Input::parse(text, &self.graph.registry) {
            Input::Here(reference, digest) => {
                let place = match self.by_digest.get(&digest) {
                    Some(place) => *place,
                    None => {
                        let place = self.add_leaf(Some(digest.clone()), depth, not_followed())?;
                        self.by_digest.insert(digest, place);
                        place
                    }
                };
                self.name(place, name(&reference), Some(reference.repository));
                self.raise(place, depth);
                Some(place)
            }
            Input::Unknown(leaf) => {
                let place = match self.by_text.get(text) {
                    Some(place) => *place,
                    None => {
                        let place = self.add_leaf(None, depth, leaf)?;
                        self.by_text.insert(text.to_owned(), place);
                        place
                    }
                };
                self.name(place, text.to_owned(), None);
                self.raise(place, depth);
                Some(place)
            }
        }
    }

    fn add_leaf(&mut self, digest: Option<Digest>, depth: usize, leaf: Leaf) -> Option<usize> {
        let state = State::Unknown(leaf);
        let node = Node { names: Vec::new(), digest, depth, state, inputs: Vec::new(), omitted: 0 };
        (self.graph.nodes.len() < self.bounds.artifacts).then(|| self.add(node))
    }

    fn add(&mut self, node: Node) -> usize {
        self.graph.nodes.push(node);
        self.places.push(Places::default());
        self.graph.nodes.len() - 1
    }

    fn name(&mut self, place: usize, name: String, repository: Option<String>) {
        if let Some(node) = self.graph.nodes.get_mut(place) {
            keep(&mut node.names, name);
        }
        if let (Some(places), Some(repository)) = (self.places.get_mut(place), repository) {
            keep(&mut places.repositories, repository);
        }
    }

    /// Lowers the depth of an artifact that is nearer than it was known to be, and the depths of
    /// what it was made of.
    fn raise(&mut self, place: usize, depth: usize) {
        let mut nearer = vec![(place, depth)];
        while let Some((place, depth)) = nearer.pop() {
            let Some(node) = self.graph.nodes.get_mut(place).filter(|node| depth < node.depth) else {
                continue;
            };
            node.depth = depth;
            nearer.extend(node.inputs.iter().map(|input| (*input, depth + 1)));
        }
    }
}

/// Keeps a text, unless it is there or there are many.
fn keep(texts: &mut Vec<String>, text: String) {
    if texts.len() < MAX_NAMES && !texts.contains(&text) {
        texts.push(text);
    }
}

fn name(reference: &ArtifactReference) -> String {
    match &reference.tag {
        Some(tag) => format!("{}:{tag}", reference.repository),
        None => reference.repository.clone(),
    }
}

fn not_followed() -> Leaf {
    let sentence = "is further away than inputs are followed".to_owned();
    Leaf { reason: Reason::NotFollowed, sentence }
}
