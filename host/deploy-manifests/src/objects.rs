//! The whole installation as one list, in the order in which it is applied.

use crate::settings::{Certificates, Error, Settings};
use crate::{cert_manager, deployment, namespace, network, rbac, webhook};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::CustomResourceExt;
use orascache_api::orascache::OrasCache;
use serde::Serialize;
use serde_json::Value;

/// The CustomResourceDefinition of OrasCache, generated from its Rust types.
pub fn definition() -> CustomResourceDefinition {
    OrasCache::crd()
}

/// All objects of an installation. Webhook configurations come last: once they are there, annotated pods wait for
/// the operator.
///
/// # Errors
/// When the settings cannot be used.
pub fn objects(settings: &Settings) -> Result<Vec<Value>, Error> {
    settings.check()?;
    let managed = settings.certificates == Certificates::Managed;
    let mut list = List::default();
    list.add(&namespace::namespace(settings))?;
    list.add(&definition())?;
    list.add(&rbac::service_account(settings))?;
    list.add_both(&rbac::caches(settings))?;
    list.add_both(&rbac::leader_election(settings))?;
    list.add_both(&rbac::settings(settings))?;
    list.add(&rbac::view())?;
    list.add(&rbac::edit())?;
    if managed {
        list.add_both(&rbac::certificate(settings))?;
        list.add_both(&rbac::publication(settings))?;
    }
    list.add(&network::policy(settings))?;
    list.add(&namespace::disruption_budget(settings))?;
    if !managed {
        list.0.extend(cert_manager::objects(settings));
    }
    list.add(&webhook::service(settings))?;
    list.add(&deployment::deployment(settings))?;
    let (mut mutating, mut validating) = (webhook::mutating(settings), webhook::validating(settings));
    if !managed {
        annotate(&mut mutating.metadata, settings);
        annotate(&mut validating.metadata, settings);
    }
    list.add(&mutating)?;
    list.add(&validating)?;
    Ok(list.0)
}

fn annotate(metadata: &mut ObjectMeta, settings: &Settings) {
    let (annotation, certificate) = cert_manager::injection(settings);
    metadata.annotations.get_or_insert_default().insert(annotation.to_owned(), certificate);
}

#[derive(Default)]
struct List(Vec<Value>);

impl List {
    fn add<T: Serialize>(&mut self, object: &T) -> Result<(), Error> {
        self.0.push(to_value(object)?);
        Ok(())
    }

    fn add_both<A: Serialize, B: Serialize>(&mut self, (first, second): &(A, B)) -> Result<(), Error> {
        self.add(first)?;
        self.add(second)
    }
}

/// An object as JSON.
pub(crate) fn to_value<T: Serialize>(object: &T) -> Result<Value, Error> {
    serde_json::to_value(object)
        .map_err(|error| Error::Render { what: "an object".to_owned(), why: error.to_string() })
}
