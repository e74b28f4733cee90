//! Installation of CustomResourceDefinitions.

use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Patch, PatchParams};
use kube::runtime::wait::{Error as WaitError, await_condition, conditions};
use kube::{Api, Client, ResourceExt};

use crate::error::DefinitionError;

/// The field manager of the definitions.
const MANAGER: &str = "fake-kube";

/// How long the API server may take to serve a kind. It takes milliseconds, unless the definition is wrong.
const ESTABLISHED: Duration = Duration::from_secs(10);

/// Applies a definition, and waits until the API server serves its kind.
pub(crate) async fn install(
    client: &Client,
    definition: &CustomResourceDefinition,
) -> Result<(), DefinitionError> {
    let name = definition.name_any();
    let refused =
        |source: kube::Error| DefinitionError::Refused { name: name.clone(), source: source.into() };
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let parameters = PatchParams::apply(MANAGER).force();
    api.patch(&name, &parameters, &Patch::Apply(definition)).await.map_err(refused)?;
    let established = await_condition(api, &name, conditions::is_crd_established());
    match tokio::time::timeout(ESTABLISHED, established).await {
        Ok(Ok(_)) => Ok(()),
        Err(_) | Ok(Err(WaitError::ProbeFailed(_))) => {
            Err(DefinitionError::NotEstablished { name: name.clone() })
        }
    }
}
