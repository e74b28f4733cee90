//! Between the core's plain types and the generated ones. Strings move, nothing is decided.

use crate::bindings::exports::orascache::operator::{admission, reconciler, types};
use orascache_core::contract as core;

pub(crate) fn description(description: core::Description) -> reconciler::Description {
    reconciler::Description {
        primary: kind(description.primary),
        owned: description.owned.into_iter().map(kind).collect(),
        related: description.related.into_iter().map(kind).collect(),
        field_manager: description.field_manager.to_owned(),
    }
}

fn kind(kind: core::Kind) -> types::Kind {
    types::Kind {
        api_version: kind.api_version.to_owned(),
        kind: kind.kind.to_owned(),
        plural: kind.plural.to_owned(),
        namespaced: kind.namespaced,
    }
}

pub(crate) fn failure(failure: reconciler::Failure) -> core::Failure {
    let target = failure.target;
    core::Failure {
        target: core::ObjectRef {
            api_version: target.kind.api_version,
            kind: target.kind.kind,
            plural: target.kind.plural,
            namespaced: target.kind.namespaced,
            namespace: target.namespace,
            name: target.name,
            uid: target.uid,
        },
        verb: failure.verb,
        code: failure.code,
        reason: failure.reason,
        message: failure.message,
    }
}

fn object_ref(reference: core::ObjectRef) -> types::ObjectRef {
    types::ObjectRef {
        kind: types::Kind {
            api_version: reference.api_version,
            kind: reference.kind,
            plural: reference.plural,
            namespaced: reference.namespaced,
        },
        namespace: reference.namespace,
        name: reference.name,
        uid: reference.uid,
    }
}

pub(crate) fn plan(plan: core::Plan) -> reconciler::Plan {
    let generated = |generated: core::Generated| reconciler::Generated {
        secret: generated.secret,
        key: generated.key.to_owned(),
        bytes: generated.bytes,
    };
    reconciler::Plan {
        generate: plan.generate.into_iter().map(generated).collect(),
        apply: plan.apply,
        delete: plan.delete.into_iter().map(object_ref).collect(),
        status: plan.status,
        events: plan.events.into_iter().map(event).collect(),
        requeue_after: plan.requeue_after,
    }
}

fn event(event: core::Event) -> types::Event {
    types::Event {
        severity: match event.severity {
            core::Severity::Normal => types::Severity::Normal,
            core::Severity::Warning => types::Severity::Warning,
        },
        reason: event.reason.to_owned(),
        action: event.action.to_owned(),
        note: event.note,
    }
}

pub(crate) fn outcome(outcome: core::Outcome) -> admission::Outcome {
    match outcome {
        core::Outcome::Decided(decided) => admission::Outcome::Decided(verdict(decided)),
        core::Outcome::Need(references) => {
            admission::Outcome::Need(references.into_iter().map(object_ref).collect())
        }
    }
}

fn verdict(verdict: core::Verdict) -> admission::Verdict {
    admission::Verdict {
        uid: verdict.uid,
        allowed: verdict.allowed,
        code: verdict.code,
        message: verdict.message,
        warnings: verdict.warnings,
        patch: verdict.patch,
        audit: verdict.audit,
    }
}

pub(crate) fn error(error: core::Error) -> types::Error {
    match error {
        core::Error::InvalidInput(sentence) => types::Error::InvalidInput(sentence),
    }
}
