//! Checks OrasCaches by the rules of [`crate::validate`], and warns of what a change costs.

use super::policy;
use super::request::Request;
use crate::findings::Findings;
use crate::primary::Primary;
use crate::settings::Settings;
use crate::validate;

pub(crate) fn check(request: &Request<'_>, settings: &Settings<'_>, findings: &mut Findings) {
    let Some(object) = request.object else { return };
    // Finalizers must stay removable, whatever the spec says.
    if object.member_of("metadata", "deletionTimestamp").is_some() {
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
    if let Some(old) = &old {
        problems.extend(validate::changes(&old.spec, &new.spec));
    }
    for problem in problems {
        findings.refuse(format!("{}: {}", problem.field, problem.message));
    }
    policy::check_cache(settings, &new.spec, old.as_ref().map(|old| &old.spec), findings);
    if new.spec.registry_http.is_some() {
        findings.warn("spec.secrets.registryHttp is deprecated: put the value into a Secret under the key http-secret and name that in spec.secret".to_owned());
    }
    if let Some(old) = &old
        && old.spec.deploy()
        && old.spec.storage.is_none()
        && (!new.spec.deploy() || new.spec.image() != old.spec.image() || new.spec.storage.is_some())
    {
        findings.warn(
            "this cache has no storage, so that the change restarts its registry without the artifacts it holds"
                .to_owned(),
        );
    }
}
