//! How graphs are written. Other programs read the outputs, to see that they are what they claim.

mod support;

use std::collections::BTreeSet;

use layout::gv::DotParser;
use layout::gv::parser::ast::Stmt;
use orascache_lineage::{Graph, Leaf, Node, Reason, State, dot, json, svg, text};
use proptest::prelude::*;
use support::{everything, found, node};

#[test]
fn a_tree_shows_shared_artifacts_and_leaves() {
    insta::assert_snapshot!(text(&everything()));
}

#[test]
fn json_has_all_that_is_known() {
    insta::assert_snapshot!(json(&everything()));
}

#[test]
fn graphviz_gets_a_graph_with_labels() {
    insta::assert_snapshot!(dot(&everything()));
}

#[test]
fn a_drawing_has_sources_at_the_left() {
    insta::assert_snapshot!(svg(&everything()));
}

#[test]
fn deep_trees_fit_on_the_terminal() {
    let chain = |at: usize| node(at, &format!("flow/step-{at}:run-1"), found(), &[at + 1]);
    let mut nodes: Vec<Node> = (0..200).map(chain).collect();
    nodes.push(node(200, "flow/source:1", found(), &[]));
    let tree = text(&Graph { registry: "a".to_owned(), nodes });
    let last = tree.lines().find(|line| line.contains("flow/source:1")).unwrap();
    assert!(last.starts_with("+186 ") && last.contains("└─ flow/source:1"), "{last}");
    assert!(tree.lines().all(|line| line.chars().count() <= 100), "{tree}");
}

/// Names and edges of a graph of Graphviz.
fn parsed(graph: &str) -> (BTreeSet<String>, Vec<(String, String)>) {
    let parsed = DotParser::new(graph).process().unwrap_or_else(|error| panic!("{error}: {graph}"));
    let (mut names, mut edges) = (BTreeSet::new(), Vec::new());
    for statement in parsed.list.list {
        match statement {
            Stmt::Node(node) => assert!(names.insert(node.id.name)),
            Stmt::Edge(edge) => {
                edges.extend(edge.to.into_iter().map(|(to, _)| (edge.from.name.clone(), to.name)))
            }
            Stmt::Attribute(_) | Stmt::SubGraph(_) => {}
        }
    }
    (names, edges)
}

/// A text as it may stand in a manifest that somebody wrote to do harm.
fn harmful() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        prop::collection::vec(
            prop::sample::select(vec![
                "\"",
                "\\",
                "\n",
                "\u{1b}[31m",
                "<script>",
                "]]>",
                "&",
                "'",
                "{",
                "\\N",
                "\0",
                "\u{202e}",
                "é",
                "-->",
                "\u{ffff}",
                "a"
            ]),
            0..12,
        )
        .prop_map(|parts| parts.concat()),
        Just("x".repeat(400)),
    ]
}

fn graphs() -> impl Strategy<Value = Graph> {
    let state = (harmful(), 0..12_usize).prop_map(|(text, reason)| match Reason::ALL.get(reason) {
        Some(reason) => State::Unknown(Leaf { reason: *reason, sentence: text }),
        None => {
            let mut artifact = orascache_lineage::Artifact::default();
            artifact.record.pod = Some(text.clone());
            artifact.record.image = Some(text.clone());
            artifact.record.command = Some(text.clone());
            artifact.record.created = Some(text.clone());
            artifact.artifact_type = Some(text);
            State::Found(Box::new(artifact))
        }
    });
    let inputs = prop::collection::btree_set(0..12_usize, 0..5);
    prop::collection::vec((harmful(), state, inputs), 1..12).prop_map(|all| {
        let count = all.len();
        let one = |(at, (name, state, inputs)): (usize, (String, State, BTreeSet<usize>))| {
            let inputs: Vec<usize> = inputs.into_iter().filter(|input| *input < count).collect();
            node(at, &name, state, &inputs)
        };
        Graph { registry: "a".to_owned(), nodes: all.into_iter().enumerate().map(one).collect() }
    })
}

proptest! {
    #[test]
    fn trees_have_short_lines_of_visible_characters(graph in graphs()) {
        let tree = text(&graph);
        for line in tree.lines() {
            prop_assert!(line.chars().count() <= 100, "{line}");
            prop_assert!(line.chars().all(|c| c == ' ' || c.is_ascii_graphic() || "│├└─…".contains(c)), "{line:?}");
        }
        // What is reached from the first artifact is written once, and once more for each other use.
        let mut reached = BTreeSet::from([0]);
        let mut open = vec![0];
        let mut edges = 0;
        while let Some(at) = open.pop() {
            edges += graph.nodes[at].inputs.len();
            open.extend(graph.nodes[at].inputs.iter().filter(|input| reached.insert(**input)));
        }
        let written = tree.lines().filter(|line| line.contains("  sha256:")).count();
        prop_assert_eq!(written, edges + 1);
        let above = tree.lines().filter(|line| line.ends_with("] above")).count();
        prop_assert_eq!(above, edges + 1 - reached.len());
    }

    #[test]
    fn json_can_be_read_and_has_the_same_graph(graph in graphs()) {
        let read: serde_json::Value = serde_json::from_str(&json(&graph)).unwrap();
        let artifacts = read["artifacts"].as_array().unwrap();
        prop_assert_eq!(artifacts.len(), graph.nodes.len());
        for (entry, node) in artifacts.iter().zip(&graph.nodes) {
            prop_assert_eq!(entry["names"][0].as_str(), Some(node.name()));
            let inputs: Vec<usize> = serde_json::from_value(entry["inputs"].clone()).unwrap();
            prop_assert_eq!(&inputs, &node.inputs);
        }
    }

    #[test]
    fn graphviz_can_be_read_and_has_the_same_graph(graph in graphs()) {
        let (names, edges) = parsed(&dot(&graph));
        let wanted: BTreeSet<String> = (0..graph.nodes.len()).map(|at| format!("n{at}")).collect();
        prop_assert_eq!(names, wanted);
        let wanted: Vec<_> = graph.edges().map(|(from, to)| (format!("n{to}"), format!("n{from}"))).collect();
        prop_assert_eq!(edges, wanted);
    }

    #[test]
    fn security_drawings_are_xml_without_links_and_scripts(graph in graphs()) {
        let drawing = svg(&graph);
        prop_assert_eq!(&drawing, &svg(&graph));
        let document = roxmltree::Document::parse(&drawing).unwrap();
        let count = |name: &str| document.descendants().filter(|at| at.has_tag_name(("http://www.w3.org/2000/svg", name))).count();
        prop_assert_eq!(count("g"), graph.nodes.len());
        prop_assert_eq!(count("path"), graph.edges().count() + 1, "one more is the arrow");
        for element in document.descendants().filter(roxmltree::Node::is_element) {
            let name = element.tag_name().name();
            let known = ["svg", "title", "desc", "style", "defs", "marker", "path", "rect", "g", "text"];
            prop_assert!(known.contains(&name), "{name}");
            for attribute in element.attributes() {
                let is_harmless = !attribute.name().starts_with("on") && attribute.name() != "href";
                prop_assert!(is_harmless, "{}", attribute.name());
            }
        }
    }
}

#[test]
fn large_graphs_are_drawn() {
    // Each artifact was made of the next twenty, so that most edges are long.
    let far = |at: usize| (at + 1..(at + 20).min(1_000)).collect::<Vec<usize>>();
    let nodes: Vec<Node> = (0..1_000).map(|at| node(at, "a", found(), &far(at))).collect();
    let drawing = svg(&Graph { registry: "a".to_owned(), nodes });
    assert!(roxmltree::Document::parse(&drawing).is_ok());
}
