//! The component `client-ca`: it closes the webhook port to clients without a certificate. A
//! kustomization of `default` or of `certmanager` includes it.

use super::kustomize::Kustomization;
use super::tree::Tree;
use super::yaml::document;
use crate::deployment::{client_ca_argument, client_ca_mount, client_ca_volume};
use crate::error::ManifestError;
use crate::names::{CLIENT_CA_KEY, CLIENT_CA_SECRET};
use crate::options::ClientCaSource;
use serde_json::json;

/// Adds the folder.
pub(super) fn add(tree: &mut Tree) -> Result<(), ManifestError> {
    let add = |path: &str, value: serde_json::Value| json!({"op": "add", "path": path, "value": value});
    let pod = "/spec/template/spec";
    let volume = client_ca_volume(&ClientCaSource::Secret(CLIENT_CA_SECRET.to_owned()));
    // A strategic merge patch would replace all arguments.
    let patch = [
        add(&format!("{pod}/containers/0/args/-"), json!(client_ca_argument())),
        add(&format!("{pod}/containers/0/volumeMounts/-"), json!(client_ca_mount())),
        add(&format!("{pod}/volumes/-"), json!(volume)),
    ];
    let comment = format!(
        "Only clients with a certificate by the CA in the Secret {CLIENT_CA_SECRET}, key {CLIENT_CA_KEY}, may ask for reviews. Give the API server such a certificate first."
    );
    let component = Kustomization::component().with_deployment_patched(&document("", &patch)?);
    tree.text("client-ca/kustomization.yaml", document(&comment, &component)?);
    Ok(())
}
