//! POST: new objects.

use fake_kube_apimachinery::status::{ApiError, Cause};
use serde_json::Value;

use super::admit::Subject;
use super::{Write, fields, lifecycle, metadata, strategy};
use crate::admission::Operation;
use crate::cluster::Cluster;
use crate::http::decode::Decoded;
use crate::store::{Key, WriteRefused};

/// Creates the object of a request body, and returns it as stored.
///
/// # Errors
/// The answer to the client when the object is refused.
pub async fn create(cluster: &Cluster, write: &mut Write, body: Decoded) -> Result<Value, ApiError> {
    let Decoded { value: mut object, duplicates } = body;
    fields::identify(&write.kind, &mut object)?;
    fields::check(write, &mut object, &duplicates)?;
    insert(cluster, write, object, Tracking::Update).await
}

/// Whether managed fields still have to be computed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Tracking {
    /// They do: the request counts as an update.
    Update,
    /// Server-side apply has computed them.
    Done,
}

/// Creates a decoded object.
pub(super) async fn insert(
    cluster: &Cluster,
    write: &mut Write,
    mut object: Value,
    tracking: Tracking,
) -> Result<Value, ApiError> {
    metadata::settle_namespace(write, &mut object)?;
    if !metadata::text(&object, "resourceVersion").is_empty() {
        return Err(ApiError::bad_request("resourceVersion should not be set on objects to be created"));
    }
    let given_name = metadata::text(&object, "name").to_owned();
    lifecycle::check_create(cluster, write, &given_name)?;
    warn_of_deprecation(write);

    let kind = write.kind.clone();
    strategy::strip_for_create(&kind, &mut object);
    strategy::default(&kind, &mut object);
    metadata::remove_server_fields(&mut object);
    if tracking == Tracking::Update {
        write.track(None, &mut object);
    }
    strategy::admit_for_create(&kind, &mut object);
    strategy::show_status(&kind, &mut object);
    let subject = Subject { operation: Operation::Create, name: &given_name, old: None };
    let mut object = write.mutate(cluster, &subject, Some(object)).await?.unwrap_or_default();
    metadata::settle_namespace(write, &mut object)?;
    let name = metadata::settle_name(write, &mut object)?;
    strategy::strip_for_create(&kind, &mut object);
    metadata::set_server_fields(write, &mut object, strategy::has_generation(&kind));
    strategy::prepare_for_create(&kind, &mut object);
    if kind.is("", "services") {
        cluster.addresses.assign(&mut object);
    }
    refuse(write, &name, &strategy::validate_create(&kind, &object))?;
    write.validate(cluster, &Subject { name: &name, ..subject }, Some(&object)).await?;

    let key = Key::new(write.namespace.as_deref(), &name);
    let taken = || ApiError::already_exists(kind.resource_name(), &name);
    if write.dry_run {
        return if cluster.state.store.get(&kind.table, &key).is_some() { Err(taken()) } else { Ok(object) };
    }
    let stored =
        cluster.state.store.create(&kind.table, key, kind.to_storage(&object)).map_err(|why| match why {
            WriteRefused::Exists => taken(),
            WriteRefused::Missing | WriteRefused::Stale => ApiError::not_found(kind.resource_name(), &name),
        })?;
    if let Some(metadata) = metadata::of(&mut object) {
        metadata.insert("resourceVersion".into(), stored.revision.to_string().into());
    }
    Ok(object)
}

/// 422 when there are causes.
pub(super) fn refuse(write: &Write, name: &str, causes: &[Cause]) -> Result<(), ApiError> {
    if causes.is_empty() { Ok(()) } else { Err(ApiError::invalid(write.kind.kind_name(), name, causes)) }
}

/// Adds the warning of a deprecated version.
pub(super) fn warn_of_deprecation(write: &mut Write) {
    if let Some(warning) = write.kind.custom().and_then(|custom| custom.deprecation.clone())
        && !write.warnings.contains(&warning)
    {
        write.warnings.push(warning);
    }
}
