//! What exists: children of the cache and related objects of its namespace, read as far as decisions need.

use crate::contract::{Error, Kind, ObjectRef};
use crate::json::Json;
use crate::primary::Text;
use serde::Deserialize;

/// One observed object.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Object<'a> {
    #[serde(borrow, default)]
    api_version: Text<'a>,
    #[serde(borrow, default)]
    kind: Text<'a>,
    #[serde(borrow)]
    pub(crate) metadata: ObjectMetadata<'a>,
    #[serde(borrow, default)]
    pub(crate) spec: Option<Json<'a>>,
    /// Of a StatefulSet; other kinds have none of these members.
    #[serde(default)]
    pub(crate) status: ObjectStatus,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ObjectMetadata<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow, default)]
    namespace: Text<'a>,
    #[serde(borrow, default)]
    uid: Text<'a>,
    #[serde(default)]
    pub(crate) generation: i64,
    #[serde(borrow, default)]
    pub(crate) labels: Option<Json<'a>>,
    #[serde(borrow, default)]
    pub(crate) annotations: Option<Json<'a>>,
    #[serde(borrow, default)]
    pub(crate) owner_references: Option<Json<'a>>,
    #[serde(borrow, default)]
    deletion_timestamp: Option<Text<'a>>,
}

/// Counters of a StatefulSet (apps/v1 StatefulSetStatus).
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ObjectStatus {
    pub(crate) observed_generation: i64,
    pub(crate) replicas: i64,
    pub(crate) ready_replicas: i64,
    pub(crate) updated_replicas: i64,
}

impl Object<'_> {
    pub(crate) fn is(&self, kind: Kind, name: &str) -> bool {
        self.kind == kind.kind && self.api_version == kind.api_version && self.metadata.name == name
    }

    pub(crate) fn is_being_deleted(&self) -> bool {
        self.metadata.deletion_timestamp.is_some()
    }

    /// A reference that means this very object.
    pub(crate) fn reference(&self, kind: Kind) -> ObjectRef {
        let own = |text: &Text<'_>| (!text.is_empty()).then(|| text.clone().into_owned());
        ObjectRef {
            api_version: kind.api_version.to_owned(),
            kind: kind.kind.to_owned(),
            plural: kind.plural.to_owned(),
            namespaced: kind.namespaced,
            namespace: own(&self.metadata.namespace),
            name: self.metadata.name.clone().into_owned(),
            uid: own(&self.metadata.uid),
        }
    }
}

/// Objects of one list of the input.
#[derive(Debug)]
pub(crate) struct Objects<'a>(Vec<Object<'a>>);

impl<'a> Objects<'a> {
    /// Reads all of them; `list` says in errors which list it was.
    pub(crate) fn read(texts: &'a [String], list: &str) -> Result<Self, Error> {
        let read = |(position, text): (usize, &'a String)| {
            serde_json::from_str(text).map_err(|error| {
                Error::InvalidInput(format!(
                    "object {position} of the {list} objects is not readable: {error}"
                ))
            })
        };
        texts.iter().enumerate().map(read).collect::<Result<Vec<_>, _>>().map(Objects)
    }

    pub(crate) fn find(&self, kind: Kind, name: &str) -> Option<&Object<'a>> {
        self.0.iter().find(|object| object.is(kind, name))
    }
}
