//! What is to be done.

use crate::{ArtifactQuestion, ObjectRef};
use std::borrow::Cow;

/// Random bytes in one key of a Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct RandomKey {
    /// The key.
    pub key: String,
    /// How many random bytes, at most 4,096. The value is their hexadecimal digits, two a byte.
    pub bytes: u32,
}

/// An account with a random password.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Account {
    /// Name of the account.
    pub username: String,
    /// Key for the password.
    pub password_key: String,
}

/// Accounts with random passwords, and the file by which a registry checks them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Credentials {
    /// The accounts.
    pub accounts: Vec<Account>,
    /// Key for the htpasswd file: one line an account, with a bcrypt hash of its password.
    pub htpasswd_key: String,
}

/// A server certificate, signed by an authority made for it alone. The authority's key is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Certificate {
    /// DNS names that it is for.
    pub dns_names: Vec<String>,
    /// Days for which it holds, at most 3,650.
    pub days: u32,
}

/// What the host fills in.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub enum Recipe {
    /// Random bytes.
    Random(RandomKey),
    /// Accounts.
    Credentials(Credentials),
    /// A certificate: keys `tls.crt`, `tls.key` and `ca.crt`.
    Certificate(Certificate),
}

/// A Secret that the host fills with secret values once: create-only, an existing one is left as it
/// is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Generated {
    /// The Secret without the generated keys, JSON text.
    pub secret: String,
    /// What to fill in.
    pub recipe: Recipe,
}

/// One of the three changes of a Secret by which values are replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub enum RotationStep {
    /// Makes new values by the recipe, and keeps each under its key with [`RotationStep::PREFIX`]
    /// in front. What the joined keys hold gets the new value behind the former one.
    Stage,
    /// Moves the new values to their keys, but for the joined ones. The former values of these keys
    /// are lost.
    Switch,
    /// Moves the new values of the joined keys to these keys: they hold the new value alone.
    Finish,
}

impl RotationStep {
    /// What the keys of new values begin with while the former values are in use.
    pub const PREFIX: &'static str = "next.";
}

/// One change of a Secret that was generated. It is made if the Secret is still in the state that
/// the guest was shown, and not otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Rotation {
    /// The Secret, JSON text: a child of the primary, with `metadata.uid` and
    /// `metadata.resourceVersion` as the guest was shown them, and with the annotations, labels and
    /// `data` that the change sets. Others stay.
    pub secret: String,
    /// How the values are made, and which keys they have.
    pub recipe: Recipe,
    /// Keys of the recipe that hold both values between the first change and the last one.
    pub joined: Vec<String>,
    /// Which change.
    pub step: RotationStep,
}

/// A change of an object of a related kind. Of a child, it may also remove an owner reference: the
/// object then outlives the primary.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct ObjectPatch {
    /// The object, with its UID. Its kind has to be related and patchable.
    pub target: ObjectRef,
    /// JSON Patch (RFC 6902), as JSON text. The host adds a test for the UID.
    pub patch: String,
}

/// How serious an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub enum Severity {
    /// For information.
    Normal,
    /// Somebody should look.
    Warning,
}

/// What the host records as an events.k8s.io/v1 Event about the primary.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Event {
    /// How serious.
    pub severity: Severity,
    /// Why, as one word in PascalCase.
    pub reason: Cow<'static, str>,
    /// What was done or not done, as one word in PascalCase.
    pub action: Cow<'static, str>,
    /// A sentence. The host shortens it to 1,000 bytes.
    pub note: String,
}

/// What to do. The host carries it out from top to bottom; a write that fails does not stop the
/// others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase", default))]
pub struct Plan {
    /// Secrets to create unless they exist. One that nothing controls becomes a child as in
    /// `apply`, and is filled if it has none of the generated keys.
    pub generate: Vec<Generated>,
    /// Changes of Secrets that were generated before.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub rotate: Vec<Rotation>,
    /// Server-side apply, in this order, JSON text. Each object is in the primary's namespace and
    /// names the primary as its controller in ownerReferences.
    ///
    /// An object that nothing controls becomes a child where both sides consent: the planned object
    /// has an annotation under the primary's group whose value is the primary's name, and the live
    /// one has the same, or the field manager of the description wrote it.
    pub apply: Vec<String>,
    /// Patches of related objects.
    pub patch: Vec<ObjectPatch>,
    /// Children and strays, each with a UID precondition. Omission never deletes.
    pub delete: Vec<ObjectRef>,
    /// The primary with its new status, JSON text: the status alone is written, all of it.
    pub status: Option<String>,
    /// To record.
    pub events: Vec<Event>,
    /// Questions whose answers the next call gets.
    pub questions: Vec<ArtifactQuestion>,
    /// Seconds until the primary is looked at again when nothing changes before.
    pub requeue_after: Option<u32>,
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
