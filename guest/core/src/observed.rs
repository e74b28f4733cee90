//! Observed objects: children of the cache and related objects of its namespace, reduced to what
//! decisions depend on.

use crate::fields::{self, Fields};
use crate::json::Json;
use crate::primary::Metadata;
use orascache_contract::{Error, Kind, ObjectRef};

/// One observed object.
#[derive(Debug)]
pub(crate) struct Object<'a> {
    api_version: &'a str,
    kind: &'a str,
    pub(crate) name: &'a str,
    namespace: &'a str,
    pub(crate) uid: &'a str,
    pub(crate) generation: i64,
    pub(crate) is_being_deleted: bool,
    metadata: Fields<'a>,
    /// The whole object, as far as it is observed.
    pub(crate) tree: &'a Json<'a>,
    pub(crate) spec: Option<&'a Json<'a>>,
    /// Counters of a StatefulSet; zero for other kinds.
    pub(crate) status: ObjectStatus,
    /// The whole status.
    pub(crate) raw_status: Option<&'a Json<'a>>,
}

/// Counters of a StatefulSet (apps/v1 StatefulSetStatus).
#[derive(Debug, Default)]
pub(crate) struct ObjectStatus {
    pub(crate) observed_generation: i64,
    pub(crate) replicas: i64,
    pub(crate) ready_replicas: i64,
    pub(crate) updated_replicas: i64,
}

impl<'a> Object<'a> {
    fn read(tree: &'a Json<'a>) -> Result<Self, Error> {
        let root = Fields::root(tree);
        let metadata = root
            .object("metadata", "metadata")?
            .ok_or_else(|| Error::InvalidInput("metadata is missing".to_owned()))?;
        Ok(Object {
            api_version: root.text("apiVersion")?.unwrap_or_default(),
            kind: root.text("kind")?.unwrap_or_default(),
            name: metadata.required_text("name")?,
            namespace: metadata.text("namespace")?.unwrap_or_default(),
            uid: metadata.text("uid")?.unwrap_or_default(),
            generation: metadata.integer("generation")?.unwrap_or_default(),
            is_being_deleted: metadata.member("deletionTimestamp").is_some(),
            metadata,
            tree,
            spec: root.member("spec"),
            status: match root.object("status", "status")? {
                Some(status) => ObjectStatus::read(status)?,
                None => ObjectStatus::default(),
            },
            raw_status: root.member("status"),
        })
    }

    pub(crate) fn name(&self) -> &'a str {
        self.name
    }

    /// A member of the metadata, such as `labels`.
    pub(crate) fn metadata(&self, name: &str) -> Option<&'a Json<'a>> {
        self.metadata.member(name)
    }

    /// An annotation, or a label where `map` is `labels`.
    pub(crate) fn text_of(&self, map: &str, key: &str) -> Option<&'a str> {
        self.metadata(map)?.get(key)?.as_str()
    }

    /// The entry of `ownerReferences` that names the controller.
    fn controller(&self) -> Option<&'a Json<'a>> {
        let owners = self.metadata("ownerReferences").and_then(Json::as_array).unwrap_or_default();
        owners.iter().find(|owner| owner.get("controller") == Some(&Json::Bool(true)))
    }

    /// Index of that entry.
    pub(crate) fn controller_index(&self) -> Option<usize> {
        let owners = self.metadata("ownerReferences").and_then(Json::as_array)?;
        owners.iter().position(|owner| owner.get("controller") == Some(&Json::Bool(true)))
    }

    /// Whether the controller of this object is the object of that UID.
    pub(crate) fn is_controlled_by(&self, uid: &str) -> bool {
        self.controller().is_some_and(|owner| owner.get("uid").and_then(Json::as_str) == Some(uid))
    }

    /// Whether nothing controls this object.
    pub(crate) fn is_uncontrolled(&self) -> bool {
        self.controller().is_none()
    }

    fn is(&self, kind: &Kind, name: &str) -> bool {
        self.kind == kind.kind && self.api_version == kind.api_version && self.name == name
    }

    /// A reference that means this very object, and no later one of its name.
    pub(crate) fn reference(&self, kind: &Kind) -> ObjectRef {
        let own = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        ObjectRef {
            kind: kind.clone(),
            namespace: own(self.namespace),
            name: self.name.to_owned(),
            uid: own(self.uid),
        }
    }
}

impl ObjectStatus {
    fn read(status: Fields<'_>) -> Result<Self, Error> {
        let count = |name| status.integer(name).map(Option::unwrap_or_default);
        Ok(ObjectStatus {
            observed_generation: count("observedGeneration")?,
            replicas: count("replicas")?,
            ready_replicas: count("readyReplicas")?,
            updated_replicas: count("updatedReplicas")?,
        })
    }
}

/// Parses all texts of one list of the input. `list` names it in errors.
pub(crate) fn parse_all<'a>(texts: &[&'a str], list: &str) -> Result<Vec<Json<'a>>, Error> {
    let mut trees = Vec::with_capacity(texts.len());
    for (position, text) in texts.iter().enumerate() {
        trees.push(fields::parse(text, "").map_err(|error| named(list, position, &error))?);
    }
    Ok(trees)
}

/// Parses those texts of one list that contain one of the names. A namespace may hold many others,
/// which cannot matter. `list` names the list in errors.
pub(crate) fn parse_mentioning<'a>(
    texts: &[&'a str],
    names: &[&str],
    list: &str,
) -> Result<Vec<Json<'a>>, Error> {
    let texts = texts.iter().copied().enumerate();
    let mentions = |text: &str| names.iter().any(|name| text.contains(name));
    texts
        .filter(|(_, text)| mentions(text))
        .map(|(position, text)| fields::parse(text, "").map_err(|error| named(list, position, &error)))
        .collect()
}

fn named(list: &str, position: usize, error: &Error) -> Error {
    Error::InvalidInput(format!("object {position} of the {list} objects is not readable: {error}"))
}

/// Objects of one list of the input.
#[derive(Debug)]
pub(crate) struct Objects<'a>(Vec<Object<'a>>);

impl<'a> Objects<'a> {
    /// Reads the children of a cache. An object of another namespace is none of them, even if it
    /// names the cache as its controller: everybody can write such a reference, and owner
    /// references do not cross namespaces. `list` names the list in errors.
    pub(crate) fn children_of(
        primary: &Metadata<'_>,
        trees: &'a [Json<'a>],
        list: &str,
    ) -> Result<Self, Error> {
        let mut objects = Self::of_namespace(primary.namespace, trees, list)?;
        objects.0.retain(|object| object.is_controlled_by(primary.uid));
        Ok(objects)
    }

    /// Reads the objects of one namespace. Others are left out. `list` names the list in errors.
    pub(crate) fn of_namespace(namespace: &str, trees: &'a [Json<'a>], list: &str) -> Result<Self, Error> {
        let mut objects = Vec::with_capacity(trees.len());
        for (position, tree) in trees.iter().enumerate() {
            let object = Object::read(tree).map_err(|error| named(list, position, &error))?;
            if object.namespace == namespace {
                objects.push(object);
            }
        }
        Ok(Objects(objects))
    }

    /// All objects of a kind.
    pub(crate) fn of_kind(&self, kind: &Kind) -> impl Iterator<Item = &Object<'a>> {
        self.0.iter().filter(|object| object.kind == kind.kind && object.api_version == kind.api_version)
    }

    pub(crate) fn find(&self, kind: &Kind, name: &str) -> Option<&Object<'a>> {
        self.0.iter().find(|object| object.is(kind, name))
    }
}
