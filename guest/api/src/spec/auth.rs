//! `spec.auth`: a registry that asks for a user and a password.

use crate::sentences;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// The accounts of a registry. Empty for one account that the operator makes, and that workflow steps use.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq)]
#[x_kube(
    validation = Rule::new("!has(self.credentialsSecret) || has(self.htpasswdSecret)").message(sentences::CREDENTIALS_WITHOUT_ACCOUNTS).field_path(".credentialsSecret"),
    validation = Rule::new("!has(self.rotateAfter) || !has(self.htpasswdSecret)").message(sentences::ROTATION_OF_OWN_ACCOUNTS).field_path(".rotateAfter")
)]
#[serde(rename_all = "camelCase")]
pub struct OrasCacheAuth {
    /// Name of a Secret in this namespace whose key htpasswd lists accounts with bcrypt hashes. Every account may pull
    /// and push everything. The registry reads the file again when it changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub htpasswd_secret: Option<String>,

    /// Name of a Secret in this namespace with ORAS_USER, ORAS_PULL_PASS and ORAS_PUSH_PASS of one of those accounts, for
    /// workflow steps and for retention, seeds and exports. Without it each step names such a Secret in the annotation
    /// oras-env, and the others are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub credentials_secret: Option<String>,

    /// After which time the operator replaces the account that it made, for example 90d: at least 1h. By default never.
    /// Steps that run go on. Clients of your own have to read the Secret again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32))]
    pub rotate_after: Option<String>,
}
