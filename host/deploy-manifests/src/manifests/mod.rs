//! The installation as a tree of kustomize folders, for those who keep manifests under version control.

mod kustomize;
mod overlay;
mod readme;
mod samples;
mod yaml;

use crate::rights::{self, Right};
use crate::settings::{Certificates, Error, Settings};
use crate::{deployment, namespace, network, objects, rbac, webhook};
use kustomize::Kustomization;
use serde::Serialize;
use yaml::document;

/// Folders of which nothing but [`files`] is made.
pub const FOLDERS: [&str; 8] =
    ["certmanager", "crd", "default", "manager", "network", "rbac", "samples", "webhook"];

/// Path of the CustomResourceDefinition.
pub const DEFINITION: &str = "crd/orascaches.yaml";

/// Paths, relative to the folder of the manifests and with `/` between their parts, and contents of all files. The
/// folder `default` has managed certificates and `certmanager` makes of it what [`Certificates::CertManager`] means,
/// whichever of them the settings name.
///
/// # Errors
/// When the settings cannot be used.
pub fn files(settings: &Settings) -> Result<Vec<(String, String)>, Error> {
    settings.check()?;
    let settings = &Settings { certificates: Certificates::Managed, ..settings.clone() };
    let mut tree = Tree::default();
    tree.text("README.md", readme::text(settings));
    tree.text(DEFINITION, document("", &objects::definition())?);
    tree.folder("crd", &["orascaches.yaml"])?;
    rbac_folder(settings, &mut tree)?;

    tree.text("manager/namespace.yaml", document("", &namespace::namespace(settings))?);
    tree.text("manager/deployment.yaml", document("", &deployment::deployment(settings))?);
    tree.text("manager/disruption-budget.yaml", document("", &namespace::disruption_budget(settings))?);
    tree.folder("manager", &["namespace.yaml", "deployment.yaml", "disruption-budget.yaml"])?;

    tree.text("webhook/service.yaml", document("", &webhook::service(settings))?);
    tree.text("webhook/mutating.yaml", document(MUTATING, &webhook::mutating(settings))?);
    tree.text("webhook/validating.yaml", document(VALIDATING, &webhook::validating(settings))?);
    tree.folder("webhook", &["service.yaml", "mutating.yaml", "validating.yaml"])?;

    tree.text("network/policy.yaml", document(NETWORK, &network::policy(settings))?);
    tree.folder("network", &["policy.yaml"])?;

    let parts = ["../crd", "../rbac", "../manager", "../network", "../webhook"];
    let default = Kustomization::of(&parts).in_namespace(&settings.namespace).with_agent_image();
    tree.text("default/kustomization.yaml", document("", &default)?);
    overlay::add(settings, &mut tree)?;

    for (name, text) in samples::ALL {
        tree.text(&format!("samples/{name}"), (*text).to_owned());
    }
    Ok(tree.0)
}

const MUTATING: &str = "Rewrites annotated pods, and hands a Job's annotations to its pods. Whoever looks after the certificate adds clientConfig.caBundle.";
const VALIDATING: &str = "Checks caches beyond what their CRD can, and the settings of an administrator. Whoever looks after the certificate adds clientConfig.caBundle.";
const NETWORK: &str = "Reviews (from the API server, whose address is not known beforehand) and metrics in; DNS and the API server out. An API server that listens on another port than 443 or 6443 needs that port here.";

fn rbac_folder(settings: &Settings, tree: &mut Tree) -> Result<(), Error> {
    tree.text("rbac/service-account.yaml", document("", &rbac::service_account(settings))?);
    let (role, binding) = rbac::caches(settings);
    tree.text("rbac/caches.yaml", pair(&rights::caches(), &role, &binding)?);
    let (role, binding) = rbac::leader_election(settings);
    tree.text("rbac/leader-election.yaml", pair(&rights::leader_election(), &role, &binding)?);
    let (role, binding) = rbac::settings(settings);
    tree.text("rbac/settings.yaml", pair(&rights::settings(), &role, &binding)?);
    let (role, binding) = rbac::certificate(settings);
    tree.text("rbac/webhook-certificate.yaml", pair(&rights::certificate(), &role, &binding)?);
    let (role, binding) = rbac::publication(settings);
    tree.text("rbac/webhook-publication.yaml", pair(&rights::publication(), &role, &binding)?);
    tree.text("rbac/users-view.yaml", document(&why(&rights::viewing()), &rbac::view())?);
    tree.text("rbac/users-edit.yaml", document(&why(&rights::editing()), &rbac::edit())?);
    tree.folder(
        "rbac",
        &[
            "service-account.yaml",
            "caches.yaml",
            "leader-election.yaml",
            "settings.yaml",
            "webhook-certificate.yaml",
            "webhook-publication.yaml",
            "users-view.yaml",
            "users-edit.yaml",
        ],
    )
}

fn pair<R: Serialize, B: Serialize>(rights: &[Right], role: &R, binding: &B) -> Result<String, Error> {
    Ok(format!("{}---\n{}", document(&why(rights), role)?, document("", binding)?))
}

/// The reasons of rights, as a comment.
fn why(rights: &[Right]) -> String {
    let line = |right: &Right| format!("{} ({}): {}", right.subject(), right.verbs.join(", "), right.why);
    rights.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[derive(Default)]
pub(crate) struct Tree(Vec<(String, String)>);

impl Tree {
    fn text(&mut self, path: &str, text: String) {
        self.0.push((path.to_owned(), text));
    }

    fn folder(&mut self, folder: &str, resources: &[&str]) -> Result<(), Error> {
        let text = document("", &Kustomization::of(resources))?;
        self.text(&format!("{folder}/kustomization.yaml"), text);
        Ok(())
    }
}
