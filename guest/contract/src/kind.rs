//! Kinds, and references to objects.

use std::borrow::Cow;
use std::fmt;

/// A kind of object, as the API server addresses it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Kind {
    /// `group/version`, or `v1` for the core group.
    pub api_version: Cow<'static, str>,
    /// As in `StatefulSet`.
    pub kind: Cow<'static, str>,
    /// As in `statefulsets`.
    pub plural: Cow<'static, str>,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
}

impl Kind {
    /// A kind whose objects live in namespaces.
    pub const fn namespaced(api_version: &'static str, kind: &'static str, plural: &'static str) -> Self {
        Self::known(api_version, kind, plural, true)
    }

    /// A kind whose objects live in no namespace.
    pub const fn cluster_scoped(api_version: &'static str, kind: &'static str, plural: &'static str) -> Self {
        Self::known(api_version, kind, plural, false)
    }

    const fn known(
        api_version: &'static str,
        kind: &'static str,
        plural: &'static str,
        namespaced: bool,
    ) -> Self {
        Self {
            api_version: Cow::Borrowed(api_version),
            kind: Cow::Borrowed(kind),
            plural: Cow::Borrowed(plural),
            namespaced,
        }
    }

    /// The API group; empty for the core group.
    pub fn group(&self) -> &str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }

    /// The version within the group, as in `v1`.
    pub fn version(&self) -> &str {
        self.api_version.split_once('/').map_or(&*self.api_version, |(_, version)| version)
    }
}

/// Names one object.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct ObjectRef {
    /// Its kind.
    pub kind: Kind,
    /// None for objects that live in no namespace.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// When present, only the object with this UID is meant, not a later one of the same name.
    pub uid: Option<String>,
}

/// As in `StatefulSet lab/shared`.
impl fmt::Display for ObjectRef {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(formatter, "{} {namespace}/{}", self.kind.kind, self.name),
            None => write!(formatter, "{} {}", self.kind.kind, self.name),
        }
    }
}
