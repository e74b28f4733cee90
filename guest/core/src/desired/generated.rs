//! Secrets that the host fills with secret values once: the HTTP secret, the certificate, the account
//! of a registry, and the key of its garbage collection.

use super::secret::{base64, generated_http_secret};
use super::secret_files::HTPASSWD_KEY;
use super::{Child, collection, registry_service_name};
use crate::json::Json;
use crate::kinds::SECRET;
use crate::primary::{Primary, generated_accounts, generated_certificate};
use orascache_api::steps::env;
use orascache_contract::{Account, Certificate, Credentials, Generated, Recipe};
use std::borrow::Cow;

/// User name of the generated account.
const USERNAME: &str = "orascache";
/// Days for which a generated certificate holds: ten years. Its authority is trusted by the steps of
/// this cache alone, and a new one would be unknown to steps that run already.
const CERTIFICATE_DAYS: u32 = 3_650;

/// Names and contents of the Secrets that a cache needs.
pub(crate) fn generated(primary: &Primary<'_>, cluster_domain: Option<&str>) -> Vec<(String, Generated)> {
    let spec = &primary.spec;
    if !spec.deploy() {
        return Vec::new();
    }
    let certificate = spec.tls.filter(|tls| tls.secret_name.is_none());
    let account = spec.auth.filter(|auth| auth.is_generated());
    generated_http_secret(primary)
        .into_iter()
        .chain(certificate.map(|_| certificate_of(primary, cluster_domain)))
        .chain(account.map(|_| account_of(primary)))
        .chain(collection::has_key(primary).then(|| collection::generated_key(primary)))
        .collect()
}

/// Names of the Secrets that were generated for a spec as it was, and that are not used any more.
/// The HTTP secret stays: it is not worth anything.
pub(crate) fn unused_generated(primary: &Primary<'_>) -> Vec<String> {
    let (spec, metadata) = (&primary.spec, &primary.metadata);
    let has_certificate = spec.deploy() && spec.tls.is_some_and(|tls| tls.secret_name.is_none());
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

fn certificate_of(primary: &Primary<'_>, cluster_domain: Option<&str>) -> (String, Generated) {
    let (cache, namespace) = (primary.metadata.name, primary.metadata.namespace);
    // The pods behind the headless Service, and Services in front of them.
    let mut dns_names: Vec<String> = [format!("*.{cache}"), cache.to_owned(), registry_service_name(primary)]
        .map(|host| format!("{host}.{namespace}.svc"))
        .into();
    if let Some(domain) = cluster_domain {
        let full: Vec<String> = dns_names.iter().map(|name| format!("{name}.{domain}")).collect();
        dns_names.extend(full);
    }
    let name = generated_certificate(&primary.metadata);
    // Not `kubernetes.io/tls`: the API server takes no Secret of that type without its keys, and what
    // `orascache render` prints has none.
    let child = Child::new(primary, &SECRET, Cow::Borrowed(&name), [("type", "Opaque".into())]);
    let recipe = Recipe::Certificate(Certificate { dns_names, days: CERTIFICATE_DAYS });
    let generated = Generated { secret: child.object.to_text(), recipe };
    (name, generated)
}

/// One account: the registry lets every account do everything, so that two would promise a difference
/// that there is not. The Secret is as steps need it, but for the second password.
fn account_of(primary: &Primary<'_>) -> (String, Generated) {
    let name = generated_accounts(&primary.metadata);
    let data = Json::object([(env::USER, Some(base64(USERNAME.as_bytes()).into()))]);
    let child =
        Child::new(primary, &SECRET, Cow::Borrowed(&name), [("type", "Opaque".into()), ("data", data)]);
    let account = Account { username: USERNAME.to_owned(), password_key: env::PULL_PASSWORD.to_owned() };
    let recipe =
        Recipe::Credentials(Credentials { accounts: vec![account], htpasswd_key: HTPASSWD_KEY.to_owned() });
    let generated = Generated { secret: child.object.to_text(), recipe };
    (name, generated)
}
