//! PUT and PATCH, which change objects. Server-side apply also creates them.

use fake_kube_apimachinery::status::{ApiError, Cause};
use http::StatusCode;
use serde_json::Value;

use super::admit::Subject;
use super::create::{self, Tracking};
use super::{Change, PatchType, Write, delete, fields, metadata, propose, scale, strategy};
use crate::admission::Operation;
use crate::cluster::Cluster;
use crate::http::decode::Decoded;
use crate::store::{Key, Object, WriteRefused};

/// How often a write is tried when others change the object meanwhile (`GuaranteedUpdate` of the
/// API server tries without end, PATCH five times).
const ATTEMPTS: usize = 5;

/// Changes the named object, and returns it as stored.
///
/// # Errors
/// The answer to the client when the change is refused.
pub async fn update(
    cluster: &Cluster,
    write: &mut Write,
    name: &str,
    change: Change,
    body: Decoded,
) -> Result<(StatusCode, Value), ApiError> {
    let key = Key::new(write.namespace.as_deref(), name);
    for _ in 0..ATTEMPTS {
        let Some(stored) = cluster.state.store.get(&write.kind.table, &key) else {
            return create_instead(cluster, write, name, change, body).await;
        };
        let warnings = write.warnings.len();
        match change_stored(cluster, write, &stored, change, &body).await? {
            Some(object) => return Ok((StatusCode::OK, object)),
            // The next attempt adds them again.
            None => write.warnings.truncate(warnings),
        }
    }
    Err(metadata::modified(write, name))
}

/// Creates a missing object: apply does so for all kinds, PUT for a few.
async fn create_instead(
    cluster: &Cluster,
    write: &mut Write,
    name: &str,
    change: Change,
    body: Decoded,
) -> Result<(StatusCode, Value), ApiError> {
    let kind = write.kind.clone();
    let missing = || ApiError::not_found(kind.resource_name(), name);
    if write.subresource.is_some() {
        return Err(missing());
    }
    let object = match change {
        Change::Patch(PatchType::Apply { force }) => {
            let mut object = propose::applied(write, name, None, &body, force)?;
            fields::check(write, &mut object, &body.duplicates)?;
            create::insert(cluster, write, object, Tracking::Done).await?
        }
        Change::Replace if strategy::creates_on_update(&kind) => {
            let mut body = body;
            if let Some(fields) = metadata::of(&mut body.value) {
                fields.entry("name").or_insert_with(|| name.into());
            }
            create::create(cluster, write, body).await?
        }
        Change::Replace | Change::Patch(_) => return Err(missing()),
    };
    Ok((StatusCode::CREATED, object))
}

/// One attempt. `None` when the stored object was changed meanwhile.
async fn change_stored(
    cluster: &Cluster,
    write: &mut Write,
    stored: &Object,
    change: Change,
    body: &Decoded,
) -> Result<Option<Value>, ApiError> {
    let kind = write.kind.clone();
    let old = kind.value(stored);
    if write.subresource.as_deref() == Some("scale") {
        let new = scale::proposed(write, &old, change, body)?;
        let result = settle(cluster, write, stored, &old, new, Tracking::Update).await?;
        return result.map(|object| scale::of(&kind, &object)).transpose();
    }
    let (new, tracking) = proposal(write, &old, &stored.key.name, change, body)?;
    settle(cluster, write, stored, &old, new, tracking).await
}

fn proposal(
    write: &mut Write,
    old: &Value,
    name: &str,
    change: Change,
    body: &Decoded,
) -> Result<(Value, Tracking), ApiError> {
    match change {
        Change::Replace => {
            let mut new = body.value.clone();
            fields::identify(&write.kind, &mut new)?;
            fields::check(write, &mut new, &body.duplicates)?;
            metadata::settle_namespace(write, &mut new)?;
            if let Some(fields) = metadata::of(&mut new) {
                // `kubectl` leaves out the name when it finalizes a namespace.
                if write.subresource.is_some() {
                    fields.entry("name").or_insert_with(|| name.into());
                }
            }
            require_version(write, name, &mut new, old)?;
            Ok((new, Tracking::Update))
        }
        Change::Patch(PatchType::Apply { force }) => {
            let mut new = propose::applied(write, name, Some(old), body, force)?;
            fields::check(write, &mut new, &body.duplicates)?;
            Ok((new, Tracking::Done))
        }
        Change::Patch(patch) => {
            let mut new = propose::patched(write, old, patch, &body.value)?;
            fields::identify(&write.kind, &mut new)?;
            fields::check_patched(write, &mut new, &body.value, &body.duplicates)?;
            Ok((new, Tracking::Update))
        }
    }
}

/// Optimistic concurrency: a PUT must name the resourceVersion that it replaces, unless the kind
/// allows unconditional updates.
fn require_version(write: &Write, name: &str, new: &mut Value, old: &Value) -> Result<(), ApiError> {
    if !metadata::text(new, "resourceVersion").is_empty() {
        return Ok(());
    }
    if !strategy::allows_unconditional_update(&write.kind) {
        let cause = Cause::invalid("metadata.resourceVersion", &0.into(), "must be specified for an update");
        return Err(ApiError::invalid(write.kind.resource_name(), name, &[cause]));
    }
    let version = metadata::text(old, "resourceVersion").to_owned();
    if let Some(fields) = metadata::of(new) {
        fields.insert("resourceVersion".into(), version.into());
    }
    Ok(())
}

/// Checks, completes and stores a proposed state. `None` when the stored object was changed
/// meanwhile.
async fn settle(
    cluster: &Cluster,
    write: &mut Write,
    stored: &Object,
    old: &Value,
    mut new: Value,
    tracking: Tracking,
) -> Result<Option<Value>, ApiError> {
    let kind = write.kind.clone();
    let name = stored.key.name.clone();
    let subresource = write.subresource.clone();
    metadata::check_identity(write, old, &new)?;
    create::warn_of_deprecation(write);

    metadata::carry_over(old, &mut new);
    if tracking == Tracking::Update {
        metadata::settle_managed_fields(old, &mut new, subresource.is_some());
    }
    strategy::scope_update(&kind, subresource.as_deref(), old, &mut new);
    strategy::default(&kind, &mut new);
    strategy::prepare_for_update(&kind, subresource.as_deref(), &mut new, old);
    if tracking == Tracking::Update {
        write.track(Some(old), &mut new);
    }
    let mut new = mutate(cluster, write, &name, old, new).await?;
    if matches!(subresource.as_deref(), None | Some("scale" | "ephemeralcontainers"))
        && strategy::changes_generation(&kind, old, &new)
    {
        metadata::next_generation(&mut new);
    }
    // Binding sets `nodeName`, which an update of a pod must not change.
    if subresource.as_deref() != Some("binding") {
        let causes = strategy::validate_update(&kind, subresource.as_deref(), &new, old);
        create::refuse(write, &name, &causes)?;
    }
    validate(cluster, write, &name, old, &new).await?;

    if let Some(fields) = metadata::of(&mut new) {
        fields.insert("resourceVersion".into(), stored.revision.to_string().into());
    }
    if metadata::same_apart_from_times(old, &new) {
        return Ok(Some(old.clone()));
    }
    if write.dry_run {
        return Ok(Some(new));
    }
    if delete::is_finished(&kind, &new) {
        // The update removed the last finalizer, so the object is deleted. The answer shows the
        // update.
        return match cluster.state.store.remove(&kind.table, &stored.key, stored.revision) {
            Ok(_) => Ok(Some(new)),
            Err(why) => retry_or_missing(write, &name, why),
        };
    }
    match cluster.state.store.replace(&kind.table, &stored.key, stored.revision, kind.to_storage(&new)) {
        Ok(replaced) => {
            if let Some(fields) = metadata::of(&mut new) {
                fields.insert("resourceVersion".into(), replaced.revision.to_string().into());
            }
            Ok(Some(new))
        }
        Err(why) => retry_or_missing(write, &name, why),
    }
}

/// Mutating admission. Fields that the request may not change are reset once more afterwards.
async fn mutate(
    cluster: &Cluster,
    write: &mut Write,
    name: &str,
    old: &Value,
    new: Value,
) -> Result<Value, ApiError> {
    let kind = write.kind.clone();
    let subject = Subject { operation: Operation::Update, name, old: Some(old) };
    if write.subresource.as_deref() == Some("scale") {
        let old_scale = scale::of(&kind, old)?;
        let subject = Subject { old: Some(&old_scale), ..subject };
        let scale = write.mutate(cluster, &subject, Some(scale::of(&kind, &new)?)).await?;
        return scale::applied(&kind, new, &scale.unwrap_or_default());
    }
    let before = new.clone();
    let mut new = write.mutate(cluster, &subject, Some(new)).await?.unwrap_or_default();
    if new != before {
        let subresource = write.subresource.clone();
        metadata::settle_namespace(write, &mut new)?;
        metadata::check_identity(write, old, &new)?;
        metadata::carry_over(old, &mut new);
        strategy::scope_update(&kind, subresource.as_deref(), old, &mut new);
        strategy::prepare_for_update(&kind, subresource.as_deref(), &mut new, old);
    }
    Ok(new)
}

/// Validating admission.
async fn validate(
    cluster: &Cluster,
    write: &mut Write,
    name: &str,
    old: &Value,
    new: &Value,
) -> Result<(), ApiError> {
    let subject = Subject { operation: Operation::Update, name, old: Some(old) };
    if write.subresource.as_deref() != Some("scale") {
        return write.validate(cluster, &subject, Some(new)).await;
    }
    let (old, new) = (scale::of(&write.kind, old)?, scale::of(&write.kind, new)?);
    write.validate(cluster, &Subject { old: Some(&old), ..subject }, Some(&new)).await
}

fn retry_or_missing(write: &Write, name: &str, why: WriteRefused) -> Result<Option<Value>, ApiError> {
    match why {
        WriteRefused::Stale => Ok(None),
        WriteRefused::Missing | WriteRefused::Exists => {
            Err(ApiError::not_found(write.kind.resource_name(), name))
        }
    }
}
