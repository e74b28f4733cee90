//! Reading documents that people write: everything that is wrong in them is reported, with its
//! place.

use crate::findings::Findings;
use crate::json::Json;
use std::fmt;
use std::ops::RangeInclusive;

/// A place in a document. It becomes text only when something is wrong there, as in
/// `settings.requiredAnnotations[0].annotation`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'p> {
    parent: Option<&'p Place<'p>>,
    part: Part<'p>,
}

#[derive(Clone, Copy, Debug)]
enum Part<'p> {
    Member(&'p str),
    Item(usize),
}

impl<'p> Place<'p> {
    /// The document as a whole.
    pub(crate) fn root(name: &'p str) -> Self {
        Place { parent: None, part: Part::Member(name) }
    }

    /// Reports a member that does not exist. `known` lists those that do.
    pub(crate) fn refuse_unknown(&self, known: &str, findings: &mut Findings) {
        findings.refuse(format!("{self} is unknown: write {known}, or remove it"));
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(formatter)?;
        }
        match (self.part, self.parent) {
            (Part::Member(name), None) => formatter.write_str(name),
            (Part::Member(name), Some(_)) => write!(formatter, ".{name}"),
            (Part::Item(index), _) => write!(formatter, "[{index}]"),
        }
    }
}

/// Members of an object. Null counts as absent.
pub(crate) fn members<'a: 'p, 'p>(
    value: &'a Json<'a>,
    place: &'p Place<'p>,
    findings: &mut Findings,
) -> impl Iterator<Item = (&'a str, &'a Json<'a>, Place<'p>)> + use<'a, 'p> {
    let members: &[_] = match value {
        Json::Object(members) => members,
        other => {
            findings.refuse(format!("{place} must be an object, not {}", other.type_name()));
            &[]
        }
    };
    members.iter().filter(|(_, value)| *value != Json::Null).map(move |(name, value)| {
        (name.as_ref(), value, Place { parent: Some(place), part: Part::Member(name) })
    })
}

/// Items of a list.
pub(crate) fn items<'a: 'p, 'p>(
    value: &'a Json<'a>,
    place: &'p Place<'p>,
    findings: &mut Findings,
) -> impl Iterator<Item = (&'a Json<'a>, Place<'p>)> + use<'a, 'p> {
    let items: &[_] = match value {
        Json::Array(items) => items,
        other => {
            findings.refuse(format!("{place} must be a list, not {}", other.type_name()));
            &[]
        }
    };
    items
        .iter()
        .enumerate()
        .map(move |(index, item)| (item, Place { parent: Some(place), part: Part::Item(index) }))
}

/// A string.
pub(crate) fn text<'a>(value: &'a Json<'a>, place: &Place<'_>, findings: &mut Findings) -> Option<&'a str> {
    let text = value.as_str();
    if text.is_none() {
        findings.refuse(format!("{place} must be a string, not {}", value.type_name()));
    }
    text
}

/// A whole number of this range.
pub(crate) fn number(
    value: &Json<'_>,
    place: &Place<'_>,
    range: RangeInclusive<u64>,
    findings: &mut Findings,
) -> Option<u64> {
    let number = match value {
        Json::Int(number) => u64::try_from(*number).ok().filter(|number| range.contains(number)),
        _ => None,
    };
    if number.is_none() {
        let (first, last) = (range.start(), range.end());
        findings.refuse(format!("{place} must be a whole number from {first} to {last}"));
    }
    number
}

/// A boolean.
pub(crate) fn flag(value: &Json<'_>, place: &Place<'_>, findings: &mut Findings) -> Option<bool> {
    match value {
        Json::Bool(flag) => Some(*flag),
        other => {
            findings.refuse(format!("{place} must be true or false, not {}", other.type_name()));
            None
        }
    }
}

/// A list of strings that have a syntax. `wanted` says which. Messages do not repeat the strings:
/// somebody may have written a password into one.
pub(crate) fn texts<'a>(
    value: &'a Json<'a>,
    place: &Place<'_>,
    is_valid: fn(&str) -> bool,
    wanted: &str,
    findings: &mut Findings,
) -> Vec<&'a str> {
    let mut texts = Vec::new();
    for (item, place) in items(value, place, findings) {
        match text(item, &place, findings) {
            Some(text) if is_valid(text) => texts.push(text),
            Some(_) => findings.refuse(format!("{place} is not {wanted}")),
            None => {}
        }
    }
    texts
}
