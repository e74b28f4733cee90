//! The OrasCache as the core reads it: borrowed, and only the fields that matter.

use crate::contract::Error;
use crate::json::Json;
use orascache_api::names::{API_VERSION, DEFAULT_IMAGE, KIND};
use serde::Deserialize;
use std::borrow::Cow;

/// A string that borrows from the input unless it holds escapes.
pub(crate) type Text<'a> = Cow<'a, str>;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Primary<'a> {
    #[serde(borrow, default)]
    api_version: Text<'a>,
    #[serde(borrow, default)]
    kind: Text<'a>,
    #[serde(borrow)]
    pub(crate) metadata: Metadata<'a>,
    #[serde(borrow, default)]
    pub(crate) spec: Spec<'a>,
    #[serde(borrow, default)]
    pub(crate) status: Option<Json<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata<'a> {
    #[serde(borrow)]
    pub(crate) name: Text<'a>,
    #[serde(borrow, default)]
    pub(crate) namespace: Text<'a>,
    #[serde(borrow, default)]
    pub(crate) uid: Text<'a>,
    #[serde(default)]
    pub(crate) generation: i64,
    #[serde(borrow, default)]
    pub(crate) deletion_timestamp: Option<Text<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Spec<'a> {
    #[serde(borrow)]
    image: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) image_pull_policy: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) image_pull_secrets: Option<Json<'a>>,
    deploy: Option<bool>,
    #[serde(borrow)]
    pub(crate) secret: Option<Text<'a>>,
    #[serde(borrow, default)]
    secrets: Option<Secrets<'a>>,
    replicas: Option<i64>,
    #[serde(borrow)]
    pub(crate) storage: Option<Storage<'a>>,
    #[serde(borrow)]
    pub(crate) resources: Option<Json<'a>>,
    #[serde(borrow)]
    pub(crate) node_selector: Option<Json<'a>>,
    #[serde(borrow)]
    pub(crate) tolerations: Option<Json<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Secrets<'a> {
    #[serde(borrow)]
    oras_env: Option<Text<'a>>,
    #[serde(borrow)]
    registry_http: Option<Text<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Storage<'a> {
    #[serde(borrow)]
    pub(crate) size: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) storage_class_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) access_modes: Option<Vec<Text<'a>>>,
    #[serde(borrow)]
    pub(crate) existing_claim: Option<Text<'a>>,
}

impl<'a> Primary<'a> {
    /// Reads an OrasCache of our version.
    pub(crate) fn read(text: &'a str) -> Result<Self, Error> {
        let primary: Primary<'a> = serde_json::from_str(text).map_err(|error| {
            Error::InvalidInput(format!("the primary is not a readable OrasCache: {error}"))
        })?;
        if primary.api_version != API_VERSION || primary.kind != KIND {
            return Err(Error::InvalidInput(format!(
                "the primary is {} {}, but this module manages {API_VERSION} {KIND}",
                primary.api_version, primary.kind
            )));
        }
        Ok(primary)
    }
}

impl<'a> Spec<'a> {
    // The defaults are those of the CRD's schema, for clusters whose CRD is older than this module.

    pub(crate) fn image(&self) -> &str {
        self.image.as_deref().unwrap_or(DEFAULT_IMAGE)
    }

    pub(crate) fn deploy(&self) -> bool {
        self.deploy.unwrap_or(true)
    }

    pub(crate) fn replicas(&self) -> i64 {
        self.replicas.unwrap_or(1)
    }

    /// Secret for workflow steps.
    pub(crate) fn oras_env(&self) -> Option<&str> {
        self.secrets.as_ref()?.oras_env.as_deref()
    }

    /// The HTTP secret as a literal (deprecated).
    pub(crate) fn registry_http(&self) -> Option<&str> {
        self.secrets.as_ref()?.registry_http.as_deref()
    }
}

impl Storage<'_> {
    /// Access modes of the claim that is made for the cache.
    pub(crate) fn access_modes(&self) -> Vec<&str> {
        match &self.access_modes {
            Some(modes) if !modes.is_empty() => modes.iter().map(AsRef::as_ref).collect(),
            _ => vec!["ReadWriteOnce"],
        }
    }
}
