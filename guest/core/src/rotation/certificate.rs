//! The certificate of a registry, and its authority.
//!
//! A registry reads its certificate at its start. So the former authority is trusted until every
//! registry pod has begun after the change of the certificate was everywhere. A registry with
//! storage is restarted for that; one without loses its artifacts by a restart, and is waited for.

use super::{Change, MOUNT_SECONDS, Phase, Rotations, State, Subject};
use crate::desired;
use crate::json::Json;
use crate::kinds::{CERTIFICATE, SECRET, STATEFUL_SET};
use crate::observed::{Object, Objects};
use crate::primary::{Primary, generated_certificate};
use crate::registry_pod::RegistryPod;
use orascache_api::names::{CERTIFICATE_ANNOTATION, CERTIFICATE_EXPIRES_ANNOTATION};
use orascache_contract::RotationStep;
use orascache_contract::time::{parse_rfc3339, rfc3339};

const REASON: &str = "CertificateRotation";
const DAY: u64 = 24 * 60 * 60;
/// How long before its end a certificate is replaced, in seconds: a third of its validity.
const REMAINING: u64 = desired::CERTIFICATE_DAYS as u64 * DAY / 3;
/// Days for which certificates of versions without rotation hold.
const DAYS_BEFORE: u64 = 3_650;

/// When a certificate that is made now expires.
pub(crate) fn expires(now: u64) -> String {
    rfc3339(now.saturating_add(u64::from(desired::CERTIFICATE_DAYS) * DAY))
}

/// When the certificate in a Secret expires, in seconds since the epoch.
fn end_of(secret: &Object<'_>) -> Option<u64> {
    let written = secret.text_of("annotations", CERTIFICATE_EXPIRES_ANNOTATION).and_then(parse_rfc3339);
    written.or_else(|| {
        let created = secret.metadata("creationTimestamp").and_then(Json::as_str).and_then(parse_rfc3339)?;
        Some(created.saturating_add(DAYS_BEFORE * DAY))
    })
}

/// From when on, in seconds since the epoch, registries that start read the certificate that was
/// made last, while a former one may still be served.
pub(crate) fn switched_everywhere_at(primary: &Primary<'_>, owned: &Objects<'_>) -> Option<u64> {
    primary.spec.tls.filter(|tls| tls.is_generated())?;
    let state = State::of(owned.find(&SECRET, &generated_certificate(&primary.metadata))?)?;
    (state.phase == Phase::Switched).then(|| state.since.saturating_add(MOUNT_SECONDS))
}

/// Which certificate registry pods have to start with, where it is not the first one: pods with
/// another one are replaced. A registry without storage is not restarted for it.
pub(crate) fn certificate_of_pods(primary: &Primary<'_>, owned: &Objects<'_>, now: u64) -> Option<String> {
    let tls = primary.spec.tls.filter(|_| !primary.spec.is_ephemeral())?;
    if tls.issuer.is_some() {
        let certificate = owned.find(&CERTIFICATE, &desired::registry_service_name(primary))?;
        // cert-manager counts what it has issued.
        return match certificate.raw_status?.get("revision")? {
            Json::Int(revision) => (*revision > 1).then(|| revision.to_string()),
            _ => None,
        };
    }
    if let Some(at) = switched_everywhere_at(primary, owned).filter(|at| now >= *at) {
        return Some(rfc3339(at));
    }
    tls.is_generated().then_some(())?;
    let secret = owned.find(&SECRET, &generated_certificate(&primary.metadata))?;
    secret.text_of("annotations", CERTIFICATE_ANNOTATION).map(str::to_owned)
}

impl Rotations {
    pub(super) fn add_certificate(
        &mut self,
        primary: &Primary<'_>,
        owned: &Objects<'_>,
        pods: &[RegistryPod<'_, '_>],
        cluster_domain: Option<&str>,
        now: u64,
    ) {
        if !primary.spec.tls.is_some_and(|tls| tls.is_generated()) {
            return;
        }
        let name = generated_certificate(&primary.metadata);
        let Some(subject) = Subject::find(primary, owned, &name, now) else { return };
        let by_age = end_of(subject.secret).map(|end| end.saturating_sub(REMAINING));
        let Some(due) = self.due(&subject, by_age) else { return };
        let switched_at = subject.state.since.saturating_add(MOUNT_SECONDS);
        // The watch of the pods tells when it is so.
        if due.0 == RotationStep::Finish && !all_began_after(primary, owned, pods, switched_at) {
            return;
        }
        let (annotation, note) = match due.0 {
            RotationStep::Stage => {
                (None, Some(format!("Secret {name} gets another certificate, with another authority.")))
            }
            // The certificate was made when it was staged.
            RotationStep::Switch => {
                (Some((CERTIFICATE_EXPIRES_ANNOTATION, expires(subject.state.since))), None)
            }
            RotationStep::Finish => (
                Some((CERTIFICATE_ANNOTATION, rfc3339(switched_at))),
                Some(format!("The former authority in Secret {name} is removed.")),
            ),
        };
        let change = Change {
            recipe: desired::certificate_recipe(primary, cluster_domain),
            joined: "ca.crt",
            annotation,
            data: None,
            event: note.map(|note| (REASON, note)),
        };
        self.push(&subject, due, change);
    }
}

/// Whether every registry pod runs since a time, in seconds since the epoch. Pods that are not
/// observed may be older.
fn all_began_after(
    primary: &Primary<'_>,
    owned: &Objects<'_>,
    pods: &[RegistryPod<'_, '_>],
    time: u64,
) -> bool {
    let set = owned.find(&STATEFUL_SET, primary.metadata.name);
    let count = usize::try_from(set.map_or(0, |set| set.status.replicas)).unwrap_or(usize::MAX);
    let began_after = |pod: &RegistryPod<'_, '_>| pod.running_since().is_some_and(|since| since >= time);
    pods.len() >= count && pods.iter().all(began_after)
}
