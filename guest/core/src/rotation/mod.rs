//! Replaces generated values without an outage.
//!
//! The state is in annotations of the Secret, so that it is written together with the values: a
//! plan that is made twice, or a host that starts anew, makes no change twice. One change follows
//! another when everybody who mounts the Secret has read the one before:
//!
//! 1. *Staged*: the registry accepts the former value and the new one. Clients use the former one.
//! 2. *Switched*: clients use the new value, some of them the former one still.
//! 3. *Finished*: the registry accepts the new value alone.

mod account;
mod certificate;

use crate::digest;
use crate::json::Json;
use crate::kinds::SECRET;
use crate::observed::{Object, Objects};
use crate::primary::Primary;
use crate::registry_pod::RegistryPod;
pub(crate) use certificate::{certificate_of_pods, expires, switched_everywhere_at};
use orascache_api::names::{
    ROTATION_PHASE_ANNOTATION, ROTATION_REQUEST_ANNOTATION, ROTATION_TIME_ANNOTATION,
};
use orascache_contract::time::{parse_rfc3339, rfc3339};
use orascache_contract::{Event, Recipe, Rotation, RotationStep, Severity};
use std::borrow::Cow;

/// How long it may take until every process that mounts a Secret reads what was written, in
/// seconds.
///
/// A kubelet looks at the Secrets of a pod every 60 to 90 seconds (`syncFrequency`, with a jitter
/// of a half), and may use an answer of up to 300 seconds ago in a cluster of thousands of nodes
/// (the annotation `node.alpha.kubernetes.io/ttl`). The rest is for a node that is busy, and for a
/// write that takes long: the phase counts from the time of the plan.
pub(crate) const MOUNT_SECONDS: u64 = 600;

/// How far the replacement of a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Finished,
    Staged,
    Switched,
}

impl Phase {
    fn text(self) -> &'static str {
        match self {
            Phase::Finished => "finished",
            Phase::Staged => "staged",
            Phase::Switched => "switched",
        }
    }
}

/// What the annotations of a Secret say.
struct State<'a> {
    phase: Phase,
    /// Since when, in seconds since the epoch.
    since: u64,
    /// Digest of the last request that was followed.
    request: Option<&'a str>,
}

impl<'a> State<'a> {
    /// A phase without a readable time is none: the values are replaced from the beginning. A
    /// Secret without both was never rotated. `None` where nothing says how old it is.
    fn of(secret: &Object<'a>) -> Option<Self> {
        let text = |key| secret.text_of("annotations", key);
        let request = text(ROTATION_REQUEST_ANNOTATION);
        let phases = [Phase::Finished, Phase::Staged, Phase::Switched];
        let written = text(ROTATION_PHASE_ANNOTATION);
        let phase = phases.into_iter().find(|phase| written == Some(phase.text()));
        let since = text(ROTATION_TIME_ANNOTATION).and_then(parse_rfc3339);
        if let Some((phase, since)) = phase.zip(since) {
            return Some(State { phase, since, request });
        }
        let created = secret.metadata("creationTimestamp").and_then(Json::as_str).and_then(parse_rfc3339)?;
        Some(State { phase: Phase::Finished, since: created, request })
    }

    /// The next step and when its time comes. `asked_at` is when the next rotation begins.
    fn next(&self, asked_at: Option<u64>) -> Option<(RotationStep, Phase, u64)> {
        let read_by_all = self.since.saturating_add(MOUNT_SECONDS);
        match self.phase {
            Phase::Finished => Some((RotationStep::Stage, Phase::Staged, asked_at?)),
            Phase::Staged => Some((RotationStep::Switch, Phase::Switched, read_by_all)),
            Phase::Switched => Some((RotationStep::Finish, Phase::Finished, read_by_all)),
        }
    }
}

/// What is to be done now, and when there is more to do.
#[derive(Default)]
pub(crate) struct Rotations {
    pub(crate) steps: Vec<Rotation>,
    pub(crate) events: Vec<Event>,
    /// Seconds until the next step.
    pub(crate) look_after: Option<u32>,
}

/// A Secret whose values are replaced.
struct Subject<'s, 'a> {
    secret: &'s Object<'a>,
    state: State<'a>,
    /// The request for other values that was not followed yet.
    request: Option<&'s str>,
    now: u64,
}

impl<'s, 'a> Subject<'s, 'a> {
    /// `None` where the Secret does not exist, or is not ours.
    fn find(primary: &'s Primary<'_>, owned: &'s Objects<'a>, name: &str, now: u64) -> Option<Self> {
        let secret = owned.find(&SECRET, name).filter(|secret| !secret.is_being_deleted)?;
        let state = State::of(secret)?;
        let is_new = |request: &&str| state.request != Some(&*request_digest(request));
        let request = primary.metadata.rotation_request.filter(is_new);
        Some(Subject { secret, state, request, now })
    }

    /// When the next rotation begins: now where somebody asks for it, and else at a time that
    /// depends on the age of the values.
    fn begins_at(&self, by_age: Option<u64>) -> Option<u64> {
        if self.request.is_some() { Some(self.now) } else { by_age }
    }
}

/// One change, as what is rotated says it.
struct Change<'j> {
    recipe: Recipe,
    joined: &'static str,
    /// Annotations that the change sets beside those of the rotation.
    annotation: Option<(&'static str, String)>,
    data: Option<Json<'j>>,
    /// The reason and the note of the event about it.
    event: Option<(&'static str, String)>,
}

impl Rotations {
    /// The rotation of everything that was generated for a cache. `pods` are the registry pods.
    pub(crate) fn of(
        primary: &Primary<'_>,
        owned: &Objects<'_>,
        pods: &[RegistryPod<'_, '_>],
        cluster_domain: Option<&str>,
        now: u64,
    ) -> Self {
        let mut rotations = Rotations::default();
        if primary.spec.deploy() {
            rotations.add_account(primary, owned, now);
            rotations.add_certificate(primary, owned, pods, cluster_domain, now);
        }
        rotations
    }

    /// The step whose time has come, with the phase that follows. Otherwise its time is noted.
    fn due(&mut self, subject: &Subject<'_, '_>, by_age: Option<u64>) -> Option<(RotationStep, Phase)> {
        let (step, phase, at) = subject.state.next(subject.begins_at(by_age))?;
        if subject.now < at {
            self.look_at(at, subject.now);
            return None;
        }
        Some((step, phase))
    }

    fn push(&mut self, subject: &Subject<'_, '_>, (step, phase): (RotationStep, Phase), change: Change<'_>) {
        let Subject { secret, now, .. } = *subject;
        let request = subject.request.filter(|_| step == RotationStep::Stage);
        self.events.extend(change.event.map(|(reason, note)| Event {
            severity: Severity::Normal,
            reason: reason.into(),
            action: "Rotate".into(),
            note,
        }));
        let text = |name| secret.metadata(name).cloned();
        let mut annotations: Vec<(Cow<'_, str>, Json<'_>)> = vec![
            (ROTATION_PHASE_ANNOTATION.into(), phase.text().into()),
            (ROTATION_TIME_ANNOTATION.into(), rfc3339(now).into()),
        ];
        annotations.extend(
            request.map(|request| (ROTATION_REQUEST_ANNOTATION.into(), request_digest(request).into())),
        );
        annotations.extend(change.annotation.map(|(name, value)| (name.into(), value.into())));
        let metadata = Json::object([
            ("annotations", Some(Json::Object(annotations))),
            ("name", text("name")),
            ("namespace", text("namespace")),
            ("resourceVersion", text("resourceVersion")),
            ("uid", text("uid")),
        ]);
        // The Secret as the host gets it: which state is meant, and what is set beside the values.
        let document = Json::object([
            ("apiVersion", Some("v1".into())),
            ("data", change.data),
            ("kind", Some("Secret".into())),
            ("metadata", Some(metadata)),
        ]);
        self.steps.push(Rotation {
            secret: document.to_text(),
            recipe: change.recipe,
            joined: vec![change.joined.to_owned()],
            step,
        });
        if phase != Phase::Finished {
            self.look_at(now.saturating_add(MOUNT_SECONDS), now);
        }
    }

    fn look_at(&mut self, time: u64, now: u64) {
        let seconds = u32::try_from(time.saturating_sub(now)).unwrap_or(u32::MAX);
        self.look_after = Some(self.look_after.map_or(seconds, |before| before.min(seconds)));
    }
}

/// What a Secret keeps of the annotation by which somebody asks for a rotation.
pub(crate) fn request_digest(request: &str) -> String {
    digest::of(&Json::Str(request.into()))
}
