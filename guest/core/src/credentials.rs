//! The credentials for a registry: a Secret of the namespace, which in a step the credential proxy
//! alone mounts.

use crate::json::Json;
use crate::primary::{Auth, Metadata, generated_accounts};
use orascache_api::steps::{CREDENTIALS_VOLUME, env};
use std::borrow::Cow;

/// Mode of the files with credentials: 0444. They belong to root, and a pod need not have an
/// `fsGroup`, so that the user of the proxy can read them only if everybody can. Only the proxy
/// mounts them: other containers have no path to them, and on the node the kubelet's directories of
/// pods are closed to all but root.
const CREDENTIALS_MODE: i64 = 0o444;

/// A Secret with credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Credentials<'a> {
    secret: Cow<'a, str>,
    /// Whether the password for pulling is the one for pushing too.
    has_one_password: bool,
}

impl<'a> Credentials<'a> {
    /// A Secret that a step or a cache names.
    pub(crate) fn named(secret: &'a str) -> Self {
        Credentials { secret: secret.into(), has_one_password: false }
    }

    /// The account for the registry of a cache; `None` where the spec names none.
    pub(crate) fn of_cache(auth: &Auth<'a>, metadata: &Metadata<'_>) -> Option<Self> {
        if auth.is_generated() {
            return Some(Credentials { secret: generated_accounts(metadata).into(), has_one_password: true });
        }
        auth.credentials_secret.map(Credentials::named)
    }

    /// The volume with those credentials that are needed for pulling and for pushing, as files. Files
    /// and not variables: the environment of a process can be read by others of the same user.
    pub(crate) fn volume(&self, pulls: bool, pushes: bool) -> Json<'a> {
        // A missing key stops the pod before the command runs. Artifacts can often be pulled without
        // a password.
        let (user, pull, push) = (env::USER, env::PULL_PASSWORD, env::PUSH_PASSWORD);
        let sources = if self.has_one_password {
            [self.source(&[(user, user, true), (pull, pull, pulls), (pull, push, pushes)], false), None]
        } else {
            [
                self.source(&[(user, user, true), (push, push, pushes)], false),
                self.source(&[(pull, pull, pulls)], true),
            ]
        };
        let projected = Json::object([
            ("defaultMode", Some(CREDENTIALS_MODE.into())),
            ("sources", Some(Json::Array(sources.into_iter().flatten().collect()))),
        ]);
        Json::object([("name", Some(CREDENTIALS_VOLUME.into())), ("projected", Some(projected))])
    }

    /// A source of a projected volume: the wanted keys of the Secret, each with the file for it;
    /// `None` where none is wanted.
    fn source(&self, keys: &[(&'static str, &'static str, bool)], is_optional: bool) -> Option<Json<'a>> {
        let file = |(key, file, _): &(&'static str, &'static str, bool)| {
            Json::object([("key", Some((*key).into())), ("path", Some((*file).into()))])
        };
        let items: Vec<Json<'a>> = keys.iter().filter(|(.., is_wanted)| *is_wanted).map(file).collect();
        let secret = Json::object([
            ("name", Some(self.secret.clone().into())),
            ("items", (!items.is_empty()).then_some(Json::Array(items))),
            ("optional", is_optional.then_some(true.into())),
        ]);
        secret.get("items").is_some().then(|| Json::object([("secret", Some(secret))]))
    }
}
