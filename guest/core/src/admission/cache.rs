//! Checks OrasCaches by the rules of [`crate::validate`], and says what a change will cost.

use super::findings::Findings;
use super::pod::member_of;
use super::policy;
use super::request::Request;
use super::settings::Settings;
use crate::primary::Primary;
use crate::validate;

pub(crate) fn check(request: &Request<'_>, settings: &Settings<'_>, findings: &mut Findings) {
    let Some(object) = request.object else { return };
    // Finalizers must stay removable, whatever the spec says.
    if member_of(object, "metadata", "deletionTimestamp").is_some() {
        return;
    }
    let new = match Primary::read(object) {
        Ok(new) => new,
        Err(error) => {
            findings.problems.push(error.to_string());
            return;
        }
    };
    // An old object that cannot be read is no reason to keep it: this may be its correction.
    let old = request.old_object.and_then(|old| Primary::read(old).ok());
    let mut problems = validate::problems(&new);
    if let Some(old) = &old {
        problems.extend(validate::changes(&old.spec, &new.spec));
    }
    for problem in problems {
        findings.refuse("%: %", &[problem.field, &problem.message]);
    }
    policy::check_cache(settings, &new.spec, old.as_ref().map(|old| &old.spec), findings);
    if new.spec.registry_http.is_some() {
        findings.warn("spec.secrets.registryHttp is deprecated: put the value into a Secret under the key http-secret and name that in spec.secret", &[]);
    }
    if let Some(old) = &old
        && old.spec.deploy()
        && old.spec.storage.is_none()
        && (!new.spec.deploy() || new.spec.image() != old.spec.image() || new.spec.storage.is_some())
    {
        findings.warn("this cache has no storage, so that the change restarts its registry without the artifacts it holds", &[]);
    }
}
