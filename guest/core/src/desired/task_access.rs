//! How the pods that work on a registry reach it, and other registries: accounts and authorities.
//!
//! Each flag of the agent is for one side of a copy, so that the account of the cache goes to no other
//! registry, and its authority is trusted for no other one.

use super::pod_parts::{read_only_mount, secret_volume};
use crate::authority::Authority;
use crate::credentials::Credentials;
use crate::json::Json;
use crate::primary::Primary;
use orascache_api::steps::{AUTHORITY_DIRECTORY, AUTHORITY_FILE, CREDENTIALS_DIRECTORY, CREDENTIALS_VOLUME};

/// Where the Secret for another registry is mounted, and the name of its volume.
const OTHER_DIRECTORY: &str = "/credentials";
const OTHER_VOLUME: &str = "credentials";
/// The key of Secrets for pulling images (core/v1 Secret, type kubernetes.io/dockerconfigjson). No
/// other key is mounted: its credentials are bound to hosts, so that who writes a spec cannot send
/// them elsewhere.
const DOCKER_CONFIG: &str = ".dockerconfigjson";

/// A volume of a pod, its mount, and the word of the command that names it.
pub(crate) struct Mounted<'a> {
    pub(crate) volume: Json<'a>,
    pub(crate) mount: Json<'a>,
    pub(crate) word: String,
}

/// A registry, as the flags of the agent call it.
#[derive(Clone, Copy)]
pub(crate) struct Side {
    /// The flag with a directory of credentials.
    credentials: &'static str,
    /// The flag with a file of authorities.
    authority: &'static str,
    pulls: bool,
    pushes: bool,
}

/// The only registry (`orascache-agent prune`).
pub(crate) const ONLY: Side =
    Side { credentials: "--credentials", authority: "--ca-file", pulls: true, pushes: true };
/// The registry that is read (`orascache-agent copy`).
pub(crate) const SOURCE: Side =
    Side { credentials: "--source-credentials", authority: "--source-ca-file", pulls: true, pushes: false };
/// The registry that is written. Writing needs no password for pulling.
pub(crate) const DESTINATION: Side = Side {
    credentials: "--destination-credentials",
    authority: "--destination-ca-file",
    pulls: false,
    pushes: true,
};

impl Side {
    /// The credentials of a user for another registry.
    pub(crate) fn of_other<'a>(self, secret: Option<&'a str>) -> Option<Mounted<'a>> {
        Some(Mounted {
            volume: secret_volume(OTHER_VOLUME, secret?.into(), &[DOCKER_CONFIG], None),
            mount: read_only_mount(OTHER_VOLUME, OTHER_DIRECTORY),
            word: format!("{}={OTHER_DIRECTORY}", self.credentials),
        })
    }

    /// The account and the authority of the cache's own registry, where it has them.
    pub(crate) fn of_cache<'a>(self, primary: &'a Primary<'a>) -> impl Iterator<Item = Mounted<'a>> {
        let (spec, metadata) = (&primary.spec, &primary.metadata);
        let account = spec.auth.and_then(|auth| Credentials::of_cache(&auth, metadata));
        let account = account.map(|account| Mounted {
            volume: account.volume(self.pulls, self.pushes),
            mount: read_only_mount(CREDENTIALS_VOLUME, CREDENTIALS_DIRECTORY),
            word: format!("{}={CREDENTIALS_DIRECTORY}", self.credentials),
        });
        let authority = spec.tls.and_then(|tls| Authority::of_cache(&tls, metadata));
        let authority = authority.map(|authority| Mounted {
            volume: authority.volume(),
            mount: Authority::mount(),
            word: format!("{}={AUTHORITY_DIRECTORY}/{AUTHORITY_FILE}", self.authority),
        });
        account.into_iter().chain(authority)
    }
}
