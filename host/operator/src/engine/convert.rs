//! Between the generated types of the boundary and the controller's plain ones. Nothing is decided here.

use super::Outcome;
use super::bindings::exports::orascache::operator::{admission, reconciler as wit, types};
use orascache_controller::contract;
use orascache_webhook::Verdict;

pub(super) fn description(description: wit::Description) -> contract::Description {
    contract::Description {
        primary: kind(description.primary),
        owned: description.owned.into_iter().map(kind).collect(),
        related: description.related.into_iter().map(kind).collect(),
        field_manager: description.field_manager,
    }
}

fn kind(kind: types::KindResult) -> contract::Kind {
    contract::Kind {
        api_version: kind.api_version,
        kind: kind.kind,
        plural: kind.plural,
        namespaced: kind.namespaced,
    }
}

pub(super) fn failure(failure: &contract::Failure) -> wit::Failure<'_> {
    let target = &failure.target;
    wit::Failure {
        target: types::ObjectRefParam {
            kind: types::KindParam {
                api_version: &target.kind.api_version,
                kind: &target.kind.kind,
                plural: &target.kind.plural,
                namespaced: target.kind.namespaced,
            },
            namespace: target.namespace.as_deref(),
            name: &target.name,
            uid: target.uid.as_deref(),
        },
        verb: &failure.verb,
        code: failure.code,
        reason: &failure.reason,
        message: &failure.message,
    }
}

pub(super) fn plan(plan: wit::Plan) -> contract::Plan {
    let generated = |generated: wit::Generated| contract::Generated {
        secret: generated.secret,
        key: generated.key,
        bytes: generated.bytes,
    };
    contract::Plan {
        generate: plan.generate.into_iter().map(generated).collect(),
        apply: plan.apply,
        delete: plan.delete.into_iter().map(object_ref).collect(),
        status: plan.status,
        events: plan.events.into_iter().map(event).collect(),
        requeue_after: plan.requeue_after,
    }
}

fn object_ref(reference: types::ObjectRefResult) -> contract::ObjectRef {
    contract::ObjectRef {
        kind: kind(reference.kind),
        namespace: reference.namespace,
        name: reference.name,
        uid: reference.uid,
    }
}

fn event(event: types::Event) -> contract::Event {
    contract::Event {
        severity: match event.severity {
            types::Severity::Normal => contract::Severity::Normal,
            types::Severity::Warning => contract::Severity::Warning,
        },
        reason: event.reason,
        action: event.action,
        note: event.note,
    }
}

pub(super) fn outcome(outcome: admission::Outcome) -> Outcome {
    match outcome {
        admission::Outcome::Need(references) => {
            Outcome::Need(references.into_iter().map(object_ref).collect())
        }
        admission::Outcome::Decided(verdict) => Outcome::Decided(Verdict {
            uid: verdict.uid,
            allowed: verdict.allowed,
            code: verdict.code,
            message: verdict.message,
            warnings: verdict.warnings,
            patch: verdict.patch,
            audit: verdict.audit,
        }),
    }
}

pub(super) fn error(error: types::Error) -> contract::DecideError {
    match error {
        types::Error::InvalidInput(sentence) => contract::DecideError::InvalidInput(sentence),
        types::Error::Internal(sentence) => contract::DecideError::Internal(sentence),
    }
}
