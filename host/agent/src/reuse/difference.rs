//! In what two documents differ.

use super::document::KeyDocument;
use std::collections::BTreeMap;

/// The parts of a document, one a line.
pub fn listing(document: &KeyDocument) -> String {
    let parts = document.parts();
    let width = parts.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    parts.iter().map(|(name, value)| format!("{name:width$}  {value}\n")).collect()
}

/// The parts in which two documents differ, one a line. Empty where they are equal.
pub fn differences(here: &KeyDocument, there: &KeyDocument) -> String {
    let (here, there) = (here.parts(), there.parts());
    let by_name: BTreeMap<&str, &str> =
        there.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let names: BTreeMap<&str, ()> = here.iter().map(|(name, _)| (name.as_str(), ())).collect();
    let changed = here.iter().filter_map(|(name, value)| match by_name.get(name.as_str()) {
        Some(other) if other == value => None,
        Some(other) => Some(format!("{name}: {value} here, {other} there\n")),
        None => Some(format!("{name}: {value} here, missing there\n")),
    });
    let missing = there.iter().filter(|(name, _)| !names.contains_key(name.as_str()));
    let missing = missing.map(|(name, value)| format!("{name}: missing here, {value} there\n"));
    changed.chain(missing).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(image: &str, variables: &str, files: &str) -> KeyDocument {
        let text = format!(
            r#"{{"format":1,"image":"{image}","command":["sha256:1"],"directory":"/","inputs":[],"inputConflicts":"refuse","outputs":["x"],"output":0,"outputPipe":null,"unpack":true,"index":null,"variables":{{{variables}}},"namedVariables":[],"salt":null,"files":[{files}]}}"#
        );
        KeyDocument::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn each_part_that_differs_is_one_line() {
        let here = document("a:1", r#""A":"sha256:1","B":null"#, "");
        let there = document("a:2", r#""A":"sha256:2""#, r#"{"path":"/x","digest":"sha256:3"}"#);
        let wanted = "image: a:1 here, a:2 there\n\
                      variable A: sha256:1 here, sha256:2 there\n\
                      variable B: not set here, missing there\n\
                      file /x: missing here, sha256:3 there\n";
        assert_eq!(differences(&here, &there), wanted);
        assert_eq!(differences(&here, &here), "");
    }

    #[test]
    fn every_part_is_listed() {
        let listing = listing(&document("a:1", r#""A":"sha256:1""#, ""));
        assert!(listing.contains("image                  a:1\n"), "{listing}");
        assert!(listing.contains("variable A             sha256:1\n"), "{listing}");
        assert_eq!(listing.lines().count(), 13, "{listing}");
    }
}
