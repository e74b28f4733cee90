//! Problems of the flavour of a registry: what zot cannot do, and changing from one to the other.

use super::{Problem, report::Report};
use crate::primary::{Flavor, Provider, Spec};
use orascache_api::sentences;

/// Refuses fields that zot has nothing for.
pub(super) fn problems(spec: &Spec<'_>, report: &mut Report) {
    if let Some(name) = spec.flavor_name()
        && Flavor::of_name(name).is_none()
    {
        report.quoted("spec.flavor", name, "is none of distribution and zot");
    }
    if spec.flavor() != Flavor::Zot {
        return;
    }
    report.say_if(spec.replicas() > 1, "spec.replicas", sentences::REPLICAS_OF_ZOT);
    report.say_if(spec.secret.is_some(), "spec.secret", sentences::HTTP_SECRET_OF_ZOT);
    report.say_if(spec.metrics.is_some(), "spec.metrics", sentences::METRICS_OF_ZOT);
    report.say_if(spec.registry_http.is_some(), "spec.secrets.registryHttp", sentences::HTTP_SECRET_OF_ZOT);
    if let Some(proxy) = &spec.proxy {
        let field = "spec.proxy.credentialsSecret";
        report.say_if(proxy.credentials_secret.is_some(), field, sentences::PROXY_CREDENTIALS_OF_ZOT);
        report.say_if(proxy.ttl.is_some(), "spec.proxy.ttl", sentences::TTL_OF_ZOT);
    }
    if let Some(bucket) = spec.bucket()
        && !matches!(bucket.provider, Provider::S3 { .. })
    {
        report.say(bucket.field(), sentences::BUCKET_OF_ZOT);
    }
}

/// The problem of a change after which the registry does not understand what its storage holds.
pub(super) fn change(old: &Spec<'_>, new: &Spec<'_>) -> Option<Problem> {
    (!old.is_ephemeral() && !new.is_ephemeral() && old.flavor() != new.flavor())
        .then(|| Problem { field: "spec.flavor", message: sentences::FLAVOR_IS_FIXED.to_owned() })
}
