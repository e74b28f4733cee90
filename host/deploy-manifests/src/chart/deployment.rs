//! The operator's Deployment.

use super::piece::{COLUMN, bare, line, optional, optional_text, text, value};
use super::{CERT_MANAGER, GATES, LISTED, MANAGED, Template, WEBHOOKS, conditional, set};
use crate::deployment::{
    GATES_VARIABLE, WEBHOOK_CONFIGURATION_VARIABLE, WEBHOOK_NAMESPACE_VARIABLE, WEBHOOK_SERVICE_VARIABLE,
    certificate_mount, certificate_volume, client_ca_argument, client_ca_mount, client_ca_volume, deployment,
};
use crate::error::ManifestError;
use crate::names::WEBHOOK_PORT_NAME;
use crate::options::{CertificateSource, ClientCaSource, ManifestOptions};
use crate::values::to_value;
use serde_json::Value;

const CLIENT_CA_SECRET: &str = "$.Values.webhooks.clientCA.secret";
const CLIENT_CA_CONFIG_MAP: &str = "$.Values.webhooks.clientCA.configMap";
const CLIENT_CA: &str = "or $.Values.webhooks.clientCA.secret $.Values.webhooks.clientCA.configMap";

const POD: &str = "/spec/template/spec";
const CONTAINER: &str = "/spec/template/spec/containers/0";

pub(super) fn template(options: &ManifestOptions) -> Result<Template, ManifestError> {
    // An operator with everything. Conditions take away what a release does not have.
    let full = ManifestOptions {
        namespaces: vec![text(&format!("join \",\" {LISTED}"))],
        client_ca: Some(ClientCaSource::Secret(text(CLIENT_CA_SECRET))),
        ..options.clone()
    };
    let issued = ManifestOptions { certificates: CertificateSource::CertManager, ..full.clone() };
    let mut object = to_value(&deployment(&full))?;
    let issued = to_value(&deployment(&issued))?;

    set(&mut object, "/spec/replicas", bare("$.Values.replicas"))?;
    let spread = "ternary \"DoNotSchedule\" \"ScheduleAnyway\" $.Values.highAvailability";
    set(&mut object, &format!("{POD}/topologySpreadConstraints/0/whenUnsatisfiable"), bare(spread))?;
    pod(&mut object)?;

    let list = |object: &Value, path: &str| {
        object.pointer(path).and_then(Value::as_array).cloned().unwrap_or_default()
    };
    let arguments = conditional(&list(&issued, &format!("{CONTAINER}/args")), argument_condition);
    set(&mut object, &format!("{CONTAINER}/args"), with_more(arguments, "$.Values.extraArgs"))?;
    let variables =
        conditional(&list(&object, &format!("{CONTAINER}/env")), |variable| match name(variable) {
            GATES_VARIABLE => Some(GATES),
            WEBHOOK_NAMESPACE_VARIABLE | WEBHOOK_SERVICE_VARIABLE | WEBHOOK_CONFIGURATION_VARIABLE => {
                Some(MANAGED)
            }
            _ => None,
        });
    set(&mut object, &format!("{CONTAINER}/env"), with_more(variables, "$.Values.extraEnv"))?;
    let ports = conditional(&list(&object, &format!("{CONTAINER}/ports")), |port| {
        (name(port) == WEBHOOK_PORT_NAME).then_some(WEBHOOKS)
    });
    set(&mut object, &format!("{CONTAINER}/ports"), ports)?;

    let (certificate, client_ca) = (certificate_mount().name, client_ca_mount().name);
    let mounts = conditional(&list(&issued, &format!("{CONTAINER}/volumeMounts")), |mount| {
        let is = |other: &str| name(mount) == other;
        if is(&certificate) { Some(CERT_MANAGER) } else { is(&client_ca).then_some(CLIENT_CA) }
    });
    set(&mut object, &format!("{CONTAINER}/volumeMounts"), with_more(mounts, "$.Values.extraVolumeMounts"))?;

    let config_map = ClientCaSource::ConfigMap(text(CLIENT_CA_CONFIG_MAP));
    let mut volumes = list(&issued, &format!("{POD}/volumes"));
    volumes.push(to_value(&client_ca_volume(&config_map))?);
    let certificate = certificate_volume().name;
    let volumes = conditional(&volumes, |volume| {
        if name(volume) == certificate {
            Some(CERT_MANAGER)
        } else if volume.get("configMap").is_some() {
            Some(CLIENT_CA_CONFIG_MAP)
        } else {
            volume.get("secret").map(|_| CLIENT_CA_SECRET)
        }
    });
    set(&mut object, &format!("{POD}/volumes"), with_more(volumes, "$.Values.extraVolumes"))?;
    Ok(Template::of("deployment.yaml").always(vec![object]))
}

/// What people say of the pods.
fn pod(object: &mut Value) -> Result<(), ManifestError> {
    let metadata = "/spec/template/metadata";
    set(object, &format!("{metadata}/annotations"), optional("$.Values.podAnnotations"))?;
    let labels =
        format!("{{{{- with $.Values.podLabels }}}}\n{{{{- toYaml . | nindent {COLUMN} }}}}\n{{{{- end }}}}");
    set(object, &format!("{metadata}/labels/podLabels"), line(&labels))?;
    set(object, &format!("{POD}/priorityClassName"), optional_text("$.Values.priorityClassName"))?;
    for (field, of) in [
        ("imagePullSecrets", "$.Values.image.pullSecrets"),
        ("nodeSelector", "$.Values.nodeSelector"),
        ("tolerations", "$.Values.tolerations"),
        ("affinity", "$.Values.affinity"),
    ] {
        set(object, &format!("{POD}/{field}"), optional(of))?;
    }
    set(object, &format!("{CONTAINER}/imagePullPolicy"), optional_text("$.Values.image.pullPolicy"))?;
    set(object, &format!("{CONTAINER}/resources"), value("$.Values.resources"))
}

fn argument_condition(argument: &Value) -> Option<&'static str> {
    let argument = argument.as_str().unwrap_or_default();
    let is = |prefix: &str| argument.starts_with(prefix);
    if is(&client_ca_argument()) {
        Some(CLIENT_CA)
    } else if is("--webhook-cert-dir=") {
        Some(CERT_MANAGER)
    } else if is("--webhook-listen=") {
        Some(WEBHOOKS)
    } else {
        is("--namespaces=").then_some(LISTED)
    }
}

/// A list with what people add to it.
fn with_more(mut list: Vec<Value>, more: &str) -> Vec<Value> {
    let lines = format!("{{{{- with {more} }}}}\n{{{{- toYaml . | nindent {COLUMN} }}}}\n{{{{- end }}}}");
    list.push(line(&lines).into());
    list
}

fn name(item: &Value) -> &str {
    item.get("name").and_then(Value::as_str).unwrap_or_default()
}
