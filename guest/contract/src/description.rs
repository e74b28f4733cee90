//! What a guest says about itself when it is loaded.

use crate::Kind;

/// A kind that the host watches for the guest.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct WatchedKind {
    /// The kind.
    pub kind: Kind,
    /// The guest works without this kind. Where the API server does not have it, or the operator
    /// may not list it, the host names it in [`Observed::absent`](crate::Observed::absent).
    pub optional: bool,
    /// Label selector of the API (`key=value,other`); empty for all objects of the kind.
    pub label_selector: String,
    /// JSON pointers (RFC 6901) of what the guest reads; `None` keeps the whole object. apiVersion,
    /// kind, and of metadata name, namespace, uid, generation, deletionTimestamp, labels and
    /// ownerReferences are always kept. Secrets arrive as metadata only. Objects of owned kinds
    /// that a primary controls are whole, whatever is listed here.
    pub fields: Option<Vec<String>>,
    /// The plan may patch objects of this kind. Of a kind that is owned too, these are children of
    /// the primary and strays.
    pub patchable: bool,
}

impl WatchedKind {
    /// All objects of a kind, whole. The kind must exist.
    pub fn whole(kind: Kind) -> Self {
        Self { kind, optional: false, label_selector: String::new(), fields: None, patchable: false }
    }

    /// All objects of a kind, reduced to their identity and these fields. The kind must exist.
    pub fn reduced(kind: Kind, fields: &[&str]) -> Self {
        let fields = fields.iter().map(|&field| field.to_owned()).collect();
        Self { fields: Some(fields), ..Self::whole(kind) }
    }

    /// The same, but only objects with these labels.
    #[must_use]
    pub fn with_labels(mut self, selector: &str) -> Self {
        selector.clone_into(&mut self.label_selector);
        self
    }

    /// The same, and plans may patch these objects.
    #[must_use]
    pub fn to_be_patched(mut self) -> Self {
        self.patchable = true;
        self
    }

    /// The same, but the guest works without the kind.
    #[must_use]
    pub fn or_absent(mut self) -> Self {
        self.optional = true;
        self
    }
}

/// A kind whose objects the guest neither writes nor owns, but that its admission marked for it with
/// a label. Such objects are *attended*.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct AttendedKind {
    /// The kind, which labels select its objects, and what is kept of them. Plans may patch an
    /// attended object where [`WatchedKind::patchable`] says so.
    pub watched: WatchedKind,
    /// What the guest reads beside an attended object, from its namespace.
    pub related: Vec<WatchedKind>,
}

/// A request to the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub enum Operation {
    /// `CREATE` of admission.k8s.io.
    Create,
    /// `UPDATE` of admission.k8s.io.
    Update,
    /// `DELETE` of admission.k8s.io.
    Delete,
}

/// What happens to a request when no answer comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub enum FailurePolicy {
    /// The request is refused.
    Fail,
    /// The request goes on.
    Ignore,
}

/// A CEL expression that must be true for the guest to be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct MatchCondition {
    /// A name for messages. The host takes it as it is.
    pub name: String,
    /// CEL over `object`, `oldObject`, `request`.
    pub expression: String,
}

/// One webhook of the guest: which requests it wants to review.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct AdmissionRule {
    /// First labels of the webhook's name, such as `pods` or `create.pods`; unique within the
    /// guest. The host appends the group of the primary.
    pub name: String,
    /// Whether verdicts may carry a patch.
    pub mutating: bool,
    /// API group, empty for the core group.
    pub group: String,
    /// Versions, such as `v1`.
    pub versions: Vec<String>,
    /// Plural names, such as `pods`.
    pub resources: Vec<String>,
    /// Which requests.
    pub operations: Vec<Operation>,
    /// All must be true.
    pub conditions: Vec<MatchCondition>,
    /// What happens when no answer comes.
    pub on_failure: FailurePolicy,
    /// Whether the guest is asked again after other webhooks changed the object.
    pub reinvoke: bool,
}

impl AdmissionRule {
    /// Objects of one kind when they are created or updated, without a patch. Requests go on while
    /// no answer comes.
    pub fn validating(name: &str, kind: &Kind) -> Self {
        Self {
            name: name.to_owned(),
            mutating: false,
            group: kind.group().to_owned(),
            versions: vec![kind.version().to_owned()],
            resources: vec![kind.plural.clone().into_owned()],
            operations: vec![Operation::Create, Operation::Update],
            conditions: Vec::new(),
            on_failure: FailurePolicy::Ignore,
            reinvoke: false,
        }
    }
}

/// What a guest manages. The host watches all these kinds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Description {
    /// What users write.
    pub primary: Kind,
    /// What a plan may apply or delete.
    pub owned: Vec<WatchedKind>,
    /// Inputs that the guest reads.
    pub related: Vec<WatchedKind>,
    /// Field manager of every server-side apply.
    pub field_manager: String,
    /// Which requests the guest wants to review; empty for none.
    pub admission: Vec<AdmissionRule>,
    /// JSON pointers into primaries whose values are secret: the host keeps them out of records.
    pub sensitive: Vec<String>,
}

impl Description {
    /// A guest that owns nothing, reads nothing else and reviews nothing.
    pub fn new(primary: Kind, field_manager: &str) -> Self {
        Self {
            primary,
            owned: Vec::new(),
            related: Vec::new(),
            field_manager: field_manager.to_owned(),
            admission: Vec::new(),
            sensitive: Vec::new(),
        }
    }
}
