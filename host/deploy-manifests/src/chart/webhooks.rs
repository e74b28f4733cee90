//! How the API server asks for reviews, and certificates of cert-manager.

use super::piece::{DEEPER, line};
use super::{CERT_MANAGER, Template, WEBHOOKS, set};
use crate::cert_manager;
use crate::error::ManifestError;
use crate::operator_webhooks::{service, webhook_configurations};
use crate::options::ManifestOptions;
use crate::values::to_value;
use orascache_contract::Description;
use serde_json::Value;

pub(super) fn cert_manager(options: &ManifestOptions) -> Template {
    Template::of("certificates.yaml").when(CERT_MANAGER, cert_manager::objects(options))
}

pub(super) fn template(
    options: &ManifestOptions,
    description: &Description,
) -> Result<Template, ManifestError> {
    let configurations = webhook_configurations(options, description);
    let mutating = configurations.mutating.as_ref().map(to_value).transpose()?;
    let validating = configurations.validating.as_ref().map(to_value).transpose()?;
    let mut objects = vec![to_value(&service(options))?];
    let (annotation, certificate) = cert_manager::ca_annotation(options);
    let annotations = format!(
        "{{{{- if {CERT_MANAGER} }}}}\nannotations:\n  {annotation}: {}\n{{{{- end }}}}",
        // The line is a template already.
        certificate.replace(&options.namespace, "{{ $.Release.Namespace }}")
    );
    let selector = format!(
        "namespaceSelector:\n  {{{{- include \"orascache.reviewedNamespaces\" $ | nindent {DEEPER} }}}}"
    );
    for mut configuration in mutating.into_iter().chain(validating) {
        set(&mut configuration, "/metadata/annotations", line(&annotations))?;
        let webhooks = configuration.get_mut("webhooks").and_then(Value::as_array_mut);
        for webhook in webhooks.into_iter().flatten() {
            // The webhook for the settings selects the operator's namespace.
            if webhook.pointer("/namespaceSelector/matchExpressions").is_some() {
                set(webhook, "/namespaceSelector", line(&selector))?;
            }
        }
        objects.push(configuration);
    }
    Ok(Template::of("webhooks.yaml").when(WEBHOOKS, objects))
}
