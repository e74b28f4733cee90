//! Reading documents that people write, with everything that is wrong in them and where it stands.

use super::findings::Findings;
use super::template::fill;
use crate::json::Json;

/// A place in a document, for messages: written out only when something is wrong there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At<'p> {
    parent: Option<&'p At<'p>>,
    part: Part<'p>,
}

#[derive(Clone, Copy, Debug)]
enum Part<'p> {
    Member(&'p str),
    Item(usize),
}

impl<'p> At<'p> {
    /// The document as a whole.
    pub(crate) fn root(name: &'p str) -> Self {
        At { parent: None, part: Part::Member(name) }
    }

    /// For example `settings.requiredAnnotations[0].annotation`.
    #[cold]
    pub(crate) fn text(&self) -> String {
        let before = self.parent.map(At::text);
        match (self.part, before) {
            (Part::Member(name), None) => name.to_owned(),
            (Part::Member(name), Some(before)) => fill("%.%", &[&before, name]),
            (Part::Item(index), before) => fill("%[%]", &[&before.unwrap_or_default(), &index.to_string()]),
        }
    }

    /// Refuses what stands here, from a template whose first argument is the place.
    #[cold]
    #[inline(never)]
    pub(crate) fn refuse(&self, template: &str, argument: &str, findings: &mut Findings) {
        findings.refuse(template, &[&self.text(), argument]);
    }

    /// Refuses a member that nobody knows.
    #[cold]
    pub(crate) fn unknown(&self, known: &str, findings: &mut Findings) {
        self.refuse("% is unknown: write %, or remove it", known, findings);
    }
}

/// Members of an object that are there: null counts as absent.
pub(crate) fn object<'a: 'p, 'p>(
    value: &'a Json<'a>,
    at: &'p At<'p>,
    findings: &mut Findings,
) -> impl Iterator<Item = (&'a str, &'a Json<'a>, At<'p>)> + use<'a, 'p> {
    let members: &[_] = match value {
        Json::Object(members) => members,
        other => {
            at.refuse("% must be an object, not %", other.type_name(), findings);
            &[]
        }
    };
    members
        .iter()
        .filter(|(_, value)| *value != Json::Null)
        .map(move |(name, value)| (name.as_ref(), value, At { parent: Some(at), part: Part::Member(name) }))
}

/// Items of a list.
pub(crate) fn list<'a: 'p, 'p>(
    value: &'a Json<'a>,
    at: &'p At<'p>,
    findings: &mut Findings,
) -> impl Iterator<Item = (&'a Json<'a>, At<'p>)> + use<'a, 'p> {
    let items: &[_] = match value {
        Json::Array(items) => items,
        other => {
            at.refuse("% must be a list, not %", other.type_name(), findings);
            &[]
        }
    };
    items
        .iter()
        .enumerate()
        .map(move |(index, item)| (item, At { parent: Some(at), part: Part::Item(index) }))
}

/// A string.
pub(crate) fn text<'a>(value: &'a Json<'a>, at: &At<'_>, findings: &mut Findings) -> Option<&'a str> {
    let text = value.as_str();
    if text.is_none() {
        at.refuse("% must be a string, not %", value.type_name(), findings);
    }
    text
}

/// A list of strings that are like something. They are not repeated where they are not: somebody may have written
/// a password into one.
pub(crate) fn texts<'a>(
    value: &'a Json<'a>,
    at: &At<'_>,
    is_right: fn(&str) -> bool,
    wanted: &str,
    findings: &mut Findings,
) -> Vec<&'a str> {
    let mut texts = Vec::new();
    for (item, at) in list(value, at, findings) {
        match text(item, &at, findings) {
            Some(text) if is_right(text) => texts.push(text),
            Some(_) => at.refuse("% is not %", wanted, findings),
            None => {}
        }
    }
    texts
}
