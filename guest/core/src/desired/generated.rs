//! Secrets that the host fills with secret values once: the HTTP secret, the certificate, the account
//! of a registry, and the key of its garbage collection.

use super::secret::{base64, generated_http_secret};
use super::secret_files::HTPASSWD_KEY;
use super::{Child, Extras, collection, registry_service_name};
use crate::json::Json;
use crate::kinds::SECRET;
use crate::primary::{Primary, Tls, generated_accounts, generated_certificate};
use crate::rotation;
use orascache_api::names::{CERTIFICATE_EXPIRES_ANNOTATION, ROTATION_REQUEST_ANNOTATION};
use orascache_api::steps::env;
use orascache_contract::{Account, Certificate, Credentials, Generated, Recipe};
use std::borrow::Cow;

/// User name of the first generated account.
const USERNAME: &str = "orascache";
/// Days for which a generated certificate holds. It is replaced in the last third of this time.
pub(crate) const CERTIFICATE_DAYS: u32 = 730;

/// Names and contents of the Secrets that a cache needs.
pub(crate) fn generated(
    primary: &Primary<'_>,
    cluster_domain: Option<&str>,
    now: u64,
) -> Vec<(String, Generated)> {
    let spec = &primary.spec;
    if !spec.deploy() {
        return Vec::new();
    }
    let certificate = spec.tls.filter(Tls::is_generated);
    let account = spec.auth.filter(|auth| auth.is_generated());
    generated_http_secret(primary)
        .into_iter()
        .chain(certificate.map(|_| certificate_of(primary, cluster_domain, now)))
        .chain(account.map(|_| account_of(primary)))
        .chain(collection::has_key(primary).then(|| collection::generated_key(primary)))
        .collect()
}

/// Names of the Secrets that were generated for a spec as it was, and that are not used any more.
/// The HTTP secret stays: it is not worth anything.
pub(crate) fn unused_generated(primary: &Primary<'_>) -> Vec<String> {
    let (spec, metadata) = (&primary.spec, &primary.metadata);
    let has_certificate = spec.deploy() && spec.tls.is_some_and(|tls| tls.is_generated());
    let has_account = spec.deploy() && spec.auth.is_some_and(|auth| auth.is_generated());
    let names = [
        (generated_certificate(metadata), has_certificate),
        (generated_accounts(metadata), has_account),
        (collection::key_secret(metadata), collection::has_key(primary)),
    ];
    // A user may name one of them, to keep it.
    let is_named = |name: &String| {
        let named = spec.tls.and_then(|tls| tls.secret_name);
        let accounts = spec.auth.and_then(|auth| auth.htpasswd_secret);
        [named, accounts].contains(&Some(name.as_str()))
    };
    names.into_iter().filter(|(name, is_used)| !is_used && !is_named(name)).map(|(name, _)| name).collect()
}

/// The names of the pods behind the headless Service, and of Services in front of them.
pub(crate) fn dns_names(primary: &Primary<'_>, cluster_domain: Option<&str>) -> Vec<String> {
    let (cache, namespace) = (primary.metadata.name, primary.metadata.namespace);
    let mut dns_names: Vec<String> = [format!("*.{cache}"), cache.to_owned(), registry_service_name(primary)]
        .map(|host| format!("{host}.{namespace}.svc"))
        .into();
    if let Some(domain) = cluster_domain {
        let full: Vec<String> = dns_names.iter().map(|name| format!("{name}.{domain}")).collect();
        dns_names.extend(full);
    }
    dns_names
}

/// How the certificate of a registry is made.
pub(crate) fn certificate_recipe(primary: &Primary<'_>, cluster_domain: Option<&str>) -> Recipe {
    Recipe::Certificate(Certificate { dns_names: dns_names(primary, cluster_domain), days: CERTIFICATE_DAYS })
}

fn certificate_of(primary: &Primary<'_>, cluster_domain: Option<&str>, now: u64) -> (String, Generated) {
    let name = generated_certificate(&primary.metadata);
    // Not `kubernetes.io/tls`: the API server takes no Secret of that type without its keys, and what
    // `orascache render` prints has none.
    let mut extras = done_with_requests(primary);
    extras.stamps.push((CERTIFICATE_EXPIRES_ANNOTATION.into(), rotation::expires(now).into()));
    let content = [("type", "Opaque".into())];
    let child = Child::with(primary, &SECRET, Cow::Borrowed(&name), extras, content);
    let recipe = certificate_recipe(primary, cluster_domain);
    let generated = Generated { secret: child.object.to_text(), recipe };
    (name, generated)
}

/// One account: the registry lets every account do everything, so that two would promise a
/// difference that there is not. The Secret is as steps need it, but for the second password.
fn account_of(primary: &Primary<'_>) -> (String, Generated) {
    let name = generated_accounts(&primary.metadata);
    let data = user_of(USERNAME);
    let extras = done_with_requests(primary);
    let content = [("type", "Opaque".into()), ("data", data)];
    let child = Child::with(primary, &SECRET, Cow::Borrowed(&name), extras, content);
    let recipe = account_recipe(USERNAME.to_owned());
    let generated = Generated { secret: child.object.to_text(), recipe };
    (name, generated)
}

/// What was asked for before values are made is done with them.
fn done_with_requests<'a>(primary: &Primary<'_>) -> Extras<'a> {
    let request = primary.metadata.rotation_request;
    let stamp = |request| (ROTATION_REQUEST_ANNOTATION.into(), rotation::request_digest(request).into());
    Extras { stamps: request.map(stamp).into_iter().collect(), ..Extras::default() }
}

/// How an account of this name is made.
pub(crate) fn account_recipe(username: String) -> Recipe {
    let account = Account { username, password_key: env::PULL_PASSWORD.to_owned() };
    Recipe::Credentials(Credentials { accounts: vec![account], htpasswd_key: HTPASSWD_KEY.to_owned() })
}

/// The `data` of a Secret by which steps use the account of this name.
pub(crate) fn user_of<'a>(username: &str) -> Json<'a> {
    Json::object([(env::USER, Some(base64(username.as_bytes()).into()))])
}

/// Name of an account that takes the place of a former one: by the time, in seconds since the
/// epoch, so that no two accounts of a cache have the same name.
pub(crate) fn rotated_username(now: u64) -> String {
    format!("{USERNAME}-{now}")
}
