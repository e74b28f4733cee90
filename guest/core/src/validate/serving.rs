//! Problems of how a registry serves: as a pull-through cache, with TLS, with accounts.

use crate::authority::Authority;
use crate::primary::{Auth, Flavor, Proxy, SYSTEM, Spec, Tls};
use orascache_api::duration::{Duration, age};
use orascache_api::endpoint::Endpoint;
use orascache_api::sentences;

pub(super) fn problems(spec: &Spec<'_>, report: &mut impl FnMut(&'static str, String)) {
    if let Some(proxy) = &spec.proxy {
        of_proxy(spec, proxy, report);
    }
    if let Some(tls) = &spec.tls {
        of_tls(tls, report);
    }
    of_tasks(spec, report);
    if let Some(auth) = &spec.auth {
        of_auth(spec, auth, report);
    }
}

/// The shortest time after which an account is replaced, in seconds. A rotation takes a third of
/// it.
const SHORTEST_INTERVAL: u64 = 60 * 60;

fn of_auth(spec: &Spec<'_>, auth: &Auth<'_>, report: &mut impl FnMut(&'static str, String)) {
    if auth.is_generated() && auth.credentials_secret.is_some() {
        report("spec.auth.credentialsSecret", sentences::CREDENTIALS_WITHOUT_ACCOUNTS.to_owned());
    }
    let Some(text) = auth.rotate_after else { return };
    let problem = if !auth.is_generated() {
        sentences::ROTATION_OF_OWN_ACCOUNTS.to_owned()
    } else if spec.flavor() == Flavor::Zot {
        sentences::ROTATION_OF_ZOT.to_owned()
    } else if age(text).is_ok_and(|seconds| seconds >= SHORTEST_INTERVAL) {
        return;
    } else {
        format!("\"{text}\" {}", sentences::ROTATE_AFTER)
    };
    report("spec.auth.rotateAfter", problem);
}

/// Problems of the Jobs of the agent, which are clients of the registry.
fn of_tasks(spec: &Spec<'_>, report: &mut impl FnMut(&'static str, String)) {
    let tasks = &spec.tasks;
    let (retains, seeds, exports) = (tasks.retention.is_some(), tasks.seed.is_some(), tasks.export.is_some());
    let has_account = spec.auth.is_none_or(|auth| auth.is_generated() || auth.credentials_secret.is_some());
    let is_read_only = spec.read_only() || spec.proxy.is_some();
    for (field, is_asked) in [("spec.retention", retains), ("spec.seed", seeds), ("spec.export", exports)] {
        let is_job = field != "spec.retention" || spec.flavor() == Flavor::Distribution;
        if is_asked && is_job && !has_account {
            report(field, sentences::TASKS_WITHOUT_ACCOUNT.to_owned());
        } else if is_asked && is_read_only && field != "spec.export" {
            report(field, sentences::TASKS_OF_READ_ONLY.to_owned());
        }
    }
}

fn of_proxy(spec: &Spec<'_>, proxy: &Proxy<'_>, report: &mut impl FnMut(&'static str, String)) {
    check_url("spec.proxy.remoteURL", proxy.remote_url, report);
    if let Some(ttl) = proxy.ttl.filter(|ttl| Duration::parse(ttl).is_err()) {
        report("spec.proxy.ttl", format!("\"{ttl}\" {}", sentences::TTL));
    }
    if spec.delete() {
        report("spec.delete", sentences::DELETE_FROM_PROXY.to_owned());
    }
    if spec.replicas() > 1 {
        report("spec.replicas", sentences::REPLICAS_OF_PROXY.to_owned());
    }
}

fn of_tls(tls: &Tls<'_>, report: &mut impl FnMut(&'static str, String)) {
    if tls.issuer.is_some() && tls.secret_name.is_some() {
        report("spec.tls.issuerRef", sentences::ISSUER_OF_OWN_CERTIFICATE.to_owned());
    }
    let Some(ca) = tls.ca else { return };
    if tls.is_generated() {
        report("spec.tls.ca", sentences::CA_OF_OWN_CERTIFICATE.to_owned());
    }
    // Every step reads this file.
    if ca != SYSTEM && (ca.ends_with("/tls.key") || Authority::parse(ca).is_none()) {
        report("spec.tls.ca", format!("\"{ca}\" {}", sentences::CA));
    }
}

/// Refuses a text that is no URL with a host, perhaps a port, and nothing else.
pub(super) fn check_url(field: &'static str, text: &str, report: &mut impl FnMut(&'static str, String)) {
    let has_scheme = text.starts_with("http://") || text.starts_with("https://");
    if has_scheme && Endpoint::parse(text.strip_suffix('/').unwrap_or(text)).is_ok() {
        return;
    }
    // The text may hold a password, and is not repeated then.
    let shown = if text.contains('@') { "this".to_owned() } else { format!("\"{text}\"") };
    report(field, format!("{shown} {}", sentences::URL));
}
