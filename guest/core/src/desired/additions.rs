//! What the flavour and optional fields of the spec add to the registry pods: variables, volumes
//! and mounts.
//!
//! `REGISTRY_*` variables are those of the distribution registry, which reads a name as the path of
//! a value in its configuration (distribution.github.io/distribution/about/configuration).

use super::pod_parts::{literal, read_only_mount, secret_volume, variable_from_secret};
use super::secret_files::{ACCOUNTS_DIRECTORY, HTPASSWD_KEY, TLS_CERTIFICATE, TLS_DIRECTORY, TLS_KEY};
use super::zot;
use crate::json::Json;
use crate::primary::{Bucket, Flavor, Primary, Provider};
use orascache_api::duration::Duration;
use std::borrow::Cow;

/// Directory in which the Secret of a bucket is mounted.
const STORAGE_DIRECTORY: &str = "/etc/orascache/storage";
/// Keys of a Secret for S3.
const S3_KEY_ID: &str = "access-key";
const S3_KEY: &str = "secret-key";
/// Key of the key file of a Google service account.
const GCS_KEY: &str = "key.json";
/// Mode of the files: 0440. The registry is in their group, by the `fsGroup` of the pod.
const MODE: i64 = 0o440;

/// Variables, volumes and mounts.
#[derive(Debug, Default)]
pub(super) struct Additions<'a> {
    pub(super) variables: Vec<Json<'a>>,
    pub(super) volumes: Vec<Json<'a>>,
    pub(super) mounts: Vec<Json<'a>>,
}

impl<'a> Additions<'a> {
    pub(super) fn of(primary: &'a Primary<'a>) -> Self {
        let mut additions = Additions::default();
        additions.add_files(primary);
        match primary.spec.flavor() {
            Flavor::Distribution => additions.configure_distribution(primary),
            Flavor::Zot => additions.configure_zot(primary),
        }
        additions
    }

    /// Mounts the Secrets that both flavours read as files.
    fn add_files(&mut self, primary: &'a Primary<'a>) {
        let (spec, metadata) = (&primary.spec, &primary.metadata);
        if let Some(tls) = &spec.tls {
            self.mount("tls", TLS_DIRECTORY, tls.secret(metadata), &[TLS_CERTIFICATE, TLS_KEY]);
        }
        if let Some(auth) = &spec.auth {
            self.mount("accounts", ACCOUNTS_DIRECTORY, auth.accounts(metadata), &[HTPASSWD_KEY]);
        }
    }

    fn configure_zot(&mut self, primary: &'a Primary<'a>) {
        let (volume, mount) = zot::volume_and_mount();
        self.volumes.push(volume);
        self.mounts.push(mount);
        if let Some(secret) = primary.spec.bucket().and_then(|bucket| bucket.credentials_secret) {
            self.set_from("AWS_ACCESS_KEY_ID", secret, S3_KEY_ID);
            self.set_from("AWS_SECRET_ACCESS_KEY", secret, S3_KEY);
        }
    }

    fn configure_distribution(&mut self, primary: &'a Primary<'a>) {
        let (spec, metadata) = (&primary.spec, &primary.metadata);
        if spec.read_only() {
            // The variable ..._READONLY_ENABLED ends distribution 2.8: it wants the map as a whole.
            self.set("REGISTRY_STORAGE_MAINTENANCE_READONLY", r#"{"enabled":true}"#.into());
        }
        if let Some(proxy) = &spec.proxy {
            self.set("REGISTRY_PROXY_REMOTEURL", proxy.remote_url.into());
            if let Some(secret) = proxy.credentials_secret {
                self.set_from("REGISTRY_PROXY_USERNAME", secret, "username");
                self.set_from("REGISTRY_PROXY_PASSWORD", secret, "password");
            }
            if let Some(ttl) = proxy.ttl.and_then(|ttl| Duration::parse(ttl).ok()) {
                // Go knows no days.
                self.set("REGISTRY_PROXY_TTL", format!("{}s", ttl.seconds()).into());
            }
        }
        if spec.tls.is_some() {
            self.set("REGISTRY_HTTP_TLS_CERTIFICATE", format!("{TLS_DIRECTORY}/{TLS_CERTIFICATE}").into());
            self.set("REGISTRY_HTTP_TLS_KEY", format!("{TLS_DIRECTORY}/{TLS_KEY}").into());
        }
        if spec.auth.is_some() {
            let path = format!("{ACCOUNTS_DIRECTORY}/{HTPASSWD_KEY}");
            self.set("REGISTRY_AUTH", HTPASSWD_KEY.into());
            self.set("REGISTRY_AUTH_HTPASSWD_REALM", metadata.name.into());
            self.set("REGISTRY_AUTH_HTPASSWD_PATH", path.into());
        }
        if let Some(bucket) = spec.bucket() {
            self.add_bucket(bucket, bucket.root_directory(metadata));
        }
    }

    fn add_bucket(&mut self, bucket: &Bucket<'a>, directory: String) {
        // Clients reach the registry, and need not reach the bucket.
        self.set("REGISTRY_STORAGE_REDIRECT_DISABLE", "true".into());
        let secret = bucket.credentials_secret;
        match bucket.provider {
            Provider::S3 { region, endpoint, path_style } => {
                // This replaces all storage of the image's configuration file, which would be a
                // second one.
                self.set("REGISTRY_STORAGE", "s3".into());
                self.set("REGISTRY_STORAGE_S3_BUCKET", bucket.name.into());
                self.set("REGISTRY_STORAGE_S3_REGION", region.into());
                self.set("REGISTRY_STORAGE_S3_ROOTDIRECTORY", directory.into());
                if let Some(endpoint) = endpoint {
                    self.set("REGISTRY_STORAGE_S3_REGIONENDPOINT", endpoint.into());
                }
                self.set("REGISTRY_STORAGE_S3_FORCEPATHSTYLE", boolean(path_style));
                if let Some(secret) = secret {
                    self.set_from("REGISTRY_STORAGE_S3_ACCESSKEY", secret, S3_KEY_ID);
                    self.set_from("REGISTRY_STORAGE_S3_SECRETKEY", secret, S3_KEY);
                }
            }
            Provider::Gcs => {
                self.set("REGISTRY_STORAGE", "gcs".into());
                self.set("REGISTRY_STORAGE_GCS_BUCKET", bucket.name.into());
                self.set("REGISTRY_STORAGE_GCS_ROOTDIRECTORY", directory.into());
                if let Some(secret) = secret {
                    self.mount("storage", STORAGE_DIRECTORY, secret.into(), &[GCS_KEY]);
                    self.set("REGISTRY_STORAGE_GCS_KEYFILE", format!("{STORAGE_DIRECTORY}/{GCS_KEY}").into());
                }
            }
            Provider::Azure { account, realm } => {
                self.set("REGISTRY_STORAGE", "azure".into());
                self.set("REGISTRY_STORAGE_AZURE_ACCOUNTNAME", account.into());
                self.set("REGISTRY_STORAGE_AZURE_CONTAINER", bucket.name.into());
                self.set("REGISTRY_STORAGE_AZURE_ROOTDIRECTORY", directory.into());
                if let Some(realm) = realm {
                    self.set("REGISTRY_STORAGE_AZURE_REALM", realm.into());
                }
                match secret {
                    Some(secret) => {
                        self.set_from("REGISTRY_STORAGE_AZURE_ACCOUNTKEY", secret, "account-key");
                    }
                    None => {
                        let credentials = r#"{"type":"default_credentials"}"#;
                        self.set("REGISTRY_STORAGE_AZURE_CREDENTIALS", credentials.into());
                    }
                }
            }
        }
    }

    fn set(&mut self, name: &'static str, value: Json<'a>) {
        self.variables.push(literal(name, value));
    }

    /// A variable with the value of a key of a Secret.
    fn set_from(&mut self, name: &'static str, secret: &'a str, key: &'static str) {
        self.variables.push(variable_from_secret(name, secret, key));
    }

    /// Mounts some keys of a Secret.
    fn mount(
        &mut self,
        volume: &'static str,
        directory: &'static str,
        secret: Cow<'a, str>,
        keys: &[&'static str],
    ) {
        self.volumes.push(secret_volume(volume, secret, keys, Some(MODE)));
        self.mounts.push(read_only_mount(volume, directory));
    }
}

fn boolean<'a>(value: bool) -> Json<'a> {
    if value { "true" } else { "false" }.into()
}
