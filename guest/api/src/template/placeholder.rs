//! Placeholders, and the parts of a text that has some.

use crate::range::braces;
use crate::reference::{DEFAULT_TAG, Reference};
use crate::steps::env;

/// A part of a template that stands for something that only the running pod knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placeholder {
    /// `{index}`: the number of the pod in its indexed Job or StatefulSet.
    Index,
    /// `{pod}`: the name of the pod.
    Pod,
    /// `{job}`: the name of the Job.
    Job,
    /// `{namespace}`: the namespace of the pod.
    Namespace,
}

impl Placeholder {
    /// All of them.
    pub const ALL: [Placeholder; 4] = [Self::Index, Self::Pod, Self::Job, Self::Namespace];
    /// All of them, for messages.
    pub const LIST: &'static str = "{index}, {pod}, {job} or {namespace}";

    /// The word between the braces.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::Pod => "pod",
            Self::Job => "job",
            Self::Namespace => "namespace",
        }
    }

    /// The environment variable in which the agent finds the value.
    pub const fn variable(self) -> &'static str {
        match self {
            Self::Index => env::INDEX,
            Self::Pod => env::POD,
            Self::Job => env::JOB,
            Self::Namespace => env::NAMESPACE,
        }
    }
}

/// A part of a path into which an input is pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputPlaceholder {
    /// A placeholder that other templates may have too.
    OfPod(Placeholder),
    /// `{repository}`: the repository of the input.
    Repository,
    /// `{tag}`: the tag of the input.
    Tag,
}

impl InputPlaceholder {
    /// All of them, for messages.
    pub const LIST: &'static str = "{index}, {pod}, {job}, {namespace}, {repository} or {tag}";

    /// The word between the braces.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OfPod(placeholder) => placeholder.name(),
            Self::Repository => "repository",
            Self::Tag => "tag",
        }
    }

    /// The value of `{repository}` or `{tag}` for an input. `None` for the tag of an input that is
    /// named by its digest alone, and for placeholders whose value the pod has.
    ///
    /// ```
    /// use orascache_api::reference::Reference;
    /// use orascache_api::template::InputPlaceholder;
    ///
    /// let input = Reference::parse("flow/words:run-1").unwrap();
    /// assert_eq!(InputPlaceholder::Repository.value_of(&input), Some("flow/words"));
    /// assert_eq!(InputPlaceholder::Tag.value_of(&input), Some("run-1"));
    /// ```
    pub fn value_of<'a>(self, input: &Reference<'a>) -> Option<&'a str> {
        match self {
            Self::OfPod(_) => None,
            Self::Repository => Some(input.repository),
            Self::Tag => input.tag.or(input.digest.is_none().then_some(DEFAULT_TAG)),
        }
    }
}

/// A kind of placeholders.
pub(super) trait Word: Sized {
    /// The placeholder with this word between its braces.
    fn from_name(name: &str) -> Option<Self>;
}

impl Word for Placeholder {
    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|placeholder| placeholder.name() == name)
    }
}

impl Word for InputPlaceholder {
    fn from_name(name: &str) -> Option<Self> {
        let of_input = [Self::Repository, Self::Tag].into_iter().find(|word| word.name() == name);
        of_input.or_else(|| Placeholder::from_name(name).map(Self::OfPod))
    }
}

/// A set of placeholders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Placeholders(u8);

impl Placeholders {
    /// Whether the set contains this placeholder.
    pub const fn contains(self, placeholder: Placeholder) -> bool {
        self.0 & Self::bit(placeholder) != 0
    }

    /// The placeholders of both sets.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    const fn bit(placeholder: Placeholder) -> u8 {
        1 << placeholder as u8
    }

    pub(super) fn insert(&mut self, placeholder: Placeholder) {
        self.0 |= Self::bit(placeholder);
    }
}

/// A part of a text.
pub(super) enum Part<'a, P> {
    Text(&'a str),
    Placeholder(P),
    /// Something else in braces, or an open brace without its end.
    Unknown(&'a str),
}

/// The parts of a text, in order.
pub(super) fn parts<P: Word>(text: &str) -> impl Iterator<Item = Part<'_, P>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let (open, end) = braces(text, start).unwrap_or((text.len(), text.len()));
        if open > start {
            let before = text.get(start..open)?;
            start = open;
            return Some(Part::Text(before));
        }
        let whole = text.get(start..end).filter(|part| !part.is_empty())?;
        start = end;
        let name = whole.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        Some(name.and_then(P::from_name).map_or(Part::Unknown(whole), Part::Placeholder))
    })
}

/// The text with values in place of its placeholders. Everything else stays as it is.
pub(super) fn expand<P: Word, E>(
    text: &str,
    mut value: impl FnMut(P) -> Result<String, E>,
) -> Result<String, E> {
    let mut expanded = String::with_capacity(text.len());
    for part in parts(text) {
        match part {
            Part::Text(text) | Part::Unknown(text) => expanded.push_str(text),
            Part::Placeholder(placeholder) => expanded.push_str(&value(placeholder)?),
        }
    }
    Ok(expanded)
}
