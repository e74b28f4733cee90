//! Issues of a certificate that cert-manager issues.

use crate::desired::registry_service_name;
use crate::diagnosis::quoted;
use crate::issue::{Impact, Issue, Reason};
use crate::issues::Related;
use crate::json::Json;
use crate::kinds::{CERTIFICATE, SECRET};
use crate::observed::{Object, Objects};
use crate::primary::Primary;
use crate::registry_pod::RegistryPod;
use crate::rotation;
use orascache_contract::Kind;
use orascache_contract::time::{parse_rfc3339, rfc3339};

/// How long, in seconds, cert-manager may take until a certificate that is not issued counts as a
/// fault.
const ISSUING: u64 = 60;

/// The issue of a certificate that is not issued, and when it has to be looked at again, in seconds
/// since the epoch. A registry that has its Secret goes on with it.
pub(crate) fn of_certificate(
    primary: &Primary<'_>,
    related: &Related<'_, '_>,
    absent: &[Kind],
    now: u64,
) -> (Option<Issue>, Option<u64>) {
    let Some(tls) = primary.spec.tls.filter(|tls| tls.issuer.is_some() && primary.spec.deploy()) else {
        return (None, None);
    };
    let secret = tls.secret(&primary.metadata);
    let has_secret = related.objects.find(&SECRET, &secret).is_some();
    let impact = if has_secret { Impact::Warning } else { Impact::Blocking };
    if absent.contains(&CERTIFICATE) {
        let message = "spec.tls.issuerRef asks for a Certificate, but this cluster does not have that kind (cert-manager.io/v1), or the operator may not list it. Install cert-manager, or name a certificate in spec.tls.secretName.";
        return (Some(Issue::new(Reason::CertificateUnavailable, impact, message.to_owned())), None);
    }
    let name = registry_service_name(primary);
    let ready = related.owned.find(&CERTIFICATE, &name).and_then(|found| condition(found, "Ready"));
    let Some(ready) = ready.filter(|ready| text(ready, "status") == Some("False")) else {
        return (None, None);
    };
    let since = text(ready, "lastTransitionTime").and_then(parse_rfc3339).unwrap_or(now);
    let at = since.saturating_add(ISSUING);
    if now < at {
        return (None, Some(at));
    }
    let why = quoted(text(ready, "message").unwrap_or("cert-manager gives no reason"));
    let message =
        format!("Certificate {name} is not issued: {why} kubectl describe certificate {name} shows more.");
    (Some(Issue::new(Reason::CertificateNotIssued, impact, message)), None)
}

/// The issue of a registry that began before its certificate was renewed, and that the operator
/// does not restart.
pub(crate) fn of_renewal(
    primary: &Primary<'_>,
    owned: &Objects<'_>,
    pods: &[RegistryPod<'_, '_>],
    now: u64,
) -> Option<Issue> {
    let why = primary.spec.why_ephemeral()?;
    let issued = owned.find(&CERTIFICATE, &registry_service_name(primary));
    let issued = issued.and_then(|found| text(found.raw_status?, "notBefore")).and_then(parse_rfc3339);
    let replaced = rotation::switched_everywhere_at(primary, owned);
    let at = issued.or(replaced).filter(|at| *at <= now)?;
    let is_older = |pod: &RegistryPod<'_, '_>| pod.running_since().is_some_and(|since| since < at);
    let pod = pods.iter().find(|pod| is_older(pod))?.name();
    let at = rfc3339(at);
    let message = format!(
        "Pod {pod} serves with a certificate from before {at}, because a registry reads its certificate at its start and this one loses its artifacts by a restart, {why}. Before that certificate expires: kubectl delete pod {pod}."
    );
    Some(Issue::new(Reason::CertificateRenewed, Impact::Warning, message))
}

fn condition<'o>(object: &'o Object<'_>, kind: &str) -> Option<&'o Json<'o>> {
    let conditions = object.raw_status?.items("conditions");
    conditions.iter().find(|condition| text(condition, "type") == Some(kind))
}

fn text<'j>(value: &'j Json<'_>, member: &str) -> Option<&'j str> {
    value.get(member).and_then(Json::as_str)
}
