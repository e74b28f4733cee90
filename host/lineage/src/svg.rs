//! A graph as a drawing (SVG 1.1). Sources are at the left, and the artifact that was asked for at
//! the right.

use std::fmt::Write;

use crate::graph::{Graph, Node, State};
use crate::label::{bytes, facts, printable, short_digest, shortened, summary};
use crate::layers::{Layers, arrange};
use crate::places::places;

/// Size of a box, in pixels.
const WIDTH: f64 = 272.0;
const HEIGHT: f64 = 76.0;
/// Space between columns, and around a box and a bend in its column.
const COLUMN_GAP: f64 = 56.0;
const BOX_GAP: f64 = 16.0;
const BEND: f64 = 12.0;
/// Space around the drawing.
const MARGIN: f64 = 16.0;
/// Distance between the edge of a box and its text, and between lines.
const PADDING: f64 = 10.0;
const LINE: f64 = 16.0;
/// Most lines in a box.
const LINES: usize = 4;
/// Longest line in a box, in characters. A character of this font is 7.2 pixels wide.
const CHARACTERS: usize = 34;

/// What all drawings begin with, behind the element itself.
const DEFINITIONS: &str = r##"<style>
.box { fill: #f6f8fa; stroke: #57606a; }
.asked { fill: #ddf4ff; stroke: #0969da; stroke-width: 2; }
.unknown { fill: #fff8c5; stroke: #9a6700; stroke-dasharray: 5 3; }
.edge { fill: none; stroke: #57606a; stroke-width: 1.2; marker-end: url(#arrow); }
text { font: 12px ui-monospace, monospace; fill: #1f2328; }
.name { font-weight: bold; }
</style>
<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="#57606a"/></marker></defs>
<rect width="100%" height="100%" fill="#ffffff"/>
"##;

/// The graph as a drawing. The same graph has the same drawing. It holds no links and no scripts.
pub fn svg(graph: &Graph) -> String {
    let edges: Vec<(usize, usize)> = graph.edges().collect();
    let layers = arrange(graph.nodes.len(), &edges);
    let boxes = graph.nodes.len();
    let middles = places(&layers, |vertex| if vertex < boxes { HEIGHT + BOX_GAP } else { BEND });
    let drawing = Drawing { boxes, column_of: layers.column_of(), layers: &layers, middles: &middles };
    let (width, height) = drawing.size();
    let title = graph.nodes.first().map(|node| printable(node.name())).unwrap_or_default();
    let mut written = String::new();
    // Writing into a string does not fail.
    let _ = writeln!(
        written,
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img">"#
    );
    let _ = writeln!(written, "<title>Lineage of {}</title>", escaped(&title));
    let _ = writeln!(written, "<desc>{}</desc>", escaped(&summary(graph).join(", ")));
    written.push_str(DEFINITIONS);
    for path in &layers.paths {
        let _ = writeln!(written, r#"<path class="edge" d="{}"/>"#, drawing.curve(path));
    }
    for (at, node) in graph.nodes.iter().enumerate() {
        drawing.draw(&mut written, at, node);
    }
    written.push_str("</svg>\n");
    written
}

/// Where everything is.
struct Drawing<'a> {
    boxes: usize,
    column_of: Vec<usize>,
    layers: &'a Layers,
    middles: &'a [f64],
}

impl Drawing<'_> {
    /// Width and height, in whole pixels.
    fn size(&self) -> (u64, u64) {
        let columns = self.layers.columns.len() as f64;
        let width = columns * (WIDTH + COLUMN_GAP) - COLUMN_GAP + 2.0 * MARGIN;
        let bottoms = self.middles.iter().enumerate().map(|(vertex, middle)| {
            middle + if vertex < self.boxes { (HEIGHT + BOX_GAP) / 2.0 } else { BEND / 2.0 }
        });
        let height = bottoms.fold(0.0, f64::max) + 2.0 * MARGIN;
        (width.ceil() as u64, height.ceil() as u64)
    }

    /// The left side of a box or bend. The first column is at the right.
    fn left(&self, vertex: usize) -> f64 {
        let last = self.layers.columns.len().saturating_sub(1);
        let column = self.column_of.get(vertex).copied().unwrap_or_default();
        MARGIN + last.saturating_sub(column) as f64 * (WIDTH + COLUMN_GAP)
    }

    fn middle(&self, vertex: usize) -> f64 {
        MARGIN + self.middles.get(vertex).copied().unwrap_or_default()
    }

    /// The way from an input to what was made of it. A path is in the opposite direction.
    fn curve(&self, path: &[usize]) -> String {
        let mut curve = String::new();
        let last = path.len().saturating_sub(1);
        for (place, vertex) in path.iter().rev().copied().enumerate() {
            let (left, y) = (self.left(vertex), number(self.middle(vertex)));
            let (start, end) = (number(left), number(left + WIDTH));
            let half = COLUMN_GAP / 2.0;
            if place == 0 {
                let _ = write!(curve, "M{end} {y} C{} {y}", number(left + WIDTH + half));
            } else if place == last {
                let _ = write!(curve, " {} {y} {start} {y}", number(left - half));
            } else {
                let _ = write!(curve, " {} {y} {start} {y} L{end} {y}", number(left - half));
                let _ = write!(curve, " C{} {y}", number(left + WIDTH + half));
            }
        }
        curve
    }

    fn draw(&self, written: &mut String, at: usize, node: &Node) {
        let (x, top) = (self.left(at), self.middle(at) - HEIGHT / 2.0);
        let class = match &node.state {
            State::Unknown(_) => "unknown",
            State::Found(_) if at == 0 => "asked",
            State::Found(_) => "box",
        };
        let _ = writeln!(written, "<g><title>{}</title>", escaped(&everything(node)));
        let _ = writeln!(
            written,
            r#"<rect class="{class}" x="{}" y="{}" width="{WIDTH}" height="{HEIGHT}" rx="6"/>"#,
            number(x),
            number(top)
        );
        for (place, line) in lines(node).iter().enumerate() {
            let name = if place == 0 { r#" class="name""# } else { "" };
            let y = number(top + PADDING + LINE * (place as f64 + 0.6));
            let _ = writeln!(
                written,
                r#"<text{name} x="{}" y="{y}">{}</text>"#,
                number(x + PADDING),
                escaped(line)
            );
        }
        written.push_str("</g>\n");
    }
}

/// The lines in a box.
fn lines(node: &Node) -> Vec<String> {
    let digest = node.digest.as_ref().map(short_digest).unwrap_or_default();
    let second = match &node.state {
        State::Found(artifact) => format!("{digest}  {}", bytes(artifact.size)),
        State::Unknown(_) => digest,
    };
    let mut lines = vec![node.name().to_owned(), second];
    match &node.state {
        State::Unknown(leaf) => lines.push(leaf.reason.words().to_owned()),
        State::Found(artifact) => {
            let record = &artifact.record;
            let image = record.image.iter().map(|image| format!("image {image}"));
            lines.extend(record.pod.iter().map(|pod| format!("pod {pod}")).chain(image));
            lines.extend(record.created.clone());
        }
    }
    lines.retain(|line| !line.trim().is_empty());
    lines.iter().take(LINES).map(|line| shortened(line, CHARACTERS)).collect()
}

/// What a browser shows when the pointer is on a box.
fn everything(node: &Node) -> String {
    let digest = node.digest.as_ref().map(|digest| digest.to_string());
    let parts = std::iter::once(printable(node.name())).chain(digest).chain(facts(node));
    parts.collect::<Vec<_>>().join("\n")
}

/// A coordinate, with one digit behind the point at most.
fn number(value: f64) -> String {
    let rounded = (value * 10.0).round() / 10.0;
    // Zero has no sign.
    format!("{}", if rounded == 0.0 { 0.0 } else { rounded })
}

/// A text within an element or attribute (XML 1.0, 2.4). It is printable already, so that it has no
/// characters which XML forbids.
fn escaped(text: &str) -> String {
    let entity = |c| match c {
        '&' => "&amp;",
        '<' => "&lt;",
        '>' => "&gt;",
        '"' => "&quot;",
        '\'' => "&apos;",
        _ => "",
    };
    text.chars().fold(String::new(), |mut all, c| {
        match entity(c) {
            "" => all.push(c),
            entity => all.push_str(entity),
        }
        all
    })
}
