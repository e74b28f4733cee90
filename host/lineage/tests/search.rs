//! Graphs of manifests in memory: what is found, what is asked for, and that it ends.

mod support;

use std::collections::{BTreeMap, BTreeSet};

use futures::executor::block_on;
use orascache_lineage::{Bounds, Graph, Reason, State, trace};
use proptest::prelude::*;
use support::{FakeArtifact, FakeSource, digest, repository};

const HOST: &str = "cache:5000";

fn search(source: &FakeSource, bounds: Bounds) -> Graph {
    block_on(trace(source, HOST, &format!("{}:0", repository(0)).parse().unwrap(), bounds)).unwrap()
}

fn artifact(repository: usize, inputs: Vec<(usize, usize)>) -> FakeArtifact {
    FakeArtifact { repositories: [repository].into(), inputs }
}

/// Artifacts in one repository, each made of some others.
fn source(inputs: &[&[usize]]) -> FakeSource {
    let of = |inputs: &[usize]| inputs.iter().map(|input| (0, *input)).collect();
    let artifacts = inputs.iter().enumerate();
    let artifacts = artifacts.map(|(number, inputs)| (number, artifact(0, of(inputs)))).collect();
    FakeSource { artifacts, ..FakeSource::default() }
}

fn reason(graph: &Graph, at: usize) -> Option<Reason> {
    match &graph.nodes[at].state {
        State::Unknown(leaf) => Some(leaf.reason),
        State::Found(_) => None,
    }
}

#[test]
fn an_artifact_is_found_once_and_has_all_its_names() {
    let graph = search(&source(&[&[1, 2], &[3], &[3, 3], &[]]), Bounds::default());
    assert_eq!(graph.nodes.len(), 4);
    assert_eq!(graph.edges().collect::<Vec<_>>(), [(0, 1), (0, 2), (1, 3), (2, 3)]);
    assert_eq!(graph.nodes[0].names, ["flow/r0:0"]);
    assert!(graph.is_complete());
}

#[test]
fn artifacts_made_of_each_other_end_the_search() {
    for inputs in [&[&[0][..]][..], &[&[1], &[0]], &[&[1], &[2], &[1, 0]]] {
        let source = source(inputs);
        let graph = search(&source, Bounds::default());
        assert_eq!(graph.nodes.len(), inputs.len());
        assert_eq!(source.asked.borrow().len(), inputs.len());
        for format in [orascache_lineage::text, orascache_lineage::json, orascache_lineage::dot] {
            assert!(!format(&graph).is_empty());
        }
        assert!(orascache_lineage::svg(&graph).ends_with("</svg>\n"));
    }
}

#[test]
fn an_artifact_that_is_gone_is_a_leaf_unless_another_repository_has_it() {
    // Artifact 3 is named in repository 1, where it is not, and one step later in repository 2.
    let mut source = source(&[&[1, 2], &[], &[4], &[5], &[], &[]]);
    source.artifacts.insert(1, artifact(0, vec![(1, 3)]));
    source.artifacts.insert(3, artifact(2, vec![(0, 5)]));
    let graph = search(&source, Bounds::default());
    assert_eq!(reason(&graph, 3), Some(Reason::Missing));
    assert!(!graph.is_complete());
    source.artifacts.insert(4, artifact(0, vec![(2, 3)]));
    let graph = search(&source, Bounds::default());
    assert_eq!(reason(&graph, 3), None);
    assert_eq!(graph.nodes[3].names, ["flow/r1:3", "flow/r2:3"]);
    assert!(graph.is_complete());
}

#[test]
fn inputs_beyond_the_depth_are_named_and_not_asked_for() {
    let source = source(&[&[1], &[2], &[3], &[]]);
    let graph = search(&source, Bounds { depth: 1, ..Bounds::default() });
    assert_eq!(graph.nodes.len(), 3);
    assert_eq!(reason(&graph, 2), Some(Reason::NotFollowed));
    assert_eq!(source.asked.borrow().len(), 2);
    assert!(!graph.is_complete());
}

#[test]
fn inputs_beyond_the_number_of_artifacts_are_counted() {
    let many: Vec<usize> = (1..50).collect();
    let graph = search(&source(&[&many]), Bounds { artifacts: 10, ..Bounds::default() });
    assert_eq!((graph.nodes.len(), graph.nodes[0].omitted), (10, 40));
    assert!(!graph.is_complete());
}

#[test]
fn a_missing_artifact_that_was_asked_for_is_an_error() {
    let source = FakeSource::default();
    let root = "flow/r0:1".parse().unwrap();
    let error = block_on(trace(&source, HOST, &root, Bounds::default())).unwrap_err();
    assert_eq!(error.to_string(), "flow/r0:1 is not in the registry");
}

/// Artifacts, the repositories that have them, and what they were made of.
fn sources() -> impl Strategy<Value = FakeSource> {
    let inputs = prop::collection::vec((0..3_usize, 0..14_usize), 0..5);
    let artifacts = (prop::collection::btree_set(0..3_usize, 0..3), inputs.clone());
    let artifacts = artifacts.prop_map(|(repositories, inputs)| FakeArtifact { repositories, inputs });
    (prop::collection::btree_map(1..14_usize, artifacts, 0..14), inputs).prop_map(|(mut artifacts, root)| {
        artifacts.insert(0, artifact(0, root));
        FakeSource { artifacts, ..FakeSource::default() }
    })
}

/// What must be found within a depth: the distance of each artifact that is named, and whether it
/// is found. Computed by repetition until nothing changes.
fn expected(source: &FakeSource, depth: usize) -> BTreeMap<usize, (usize, bool)> {
    let mut known = BTreeMap::from([(0, (0, true))]);
    loop {
        let mut next = BTreeMap::from([(0, (0, true))]);
        for (number, (distance, is_found)) in &known {
            if !is_found {
                continue;
            }
            for (place, input) in &source.artifacts[number].inputs {
                let has =
                    source.artifacts.get(input).is_some_and(|artifact| artifact.repositories.contains(place));
                let entry = next.entry(*input).or_insert((usize::MAX, false));
                entry.0 = entry.0.min(distance + 1);
                entry.1 |= has;
            }
        }
        for (distance, is_found) in next.values_mut() {
            *is_found &= *distance <= depth;
        }
        if next == known {
            return known;
        }
        known = next;
    }
}

proptest! {
    #[test]
    fn everything_that_can_be_reached_is_found_once(source in sources(), depth in 0..8_usize) {
        let graph = search(&source, Bounds { depth, ..Bounds::default() });
        let numbers: BTreeMap<String, usize> = (0..14).map(|number| (digest(number).to_string(), number)).collect();
        let number = |at: usize| numbers[graph.nodes[at].digest.as_ref().unwrap().as_str()];

        let found: BTreeMap<usize, (usize, bool)> = (0..graph.nodes.len())
            .map(|at| (number(at), (graph.nodes[at].depth, reason(&graph, at).is_none())))
            .collect();
        prop_assert_eq!(found.len(), graph.nodes.len(), "each digest once");
        prop_assert_eq!(&found, &expected(&source, depth));

        // The edges are those that the manifests name.
        let edges: BTreeSet<(usize, usize)> = graph.edges().map(|(from, to)| (number(from), number(to))).collect();
        let named = found.iter().filter(|(_, (_, is_found))| *is_found).flat_map(|(from, _)| {
            source.artifacts[from].inputs.iter().map(|(_, input)| (*from, *input))
        });
        prop_assert_eq!(edges, named.collect::<BTreeSet<_>>());

        // Nothing is asked for twice.
        let asked = source.asked.borrow();
        prop_assert_eq!(asked.iter().collect::<BTreeSet<_>>().len(), asked.len());
    }

    #[test]
    fn the_number_of_artifacts_is_never_exceeded(source in sources(), artifacts in 1..6_usize) {
        let graph = search(&source, Bounds { artifacts, ..Bounds::default() });
        prop_assert!(graph.nodes.len() <= artifacts);
        let named: BTreeSet<usize> = source.artifacts[&0].inputs.iter().map(|(_, input)| *input).collect();
        prop_assert!(graph.nodes[0].inputs.len() + graph.nodes[0].omitted >= named.len());
    }
}
