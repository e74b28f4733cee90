//! Problems of how a registry serves: as a pull-through cache, with TLS, with accounts.

use super::report::Report;
use crate::authority::Authority;
use crate::primary::{Auth, Flavor, Proxy, SYSTEM, Spec, Tls};
use orascache_api::duration::{Duration, age};
use orascache_api::endpoint::Endpoint;
use orascache_api::sentences;

pub(super) fn problems(spec: &Spec<'_>, report: &mut Report) {
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

fn of_auth(spec: &Spec<'_>, auth: &Auth<'_>, report: &mut Report) {
    if auth.is_generated() && auth.credentials_secret.is_some() {
        report.say("spec.auth.credentialsSecret", sentences::CREDENTIALS_WITHOUT_ACCOUNTS);
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
    report.add("spec.auth.rotateAfter", problem);
}

/// Problems of the Jobs of the agent, which are clients of the registry.
fn of_tasks(spec: &Spec<'_>, report: &mut Report) {
    let tasks = &spec.tasks;
    let (retains, seeds, exports) = (tasks.retention.is_some(), tasks.seed.is_some(), tasks.export.is_some());
    let has_account = spec.auth.is_none_or(|auth| auth.is_generated() || auth.credentials_secret.is_some());
    let is_read_only = spec.read_only() || spec.proxy.is_some();
    for (field, is_asked) in [("spec.retention", retains), ("spec.seed", seeds), ("spec.export", exports)] {
        let is_job = field != "spec.retention" || spec.flavor() == Flavor::Distribution;
        if is_asked && is_job && !has_account {
            report.say(field, sentences::TASKS_WITHOUT_ACCOUNT);
        } else if is_asked && is_read_only && field != "spec.export" {
            report.say(field, sentences::TASKS_OF_READ_ONLY);
        }
    }
}

fn of_proxy(spec: &Spec<'_>, proxy: &Proxy<'_>, report: &mut Report) {
    check_url("spec.proxy.remoteURL", proxy.remote_url, report);
    if let Some(ttl) = proxy.ttl.filter(|ttl| Duration::parse(ttl).is_err()) {
        report.quoted("spec.proxy.ttl", ttl, sentences::TTL);
    }
    if spec.delete() {
        report.say("spec.delete", sentences::DELETE_FROM_PROXY);
    }
    if spec.replicas() > 1 {
        report.say("spec.replicas", sentences::REPLICAS_OF_PROXY);
    }
}

fn of_tls(tls: &Tls<'_>, report: &mut Report) {
    if tls.issuer.is_some() && tls.secret_name.is_some() {
        report.say("spec.tls.issuerRef", sentences::ISSUER_OF_OWN_CERTIFICATE);
    }
    let Some(ca) = tls.ca else { return };
    if tls.is_generated() {
        report.say("spec.tls.ca", sentences::CA_OF_OWN_CERTIFICATE);
    }
    // Every step reads this file.
    if ca != SYSTEM && (ca.ends_with("/tls.key") || Authority::parse(ca).is_none()) {
        report.quoted("spec.tls.ca", ca, sentences::CA);
    }
}

/// Refuses a text that is no URL with a host, perhaps a port, and nothing else.
pub(super) fn check_url(field: &'static str, text: &str, report: &mut Report) {
    let has_scheme = text.starts_with("http://") || text.starts_with("https://");
    if has_scheme && Endpoint::parse(text.strip_suffix('/').unwrap_or(text)).is_ok() {
        return;
    }
    // The text may hold a password, and is not repeated then.
    let shown = if text.contains('@') { "this".to_owned() } else { format!("\"{text}\"") };
    report.add(field, format!("{shown} {}", sentences::URL));
}
