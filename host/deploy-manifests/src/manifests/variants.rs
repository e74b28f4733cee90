//! Overlays and components that follow from options alone: what kustomize changes is the difference
//! between the objects without and with an option.

use super::difference::Difference;
use super::kustomize::Kustomization;
use super::tree::Tree;
use super::yaml::{document, documents};
use crate::error::ManifestError;
use crate::objects::objects;
use crate::options::ManifestOptions;
use orascache_contract::Description;

/// Namespaces that the folder `listed-namespaces` names. People put their own ones there.
pub const EXAMPLE_NAMESPACES: [&str; 2] = ["team-a", "team-b"];

/// Pods of the operator in the folder `high-availability`.
pub const AVAILABLE_REPLICAS: u16 = 3;

const NO_WEBHOOK: &str = "The same as default, without webhooks: for clusters in which the Kubewarden policy (guest/kubewarden) makes the decisions about pods, Jobs and caches.";
const LISTED: &str = "The same as default, in the namespaces team-a and team-b only. Copy this folder and put the names of yours everywhere in place of these, or write it with: orascache manifests --namespaces NAMES --directory DIR. The namespaces must exist.";
const LISTED_ROLES: &str = "In each namespace the rights on its objects.";
const AVAILABLE: &str = "Three pods of the operator, each on a node of its own. Include it in a kustomization of default, certmanager, gates, no-webhook or listed-namespaces.";

/// Adds the folders.
pub(super) fn add(
    options: &ManifestOptions,
    description: &Description,
    tree: &mut Tree,
) -> Result<(), ManifestError> {
    let default = objects(options, description)?;
    let from_default = |changed: ManifestOptions| -> Result<Difference, ManifestError> {
        Ok(Difference::between(&default, &objects(&changed, description)?))
    };

    // A client CA is for webhooks.
    let without = ManifestOptions { webhooks: false, client_ca: None, ..options.clone() };
    let folder = Kustomization::of(&["../default"]).with_agent_image();
    let folder = from_default(without)?.patch(folder)?;
    tree.text("no-webhook/kustomization.yaml", document(NO_WEBHOOK, &folder)?);

    // An operator that works in listed namespaces already needs no folder that does it.
    if options.namespaces.is_empty() {
        let namespaces = EXAMPLE_NAMESPACES.map(str::to_owned).to_vec();
        let difference = from_default(ManifestOptions { namespaces, ..options.clone() })?;
        let folder = Kustomization::of(&["../default", "roles.yaml"]).with_agent_image();
        let folder = difference.patch(folder)?;
        tree.text("listed-namespaces/kustomization.yaml", document(LISTED, &folder)?);
        tree.text("listed-namespaces/roles.yaml", documents(LISTED_ROLES, &difference.added)?);
    }

    let available =
        ManifestOptions { high_availability: true, replicas: AVAILABLE_REPLICAS, ..options.clone() };
    let component = from_default(available)?.patch(Kustomization::component())?;
    tree.text("high-availability/kustomization.yaml", document(AVAILABLE, &component)?);
    Ok(())
}
