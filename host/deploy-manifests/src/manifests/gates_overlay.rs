//! The overlay `gates`: it adds to `default` what an operator needs that removes scheduling gates.

use super::cert_manager_overlay::{identity, merge};
use super::kustomize::Kustomization;
use super::reasons;
use super::tree::Tree;
use super::yaml::{document, documents};
use crate::error::ManifestError;
use crate::names::CONTAINER;
use crate::options::ManifestOptions;
use crate::values::to_value;
use crate::{deployment, gates, rbac};
use serde_json::json;

const OVERLAY: &str = "The same as default, for an operator that removes scheduling gates. The setting gates has pods get them: docs/gates.md says how.";
const POLICY: &str = "Lets the operator change nothing of a pod but its own gate, label and annotation, although its rights reach further.";
const NETWORK: &str = "Admits the operator to registries: those of caches on port 5000, and others with TLS on port 443. Add the ports of those that the setting allowedRegistries names.";

/// Adds the folder.
pub(super) fn add(options: &ManifestOptions, tree: &mut Tree) -> Result<(), ManifestError> {
    let resources = ["../default", "roles.yaml", "admission-policy.yaml", "network.yaml"];
    let folder = Kustomization::of(&resources).patched_by(&["deployment.yaml"]).with_agent_image();
    tree.text("gates/kustomization.yaml", document(OVERLAY, &folder)?);
    let role = gates::role(options);
    tree.text("gates/roles.yaml", documents(&reasons(&role), &rbac::role_objects(&role, options)?)?);
    let policy =
        [to_value(&gates::admission_policy(options))?, to_value(&gates::admission_policy_binding())?];
    tree.text("gates/admission-policy.yaml", documents(POLICY, &policy)?);
    tree.text("gates/network.yaml", document(NETWORK, &gates::network_policy(options))?);
    let mut patch = identity(&to_value(&deployment::deployment(options))?);
    let container = json!({"name": CONTAINER, "env": [deployment::gates_variable()]});
    merge(&mut patch, json!({"spec": {"template": {"spec": {"containers": [container]}}}}));
    tree.text("gates/deployment.yaml", document("", &patch)?);
    Ok(())
}
