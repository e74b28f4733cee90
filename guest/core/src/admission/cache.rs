//! Checks OrasCaches by the rules of [`crate::validate`], and warns of what a change costs.

use super::cache_exposure;
use super::policy;
use super::request::Request;
use super::size;
use crate::desired;
use crate::findings::Findings;
use crate::json::Json;
use crate::primary::{Primary, Spec};
use crate::settings::Settings;
use crate::status;
use crate::validate;
use orascache_api::names::KIND;

pub(crate) fn check(request: &Request<'_>, settings: &Settings<'_>, findings: &mut Findings) {
    let Some(object) = request.object else { return };
    // Finalizers must stay removable, whatever the spec says.
    if object.member_of("metadata", "deletionTimestamp").is_some() {
        return;
    }
    if size::refuse_too_large(KIND, request, findings) {
        return;
    }
    let new = match Primary::read(object) {
        Ok(new) => new,
        Err(error) => {
            findings.refuse(error.to_string());
            return;
        }
    };
    // An old object that cannot be read must not keep its correction out.
    let old = request.old_object.and_then(|old| Primary::read(old).ok());
    let mut problems = validate::problems(&new);
    problems.extend(validate::names(&new.spec));
    if let Some(old) = &old {
        problems.extend(validate::changes(&old.spec, &new.spec));
    }
    for problem in problems {
        findings.refuse(format!("{}: {}", problem.field, problem.message));
    }
    policy::check_cache(settings, &new.spec, old.as_ref().map(|old| &old.spec), findings);
    check_image(settings, &new, old.as_ref(), findings);
    policy::warn_of_credentials(&new.spec, findings);
    if new.spec.registry_http.is_some() {
        findings.warn("spec.secrets.registryHttp is deprecated: put the value into a Secret under the key http-secret and name that in spec.secret".to_owned());
    }
    warn_of_clear_text(&new.spec, findings);
    if new.spec.deploy() && !new.spec.network_policy.is_enabled() {
        findings.warn("spec.networkPolicy.enabled is false, so that every pod of the cluster reaches this registry, and can read and overwrite its artifacts: name the namespaces that need it in spec.networkPolicy.allowedNamespaces instead".to_owned());
    }
    cache_exposure::warn(&new.spec, findings);
    warn_of_garbage(&new.spec, findings);
    if let Some(old) = &old {
        warn_of_claim(old, &new, findings);
    }
    if let Some(old) = &old
        && old.spec.deploy()
        && old.spec.is_ephemeral()
        && (!new.spec.deploy()
            || (new.spec.replicas() == 0 && old.spec.replicas() > 0)
            || restarts_registry(old, &new, request))
    {
        findings.warn(
            "this cache has no storage, so that the change restarts its registry without the artifacts it holds"
                .to_owned(),
        );
    }
}

/// Warns of passwords that travel in clear text.
fn warn_of_clear_text(spec: &Spec<'_>, findings: &mut Findings) {
    if spec.deploy() && spec.auth.is_some() && spec.tls.is_none() {
        findings.warn("spec.auth without spec.tls lets passwords travel in clear text within the cluster: add spec.tls, which may be empty".to_owned());
    }
    if let Some(proxy) = &spec.proxy
        && proxy.credentials_secret.is_some()
        && proxy.remote_url.starts_with("http://")
    {
        findings.warn("spec.proxy.remoteURL begins with http://, so that the password of credentialsSecret travels in clear text: write https:// where the registry has TLS".to_owned());
    }
}

/// Warns of retention that does not give space back, where nobody has said so.
fn warn_of_garbage(spec: &Spec<'_>, findings: &mut Findings) {
    let retention = spec.tasks.retention.as_ref();
    if spec.deploy()
        && spec.replicas() > 1
        && retention.is_some_and(|retention| retention.garbage_collection.is_none())
    {
        findings.warn("spec.retention deletes artifacts, and gives no space back while spec.replicas is above 1: the garbage collector tolerates no other registry pods, which would write meanwhile".to_owned());
    }
}

/// Warns of a change after which the registry does not have the claim with its artifacts any more.
fn warn_of_claim(old: &Primary<'_>, new: &Primary<'_>, findings: &mut Findings) {
    match (desired::claim_name(old), desired::claim_name(new)) {
        (Some(_), None) => findings.warn("spec.storage is removed, so that the registry has none of its artifacts any more, and loses new ones with its pod: the claim keeps what it holds, and is used again once spec.storage is put back".to_owned()),
        (Some(before), Some(after)) if before != after => findings.warn(format!(
            "spec.storage names another claim, so that the registry has none of its artifacts any more: claim {before} keeps what it holds"
        )),
        _ => {}
    }
}

/// Refuses an image that is not allowed. An image that runs already may stay, so that other fields
/// can be edited: the reconciler leaves everything of such a cache as it is.
fn check_image(
    settings: &Settings<'_>,
    new: &Primary<'_>,
    old: Option<&Primary<'_>>,
    findings: &mut Findings,
) {
    let runs_already = old.is_some_and(|old| old.spec.deploy() && old.spec.image() == new.spec.image());
    if new.spec.deploy()
        && !runs_already
        && let Some(refusal) = settings.refuse_image(new.spec.image())
    {
        findings.refuse(format!("spec.image {refusal}"));
    }
}

/// Whether the change restarts the registry: by what it says, or since defaults wait for any edit
/// of the spec.
fn restarts_registry(old: &Primary<'_>, new: &Primary<'_>, request: &Request<'_>) -> bool {
    let edits_spec = spec_of(request.old_object) != spec_of(request.object);
    desired::restarts_registry(old, new)
        || (edits_spec && old.status.is_some_and(status::says_that_defaults_wait))
}

fn spec_of<'o>(object: Option<&'o Json<'o>>) -> Option<&'o Json<'o>> {
    object?.get("spec")
}
