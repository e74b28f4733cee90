//! Texts about artifacts, for people. They hold nothing but visible ASCII, since manifests are
//! written by anybody who may push: what a terminal or a browser would obey is escaped.

use oci_registry_client::Digest;

use crate::graph::{Graph, Node, Reason, State};

/// Digits of a digest that are shown. Two artifacts of one graph hardly share them.
const DIGITS: usize = 12;

/// A text with everything escaped that is not visible ASCII. References, images and names of pods
/// have nothing else.
pub(crate) fn printable(text: &str) -> String {
    let is_plain = |c: char| c == ' ' || c.is_ascii_graphic();
    text.chars().fold(String::new(), |mut all, c| {
        if is_plain(c) {
            all.push(c);
        } else {
            all.extend(c.escape_unicode());
        }
        all
    })
}

/// A printable text of at most `width` characters. The middle of a longer one is left out.
pub(crate) fn shortened(text: &str, width: usize) -> String {
    let text = printable(text);
    if text.len() <= width {
        return text;
    }
    // The text is ASCII, so that bytes are characters.
    let kept = width.saturating_sub(1);
    let (head, tail) = (kept - kept / 2, kept / 2);
    let start = text.get(..head).unwrap_or_default();
    let end = text.len().checked_sub(tail).and_then(|at| text.get(at..)).unwrap_or_default();
    format!("{start}…{end}")
}

/// The beginning of a digest.
pub(crate) fn short_digest(digest: &Digest) -> String {
    let (algorithm, hex) = digest.as_str().split_once(':').unwrap_or_default();
    format!("{algorithm}:{}", hex.get(..DIGITS).unwrap_or(hex))
}

/// A number of bytes.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let mut value = count as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS.get(unit).copied().unwrap_or_default())
}

/// What is known of an artifact beside its name, digest and size, or why it is not known.
pub(crate) fn facts(node: &Node) -> Vec<String> {
    let mut facts = Vec::new();
    let mut add = |label: &str, value: String| facts.push(format!("{label} {value}"));
    match &node.state {
        State::Unknown(leaf) => facts.push(printable(&leaf.sentence)),
        State::Found(artifact) => {
            let record = &artifact.record;
            let short = |value: &String| match Digest::parse(value) {
                Some(digest) => short_digest(&digest),
                None => printable(value).chars().take(DIGITS).collect(),
            };
            record.pod.iter().for_each(|pod| add("pod", printable(pod)));
            record.created.iter().for_each(|created| add("at", printable(created)));
            record.image.iter().for_each(|image| add("image", printable(image)));
            record.command.iter().for_each(|command| add("command", short(command)));
            record.key.iter().for_each(|key| add("key", short(key)));
            let attestations = artifact.attestations.iter().flatten();
            attestations.for_each(|found| add("provenance", short_digest(&found.digest)));
            record.problem.iter().for_each(|problem| add("problem:", printable(problem)));
        }
    }
    let others = node.names.iter().skip(1);
    others.for_each(|name| facts.push(format!("also {}", printable(name))));
    match node.omitted {
        0 => {}
        1 => facts.push("1 more input is left out".to_owned()),
        more => facts.push(format!("{more} more inputs are left out")),
    }
    facts
}

/// How many artifacts there are, and how many of each kind.
pub(crate) fn summary(graph: &Graph) -> Vec<String> {
    let count = |wanted: &dyn Fn(&Node) -> bool| graph.nodes.iter().filter(|node| wanted(node)).count();
    let mut parts = match graph.nodes.len() {
        1 => vec!["1 artifact".to_owned()],
        all => vec![format!("{all} artifacts")],
    };
    let is_source =
        |node: &Node| matches!(node.state, State::Found(_)) && node.inputs.is_empty() && node.omitted == 0;
    let mut add = |count: usize, words: &str| {
        if count > 0 {
            parts.push(format!("{count} {words}"));
        }
    };
    add(count(&is_source), "without inputs");
    for reason in Reason::ALL {
        let has_reason = |node: &Node| matches!(&node.state, State::Unknown(leaf) if leaf.reason == reason);
        add(count(&has_reason), reason.words());
    }
    add(graph.nodes.iter().map(|node| node.omitted).sum(), "inputs left out");
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        assert_eq!(printable("a\u{1b}[31mb\n"), "a\\u{1b}[31mb\\u{a}");
        assert_eq!(printable("x\u{202e}y"), "x\\u{202e}y");
        assert_eq!(printable("flow/words:run-1"), "flow/words:run-1");
    }

    #[test]
    fn long_texts_lose_their_middle() {
        assert_eq!(shortened("abcdefgh", 8), "abcdefgh");
        assert_eq!(shortened("abcdefghi", 8), "abcd…ghi");
        assert_eq!((shortened("abc", 1).as_str(), shortened("abc", 0).as_str()), ("…", "…"));
        for width in 1..20 {
            assert!(shortened("\u{1b}abcdefghijklmnop", width).chars().count() <= width);
        }
    }

    #[test]
    fn bytes_have_a_unit() {
        let texts = [0, 1023, 1024, 1536, 5 << 20, 7 << 30, 3 << 50].map(bytes);
        assert_eq!(texts, ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "5.0 MiB", "7.0 GiB", "3072.0 TiB"]);
    }
}
