//! `spec.storage.s3`, `gcs` and `azure`: artifacts in a bucket.

use super::Metadata;
use crate::fields::Fields;
use orascache_contract::Error;

/// Who keeps the bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Provider<'a> {
    /// Amazon S3, or a service that speaks its protocol.
    ///
    /// `path_style` is whether requests name the bucket in the path: by default where there is an
    /// endpoint.
    S3 { region: &'a str, endpoint: Option<&'a str>, path_style: bool },
    /// Google Cloud Storage.
    Gcs,
    /// Azure Blob Storage. The bucket is a container of the account.
    Azure { account: &'a str, realm: Option<&'a str> },
}

/// A bucket in which a cache keeps its artifacts.
#[derive(Debug)]
pub(crate) struct Bucket<'a> {
    pub(crate) provider: Provider<'a>,
    pub(crate) name: &'a str,
    prefix: Option<&'a str>,
    /// Secret with the credentials.
    pub(crate) credentials_secret: Option<&'a str>,
}

impl<'a> Bucket<'a> {
    /// All buckets that a storage names. One is allowed.
    pub(crate) fn read_all(storage: Fields<'a>) -> Result<Vec<Self>, Error> {
        let mut buckets = Vec::new();
        if let Some(s3) = storage.object("s3", "spec.storage.s3")? {
            let endpoint = s3.text("endpoint")?;
            let provider = Provider::S3 {
                region: s3.required_text("region")?,
                endpoint,
                path_style: s3.flag("pathStyle")?.unwrap_or(endpoint.is_some()),
            };
            buckets.push(Self::read(s3, "bucket", provider)?);
        }
        if let Some(gcs) = storage.object("gcs", "spec.storage.gcs")? {
            buckets.push(Self::read(gcs, "bucket", Provider::Gcs)?);
        }
        if let Some(azure) = storage.object("azure", "spec.storage.azure")? {
            let provider =
                Provider::Azure { account: azure.required_text("accountName")?, realm: azure.text("realm")? };
            buckets.push(Self::read(azure, "container", provider)?);
        }
        Ok(buckets)
    }

    fn read(fields: Fields<'a>, name: &'static str, provider: Provider<'a>) -> Result<Self, Error> {
        Ok(Bucket {
            provider,
            name: fields.required_text(name)?,
            prefix: fields.text("prefix")?,
            credentials_secret: fields.text("credentialsSecret")?,
        })
    }

    /// Path of the field.
    pub(crate) fn field(&self) -> &'static str {
        match self.provider {
            Provider::S3 { .. } => "spec.storage.s3",
            Provider::Gcs => "spec.storage.gcs",
            Provider::Azure { .. } => "spec.storage.azure",
        }
    }

    /// Path of the field with the Secret, and a sentence about what has to be in that.
    pub(crate) fn credentials_field(&self) -> [&'static str; 2] {
        match self.provider {
            Provider::S3 { .. } => {
                ["spec.storage.s3.credentialsSecret", "Create it with access-key and secret-key."]
            }
            Provider::Gcs => ["spec.storage.gcs.credentialsSecret", "Create it with key.json."],
            Provider::Azure { .. } => ["spec.storage.azure.credentialsSecret", "Create it with account-key."],
        }
    }

    /// The directory in the bucket, with a slash in front: `/` is the bucket itself. Caches that share a
    /// bucket share no artifacts unless they say so.
    pub(crate) fn root_directory(&self, metadata: &Metadata<'_>) -> String {
        let own = || format!("{}/{}", metadata.namespace, metadata.name);
        let directory = self.prefix.map_or_else(own, str::to_owned);
        format!("/{}", directory.trim_matches('/'))
    }

    /// Whether another bucket is in the same place, so that its artifacts are the same ones.
    pub(crate) fn is_same_place(&self, other: &Self) -> bool {
        let provider = match (self.provider, other.provider) {
            (Provider::S3 { endpoint, .. }, Provider::S3 { endpoint: other, .. }) => endpoint == other,
            (Provider::Azure { account, .. }, Provider::Azure { account: other, .. }) => account == other,
            (one, other) => one == other,
        };
        provider && self.name == other.name && self.prefix == other.prefix
    }
}
