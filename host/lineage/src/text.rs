//! A graph as a tree for terminals.

use crate::graph::{Graph, Node, State};
use crate::label::{bytes, facts, short_digest, shortened, summary};

/// Longest line, in characters.
const WIDTH: usize = 100;
/// Most levels whose lines are drawn. Of a deeper artifact the nearest ones are, behind the number
/// of those that are not.
const LEVELS: usize = 14;
/// Shortest name, in characters, that is left of a long one.
const SHORTEST: usize = 12;

/// The graph as a tree: an artifact, and below it what it was made of. An artifact that was used
/// more than once has a number; what it was made of is below it where it comes first. No line has
/// more than 100 characters.
pub fn text(graph: &Graph) -> String {
    let uses = graph.uses();
    // The artifact that was asked for is used once more: by whoever asked.
    let is_shared = |at: usize| uses.get(at).is_some_and(|uses| *uses > usize::from(at != 0));
    let mut numbers: Vec<Option<usize>> = vec![None; graph.nodes.len()];
    let (mut last_number, mut written) = (0, String::new());
    let mut open = vec![Branch { at: 0, path: Path::default() }];
    while let Some(Branch { at, path }) = open.pop() {
        let Some(node) = graph.nodes.get(at) else { continue };
        let number = numbers.get(at).copied().flatten();
        let is_first = number.is_none();
        let mark = match number {
            Some(number) => format!("[{number}] above"),
            None if is_shared(at) => {
                last_number += 1;
                if let Some(number) = numbers.get_mut(at) {
                    *number = Some(last_number);
                }
                format!("[{last_number}]")
            }
            None => String::new(),
        };
        let guides = path.guides(true);
        line(&mut written, &guides, &head(node, &mark, WIDTH - width(&guides)));
        if !is_first {
            continue;
        }
        let below = format!("{}{}", path.guides(false), if node.inputs.is_empty() { "   " } else { "│  " });
        let mut facts = facts(node);
        if let State::Unknown(leaf) = &node.state {
            // The line of the artifact says this already.
            let said = format!("is {}", leaf.reason.words());
            facts.retain(|fact| *fact != said);
        }
        for wrapped in wrap(&facts, WIDTH - width(&below)) {
            line(&mut written, &below, &wrapped);
        }
        let count = node.inputs.len();
        for (place, input) in node.inputs.iter().enumerate().rev() {
            open.push(Branch { at: *input, path: path.to(place + 1 == count) });
        }
    }
    written.push('\n');
    for wrapped in wrap(&summary(graph), WIDTH) {
        line(&mut written, "", &wrapped);
    }
    if last_number > 0 {
        line(&mut written, "", "A number in brackets marks an artifact that was used more than once.");
    }
    written
}

/// An artifact that is still to be written.
struct Branch {
    at: usize,
    path: Path,
}

/// The way from the artifact that was asked for to another one.
#[derive(Clone, Default)]
struct Path {
    /// Number of levels whose lines are not drawn.
    hidden: usize,
    /// For each level that is drawn, whether what is on the way is the last one there.
    drawn: Vec<bool>,
}

impl Path {
    /// The way to an input.
    fn to(&self, is_last: bool) -> Self {
        let surplus = (self.drawn.len() + 1).saturating_sub(LEVELS);
        let drawn = self.drawn.iter().skip(surplus).copied().chain([is_last]).collect();
        Path { hidden: self.hidden + surplus, drawn }
    }

    /// The lines in front of an artifact: those of its own line, or of the lines below that.
    fn guides(&self, is_own: bool) -> String {
        let mut guides = if self.hidden > 0 { format!("+{} ", self.hidden) } else { String::new() };
        for (level, is_last) in self.drawn.iter().enumerate() {
            let is_branch = is_own && level + 1 == self.drawn.len();
            guides.push_str(match (is_branch, is_last) {
                (true, true) => "└─ ",
                (true, false) => "├─ ",
                (false, true) => "   ",
                (false, false) => "│  ",
            });
        }
        guides
    }
}

/// Name, digest, size and marks of an artifact, in at most `width` characters.
fn head(node: &Node, mark: &str, width: usize) -> String {
    let mut parts: Vec<String> = Vec::new();
    parts.extend(node.digest.as_ref().map(short_digest));
    match &node.state {
        State::Found(artifact) => parts.push(bytes(artifact.size)),
        State::Unknown(leaf) => parts.push(leaf.reason.words().to_owned()),
    }
    parts.push(mark.to_owned());
    parts.retain(|part| !part.is_empty());
    let rest = format!("  {}", parts.join("  "));
    let left = width.saturating_sub(self::width(&rest)).max(SHORTEST);
    format!("{}{rest}", shortened(node.name(), left))
}

/// Texts in as few lines as they fit into, separated by commas. A line may end with one.
fn wrap(texts: &[String], width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for text in texts {
        let text = shortened(text, width - 1);
        match lines.last_mut().filter(|line| self::width(line) + 2 + self::width(&text) < width) {
            Some(line) => line.extend([", ", &text]),
            None => {
                lines.last_mut().into_iter().for_each(|line| line.push(','));
                lines.push(text);
            }
        }
    }
    lines
}

fn line(written: &mut String, guides: &str, text: &str) {
    written.extend([guides, text]);
    written.truncate(written.trim_end_matches(' ').len());
    written.push('\n');
}

fn width(text: &str) -> usize {
    text.chars().count()
}
