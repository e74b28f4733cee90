//! The manifests as a tree of kustomize folders, for people who keep them under version control.

mod cert_manager_overlay;
mod client_ca;
mod difference;
mod gates_overlay;
mod kustomize;
mod readme;
mod samples;
mod tree;
mod variants;
pub(crate) mod yaml;

use crate::error::ManifestError;
use crate::operator_webhooks::{service, webhook_configurations};
use crate::options::{CertificateSource, ManifestOptions};
use crate::rights::{Right, RoleRights, all_roles};
use crate::{deployment, kubewarden, namespace, network, objects, rbac};
use kustomize::Kustomization;
use orascache_contract::Description;
use tree::Tree;
pub use variants::{AVAILABLE_REPLICAS, EXAMPLE_NAMESPACES};
use yaml::{document, documents};

/// Folders that [`files`] makes. They contain no other files.
pub const FOLDERS: [&str; 14] = [
    "certmanager",
    "client-ca",
    "crd",
    "default",
    "gates",
    "high-availability",
    "kubewarden",
    "listed-namespaces",
    "manager",
    "network",
    "no-webhook",
    "rbac",
    "samples",
    "webhook",
];

/// Path of the CustomResourceDefinition.
pub const DEFINITION: &str = "crd/orascaches.yaml";

/// Paths and contents of all files. Paths are relative to the folder of the manifests, with `/`
/// between their parts. The folder `default` has managed certificates and `certmanager` has
/// cert-manager's, whatever [`ManifestOptions::certificates`] is. The folder `gates` adds to
/// `default` what an operator with gates needs, whatever [`ManifestOptions::gates`] is. So do
/// `no-webhook` and `high-availability` for their options.
///
/// # Errors
/// When an option cannot be used.
pub fn files(
    options: &ManifestOptions,
    description: &Description,
) -> Result<Vec<(String, String)>, ManifestError> {
    options.check()?;
    let options = &ManifestOptions {
        certificates: CertificateSource::Managed,
        gates: false,
        webhooks: true,
        high_availability: false,
        ..options.clone()
    };
    let mut tree = Tree::default();
    tree.text("README.md", readme::text(options, description));
    tree.text(DEFINITION, document("", &objects::mirrored_definition(options)?)?);
    tree.folder("crd", &["orascaches.yaml"])?;
    rbac_folder(options, description, &mut tree)?;

    tree.text("manager/namespace.yaml", document("", &namespace::namespace(options))?);
    tree.text("manager/deployment.yaml", document("", &deployment::deployment(options))?);
    tree.text("manager/disruption-budget.yaml", document("", &namespace::disruption_budget(options))?);
    tree.folder("manager", &["namespace.yaml", "deployment.yaml", "disruption-budget.yaml"])?;

    webhook_folder(options, description, &mut tree)?;

    tree.text("network/policy.yaml", document(&network_comment(options), &network::policy(options))?);
    tree.folder("network", &["policy.yaml"])?;

    let parts = ["../crd", "../rbac", "../manager", "../network", "../webhook"];
    let mut default = Kustomization::of(&parts).with_agent_image();
    // With Roles in other namespaces, kustomize must not move every object into one namespace.
    if options.namespaces.is_empty() {
        default = default.in_namespace(&options.namespace);
    }
    tree.text("default/kustomization.yaml", document("", &default)?);
    cert_manager_overlay::add(options, description, &mut tree)?;
    // A Deployment that mounts a client CA needs no component that does it.
    if options.client_ca.is_none() {
        client_ca::add(&mut tree)?;
    }
    gates_overlay::add(options, &mut tree)?;
    variants::add(options, description, &mut tree)?;
    kubewarden_folder(options, description, &mut tree)?;

    for (name, text) in samples::ALL {
        tree.text(&format!("samples/{name}"), (*text).to_owned());
    }
    Ok(tree.into_files())
}

const MUTATING: &str = "Rewrites annotated pods, and copies a Job's annotations to its pods. The operator or cert-manager adds clientConfig.caBundle.";
const VALIDATING: &str = "Checks caches beyond what their CRD can check, the administrator's settings, and ephemeral containers of pods with credentials. The operator or cert-manager adds clientConfig.caBundle.";

fn webhook_folder(
    options: &ManifestOptions,
    description: &Description,
    tree: &mut Tree,
) -> Result<(), ManifestError> {
    let mut names = vec!["service.yaml"];
    tree.text("webhook/service.yaml", document("", &service(options))?);
    let configurations = webhook_configurations(options, description);
    if let Some(mutating) = &configurations.mutating {
        tree.text("webhook/mutating.yaml", document(MUTATING, mutating)?);
        names.push("mutating.yaml");
    }
    if let Some(validating) = &configurations.validating {
        tree.text("webhook/validating.yaml", document(VALIDATING, validating)?);
        names.push("validating.yaml");
    }
    tree.folder("webhook", &names)
}

const POLICIES: &str = "Two policies over one module. Creations are refused while the policy server does not answer; updates go on, so that finalizers can be removed and Jobs complete. Put the administrator's settings into both.";
const POLICY_RIGHTS: &str =
    "What the policies look up. Change the account where your policy server has another one.";

fn kubewarden_folder(
    options: &ManifestOptions,
    description: &Description,
    tree: &mut Tree,
) -> Result<(), ManifestError> {
    tree.text("kubewarden/policies.yaml", documents(POLICIES, &kubewarden::policies(options, description)?)?);
    tree.text("kubewarden/rights.yaml", documents(POLICY_RIGHTS, &kubewarden::rights()?)?);
    tree.folder("kubewarden", &["rights.yaml", "policies.yaml"])
}

fn network_comment(options: &ManifestOptions) -> String {
    let ingress = if options.webhook_from.is_empty() {
        "Admits everybody to the webhook port and the metrics port: the address of the API server is not known beforehand."
    } else {
        "Admits the listed peers to the webhook port, and everybody to the metrics port."
    };
    format!(
        "{ingress} Admits the operator to DNS and to API servers on the listed ports. If yours listens on another port, or the component comes from a registry on another port, add it here."
    )
}

fn rbac_folder(
    options: &ManifestOptions,
    description: &Description,
    tree: &mut Tree,
) -> Result<(), ManifestError> {
    let mut names = vec!["service-account.yaml"];
    tree.text("rbac/service-account.yaml", document("", &rbac::service_account(options))?);
    for role in &all_roles(options, description) {
        let objects = rbac::role_objects(role, options)?;
        tree.text(&format!("rbac/{}", role.file), documents(&reasons(role), &objects)?);
        names.push(role.file);
    }
    tree.folder("rbac", &names)
}

/// The reasons of a role's rights, as a comment.
fn reasons(role: &RoleRights) -> String {
    let line =
        |right: &Right| format!("{} ({}): {}", right.resource_text(), right.verbs.join(", "), right.reason);
    role.rights.iter().map(line).collect::<Vec<_>>().join("\n")
}
