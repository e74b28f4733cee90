//! NetworkPolicies, and what gates need besides.

use super::piece::{bare, line, value};
use super::{GATES, NETWORK_POLICY, Template, WEBHOOKS, set};
use crate::error::ManifestError;
use crate::options::ManifestOptions;
use crate::peers::parse_peer;
use crate::values::to_value;
use crate::{gates, network};
use serde_json::{Value, json};

const FROM: &str = "$.Values.webhooks.from";

pub(super) fn template(options: &ManifestOptions) -> Result<Template, ManifestError> {
    let ingress = |options: &ManifestOptions| -> Result<Vec<Value>, ManifestError> {
        let policy = to_value(&network::policy(options))?;
        Ok(policy.pointer("/spec/ingress").and_then(Value::as_array).cloned().unwrap_or_default())
    };
    let everybody = ingress(options)?;
    let closed = ingress(&ManifestOptions { webhooks: false, ..options.clone() })?;
    let webhook_from = vec![parse_peer("10.0.0.0/8")?];
    let mut peers = ingress(&ManifestOptions { webhook_from, ..options.clone() })?;
    for rule in peers.iter_mut().filter(|rule| rule.get("from").is_some()) {
        set(rule, "/from", value(FROM))?;
    }
    let mut rules: Vec<Value> = vec![line(&format!("{{{{- if not {WEBHOOKS} }}}}")).into()];
    rules.extend(closed);
    rules.push(line(&format!("{{{{- else if {FROM} }}}}")).into());
    rules.extend(peers);
    rules.push(line("{{- else }}").into());
    rules.extend(everybody);
    rules.push(line("{{- end }}").into());

    let mut policy = to_value(&network::policy(options))?;
    set(&mut policy, "/spec/ingress", rules)?;
    let ports = |list: &str| {
        json!({"ports": [
            line(&format!("{{{{- range {list} }}}}")), {"port": bare("."), "protocol": "TCP"}, line("{{- end }}"),
        ]})
    };
    let dns = policy.pointer("/spec/egress/0").cloned().unwrap_or_default();
    let egress_ports = "$.Values.networkPolicy.egressPorts";
    let egress = json!([
        dns,
        ports("$.Values.networkPolicy.apiPorts"),
        line(&format!("{{{{- if {egress_ports} }}}}")),
        ports(egress_ports),
        line("{{- end }}"),
    ]);
    set(&mut policy, "/spec/egress", egress)?;
    Ok(Template::of("network-policy.yaml").when(NETWORK_POLICY, vec![policy]))
}

pub(super) fn gates(options: &ManifestOptions) -> Result<Template, ManifestError> {
    let policy =
        [to_value(&gates::admission_policy(options))?, to_value(&gates::admission_policy_binding())?];
    Ok(Template::of("gates.yaml")
        .when(&format!("and {GATES} {NETWORK_POLICY}"), vec![to_value(&gates::network_policy(options))?])
        .when(GATES, policy.to_vec()))
}
