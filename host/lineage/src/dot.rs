//! A graph in the language of Graphviz (graphviz.org/doc/info/lang.html).

use std::fmt::Write;

use crate::graph::{Graph, Node, State};
use crate::label::{bytes, facts, short_digest, shortened};

/// Longest line of a label, in characters.
const WIDTH: usize = 48;

/// The graph for Graphviz. Edges lead from an input to what was made of it.
pub fn dot(graph: &Graph) -> String {
    let mut written = String::from(
        "digraph lineage {\n  rankdir=LR;\n  node [shape=box, fontname=\"monospace\", fontsize=10];\n",
    );
    for (id, node) in graph.nodes.iter().enumerate() {
        let style = match &node.state {
            State::Unknown(_) => ", style=dashed",
            State::Found(_) if id == 0 => ", penwidth=2",
            State::Found(_) => "",
        };
        let tooltip = node.digest.as_ref().map_or("", |digest| digest.as_str());
        // A label may hold lines that end with `\l`: they begin at the left.
        let label: String = lines(node).iter().map(|line| format!("{}\\l", escaped(line))).collect();
        // Writing into a string does not fail.
        let _ = writeln!(written, "  n{id} [label=\"{label}\", tooltip=\"{}\"{style}];", escaped(tooltip));
    }
    for (from, to) in graph.edges() {
        let _ = writeln!(written, "  n{to} -> n{from};");
    }
    written.push_str("}\n");
    written
}

fn lines(node: &Node) -> Vec<String> {
    let mut lines = vec![shortened(node.name(), WIDTH)];
    let digest = node.digest.as_ref().map(short_digest);
    let size = match &node.state {
        State::Found(artifact) => Some(bytes(artifact.size)),
        State::Unknown(_) => None,
    };
    let second: Vec<String> = digest.into_iter().chain(size).collect();
    if !second.is_empty() {
        lines.push(second.join("  "));
    }
    lines.extend(facts(node).iter().map(|fact| shortened(fact, WIDTH)));
    lines
}

/// A printable text within a quoted string. The backslash has a meaning of its own in labels.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}
