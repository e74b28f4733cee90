//! Rules for the spec of a cache beyond the types of its fields. The CRD has most of them too
//! (CEL). They are repeated here for clusters whose CRD is older, and for hosts that read caches
//! from files.

use crate::fields;
use crate::json::Json;
use crate::names;
use crate::primary::{NetworkPolicy, Primary, Spec, Storage};
use crate::quantity;
use orascache_api::names::MAX_NAME_LENGTH;
use orascache_api::reference;
use orascache_contract::Error;

/// What is wrong with one field, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Path of the field, for example `spec.storage.size`.
    pub field: &'static str,
    /// A sentence without its final stop.
    pub message: String,
}

/// Problems of an OrasCache, JSON text. A cache without problems can work.
///
/// # Errors
/// When the text is not an OrasCache of this version.
pub fn orascache(text: &str) -> Result<Vec<Problem>, Error> {
    let tree = fields::parse(text, "the primary")?;
    Primary::read(&tree).map(|primary| problems(&primary))
}

/// Reports all problems at once, so that a user corrects them once.
pub(crate) fn problems(primary: &Primary<'_>) -> Vec<Problem> {
    let mut found = Vec::new();
    let mut report = |field, message: String| found.push(Problem { field, message });
    let spec = &primary.spec;

    let name = &primary.metadata.name;
    if name.len() > MAX_NAME_LENGTH {
        report(
            "metadata.name",
            format!(
                "{name} has {} characters, but at most {MAX_NAME_LENGTH} fit, because the pods of its StatefulSet are labelled with it",
                name.len()
            ),
        );
    }
    if !is_service_name(name) {
        report(
            "metadata.name",
            format!(
                "{name} cannot name a Service: start with a letter and use only lower case letters, digits and '-'"
            ),
        );
    }
    if !reference::is_image(spec.image()) {
        report(
            "spec.image",
            format!(
                "\"{}\" is not an image reference: write one like registry.example.org/name:tag",
                spec.image()
            ),
        );
    }
    if let Some(policy) = &spec.image_pull_policy
        && !matches!(*policy, "Always" | "IfNotPresent" | "Never")
    {
        report("spec.imagePullPolicy", format!("\"{policy}\" is none of Always, IfNotPresent and Never"));
    }
    if spec.replicas() < 1 {
        report(
            "spec.replicas",
            format!("{} is less than 1: to remove the registry set spec.deploy to false", spec.replicas()),
        );
    }
    if spec.deploy() && spec.replicas() > 1 && !may_be_shared(spec.storage.as_ref()) {
        report(
            "spec.replicas",
            "more than one replica needs storage that several pods can write: set spec.storage.accessModes to [ReadWriteMany], name such a claim in spec.storage.existingClaim, or set spec.replicas to 1".to_owned(),
        );
    }
    if spec.secret.is_some() && spec.registry_http.is_some() {
        report(
            "spec.secrets.registryHttp",
            "spec.secret gives the HTTP secret already: remove spec.secrets.registryHttp".to_owned(),
        );
    }
    if let Some(storage) = &spec.storage {
        storage_problems(storage, &mut report);
    }
    network_policy_problems(&spec.network_policy, &mut report);
    for (field, value, wanted) in [
        ("spec.imagePullSecrets", &spec.image_pull_secrets, "a list"),
        ("spec.resources", &spec.resources, "an object"),
        ("spec.nodeSelector", &spec.node_selector, "an object"),
        ("spec.tolerations", &spec.tolerations, "a list"),
    ] {
        if let Some(value) = value
            && value.type_name() != wanted
        {
            report(field, format!("this must be {wanted}, not {}", value.type_name()));
        }
    }
    found
}

fn network_policy_problems(policy: &NetworkPolicy<'_>, report: &mut impl FnMut(&'static str, String)) {
    if !policy.is_enabled() && !policy.allowed_namespaces.is_empty() {
        report(
            "spec.networkPolicy",
            "without a policy every namespace reaches the registry: remove allowedNamespaces, or set enabled to true".to_owned(),
        );
    }
    for namespace in policy.allowed_namespaces.iter().filter(|namespace| !names::is_label(namespace)) {
        report(
            "spec.networkPolicy.allowedNamespaces",
            format!(
                "\"{namespace}\" cannot be the name of a namespace: use up to 63 lower case letters, digits and '-'"
            ),
        );
    }
}

fn storage_problems(storage: &Storage<'_>, report: &mut impl FnMut(&'static str, String)) {
    match (&storage.size, &storage.existing_claim) {
        (None, None) => report(
            "spec.storage",
            "give either size, for a claim that is made for the cache, or existingClaim, for one that exists".to_owned(),
        ),
        (Some(_), Some(_)) => report(
            "spec.storage",
            "size and existingClaim exclude each other: keep size for a claim that is made for the cache, or existingClaim for one that exists".to_owned(),
        ),
        (Some(size), None) if quantity::parse(size) <= quantity::parse("0") => {
            report("spec.storage.size", format!("\"{size}\" is not a size: write one like 20Gi"));
        }
        _ => {}
    }
    if storage.existing_claim.is_some()
        && (storage.storage_class_name.is_some() || storage.access_modes.is_some())
    {
        report(
            "spec.storage",
            "storageClassName and accessModes belong to a claim that is made for the cache: remove them, or existingClaim".to_owned(),
        );
    }
    for mode in storage.access_modes() {
        if !matches!(*mode, "ReadWriteOnce" | "ReadOnlyMany" | "ReadWriteMany" | "ReadWriteOncePod") {
            report(
                "spec.storage.accessModes",
                format!(
                    "\"{mode}\" is none of ReadWriteOnce, ReadOnlyMany, ReadWriteMany and ReadWriteOncePod"
                ),
            );
        }
    }
}

/// Problems of a change: some fields are immutable once the claim of the cache exists. The CRD has
/// the same rules (CEL).
pub(crate) fn changes(old: &Spec<'_>, new: &Spec<'_>) -> Vec<Problem> {
    let mut found = Vec::new();
    let (Some(before), Some(after)) = (&old.storage, &new.storage) else { return found };
    let (Some(old_size), Some(size)) = (before.size, after.size) else { return found };
    if quantity::parse(size) < quantity::parse(old_size) {
        let message = format!("storage cannot shrink: set it to at least {old_size}");
        found.push(Problem { field: "spec.storage.size", message });
    }
    let mut fixed = |field, differs: bool, old: String| {
        if differs {
            let message = format!("this cannot change once the claim exists: set it back to {old}");
            found.push(Problem { field, message });
        }
    };
    let class = before.storage_class_name.map_or_else(|| "nothing".to_owned(), str::to_owned);
    fixed("spec.storage.storageClassName", before.storage_class_name != after.storage_class_name, class);
    let modes = format!("[{}]", before.access_modes().join(", "));
    fixed("spec.storage.accessModes", before.access_modes() != after.access_modes(), modes);
    found
}

/// Whether several pods may be able to write the storage. The access modes of an existing claim are
/// not known before it is observed.
fn may_be_shared(storage: Option<&Storage<'_>>) -> bool {
    storage.is_some_and(|storage| {
        storage.existing_claim.is_some() || storage.access_modes().contains(&"ReadWriteMany")
    })
}

/// Whether the access modes of an observed claim let several pods write it.
pub(crate) fn lists_shared_mode(modes: Option<&Json<'_>>) -> bool {
    modes
        .and_then(Json::as_array)
        .is_some_and(|modes| modes.iter().any(|mode| mode.as_str() == Some("ReadWriteMany")))
}

/// RFC 1035 label, as Services require.
fn is_service_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.bytes().all(allowed)
}
