//! Between the contract's types and the generated ones: the only place on the guest's side. Texts
//! move, they are not copied.

use crate::bindings::exports::orascache::operator::{
    admission, attendant, reconciler, rotating_reconciler, types,
};
use orascache_contract as contract;

fn all<A, B>(values: Vec<A>, convert: impl Fn(A) -> B) -> Vec<B> {
    values.into_iter().map(convert).collect()
}

// From the host.

pub(crate) fn observed(observed: reconciler::Observed) -> contract::Observed<String> {
    contract::Observed {
        primary: observed.primary,
        owned: observed.owned,
        related: observed.related,
        absent: all(observed.absent, kind_from),
        omitted: all(observed.omitted, kind_from),
        failures: all(observed.failures, failure),
        answers: all(observed.answers, answer),
        settings: observed.settings,
        now: observed.now,
    }
}

pub(crate) fn context(context: admission::Context) -> contract::Context<String> {
    contract::Context {
        objects: context.objects,
        complete: context.complete,
        answers: all(context.answers, answer),
        settings: context.settings,
        now: context.now,
    }
}

fn kind_from(kind: types::Kind) -> contract::Kind {
    contract::Kind {
        api_version: kind.api_version.into(),
        kind: kind.kind.into(),
        plural: kind.plural.into(),
        namespaced: kind.namespaced,
    }
}

fn object_ref_from(reference: types::ObjectRef) -> contract::ObjectRef {
    contract::ObjectRef {
        kind: kind_from(reference.kind),
        namespace: reference.namespace,
        name: reference.name,
        uid: reference.uid,
    }
}

fn failure(failure: reconciler::Failure) -> contract::Failure {
    use contract::{FailureReason, Verb};
    use reconciler::FailureReason as Reason;
    contract::Failure {
        target: object_ref_from(failure.target),
        verb: match failure.verb {
            reconciler::Verb::Create => Verb::Create,
            reconciler::Verb::Apply => Verb::Apply,
            reconciler::Verb::Patch => Verb::Patch,
            reconciler::Verb::Delete => Verb::Delete,
        },
        code: failure.code,
        reason: match failure.reason {
            Reason::NotControlled => FailureReason::NotControlled,
            Reason::FieldOwnedByOther => FailureReason::FieldOwnedByOther,
            Reason::NotPermitted => FailureReason::NotPermitted,
            Reason::Unreachable => FailureReason::Unreachable,
            Reason::Forbidden => FailureReason::Forbidden,
            Reason::Invalid => FailureReason::Invalid,
            Reason::Conflict => FailureReason::Conflict,
            Reason::NotFound => FailureReason::NotFound,
            Reason::TooManyRequests => FailureReason::TooManyRequests,
            Reason::Other(word) => FailureReason::Other(word),
        },
        message: failure.message,
    }
}

fn answer(answer: types::ArtifactAnswer) -> contract::ArtifactAnswer {
    use contract::ArtifactFinding;
    let question = answer.question;
    contract::ArtifactAnswer {
        question: contract::ArtifactQuestion {
            registry: question.registry,
            plain_http: question.plain_http,
            repository: question.repository,
            reference: question.reference,
            credentials: question.credentials.map(object_ref_from),
            aspect: match question.aspect {
                types::ArtifactAspect::Digest => contract::ArtifactAspect::Digest,
                types::ArtifactAspect::ImageConfig => contract::ArtifactAspect::ImageConfig,
            },
        },
        finding: match answer.finding {
            types::ArtifactFinding::Digest(digest) => ArtifactFinding::Digest(digest),
            types::ArtifactFinding::ImageConfig(config) => ArtifactFinding::ImageConfig(config),
            types::ArtifactFinding::Missing => ArtifactFinding::Missing,
            types::ArtifactFinding::Unknown(why) => ArtifactFinding::Unknown(why),
        },
    }
}

// To the host.

pub(crate) fn description(description: contract::Description) -> reconciler::Description {
    reconciler::Description {
        primary: kind(description.primary),
        owned: all(description.owned, watched_kind),
        related: all(description.related, watched_kind),
        field_manager: description.field_manager,
        admission: all(description.admission, admission_rule),
        sensitive: description.sensitive,
    }
}

pub(crate) fn attended(kinds: Vec<contract::AttendedKind>) -> Vec<attendant::AttendedKind> {
    all(kinds, |kind| attendant::AttendedKind {
        watched: watched_kind(kind.watched),
        related: all(kind.related, watched_kind),
    })
}

fn kind(kind: contract::Kind) -> types::Kind {
    types::Kind {
        api_version: kind.api_version.into_owned(),
        kind: kind.kind.into_owned(),
        plural: kind.plural.into_owned(),
        namespaced: kind.namespaced,
    }
}

fn watched_kind(watched: contract::WatchedKind) -> reconciler::WatchedKind {
    reconciler::WatchedKind {
        kind: kind(watched.kind),
        optional: watched.optional,
        label_selector: watched.label_selector,
        fields: watched.fields,
        patchable: watched.patchable,
    }
}

fn admission_rule(rule: contract::AdmissionRule) -> reconciler::AdmissionRule {
    let operation = |operation| match operation {
        contract::Operation::Create => reconciler::Operation::Create,
        contract::Operation::Update => reconciler::Operation::Update,
        contract::Operation::Delete => reconciler::Operation::Delete,
    };
    let condition = |condition: contract::MatchCondition| reconciler::MatchCondition {
        name: condition.name,
        expression: condition.expression,
    };
    reconciler::AdmissionRule {
        name: rule.name,
        mutating: rule.mutating,
        group: rule.group,
        versions: rule.versions,
        resources: rule.resources,
        operations: all(rule.operations, operation),
        conditions: all(rule.conditions, condition),
        on_failure: match rule.on_failure {
            contract::FailurePolicy::Fail => reconciler::FailurePolicy::Fail,
            contract::FailurePolicy::Ignore => reconciler::FailurePolicy::Ignore,
        },
        reinvoke: rule.reinvoke,
    }
}

fn object_ref(reference: contract::ObjectRef) -> types::ObjectRef {
    types::ObjectRef {
        kind: kind(reference.kind),
        namespace: reference.namespace,
        name: reference.name,
        uid: reference.uid,
    }
}

/// Without changes of generated Secrets: a host that does not know them makes none.
pub(crate) fn plan(plan: contract::Plan) -> reconciler::Plan {
    let generated = |generated: contract::Generated| reconciler::Generated {
        secret: generated.secret,
        recipe: recipe(generated.recipe),
    };
    let patch = |patch: contract::ObjectPatch| reconciler::ObjectPatch {
        target: object_ref(patch.target),
        patch: patch.patch,
    };
    reconciler::Plan {
        generate: all(plan.generate, generated),
        apply: plan.apply,
        patch: all(plan.patch, patch),
        delete: all(plan.delete, object_ref),
        status: plan.status,
        events: all(plan.events, event),
        questions: all(plan.questions, question),
        requeue_after: plan.requeue_after,
    }
}

pub(crate) fn rotating_plan(mut plan: contract::Plan) -> rotating_reconciler::RotatingPlan {
    use contract::RotationStep;
    let rotation = |rotation: contract::Rotation| rotating_reconciler::Rotation {
        secret: rotation.secret,
        recipe: recipe(rotation.recipe),
        joined: rotation.joined,
        step: match rotation.step {
            RotationStep::Stage => rotating_reconciler::RotationStep::Stage,
            RotationStep::Switch => rotating_reconciler::RotationStep::Switch,
            RotationStep::Finish => rotating_reconciler::RotationStep::Finish,
        },
    };
    let rotations = all(std::mem::take(&mut plan.rotate), rotation);
    rotating_reconciler::RotatingPlan { plan: self::plan(plan), rotations }
}

fn recipe(recipe: contract::Recipe) -> reconciler::Recipe {
    match recipe {
        contract::Recipe::Random(random) => {
            reconciler::Recipe::Random(reconciler::RandomKey { key: random.key, bytes: random.bytes })
        }
        contract::Recipe::Credentials(credentials) => {
            let account = |account: contract::Account| reconciler::Account {
                username: account.username,
                password_key: account.password_key,
            };
            reconciler::Recipe::Credentials(reconciler::Credentials {
                accounts: all(credentials.accounts, account),
                htpasswd_key: credentials.htpasswd_key,
            })
        }
        contract::Recipe::Certificate(certificate) => {
            reconciler::Recipe::Certificate(reconciler::Certificate {
                dns_names: certificate.dns_names,
                days: certificate.days,
            })
        }
    }
}

fn event(event: contract::Event) -> types::Event {
    types::Event {
        severity: match event.severity {
            contract::Severity::Normal => types::Severity::Normal,
            contract::Severity::Warning => types::Severity::Warning,
        },
        reason: event.reason.into_owned(),
        action: event.action.into_owned(),
        note: event.note,
    }
}

fn question(question: contract::ArtifactQuestion) -> types::ArtifactQuestion {
    types::ArtifactQuestion {
        registry: question.registry,
        plain_http: question.plain_http,
        repository: question.repository,
        reference: question.reference,
        credentials: question.credentials.map(object_ref),
        aspect: match question.aspect {
            contract::ArtifactAspect::Digest => types::ArtifactAspect::Digest,
            contract::ArtifactAspect::ImageConfig => types::ArtifactAspect::ImageConfig,
        },
    }
}

pub(crate) fn outcome(outcome: contract::Outcome) -> admission::Outcome {
    match outcome {
        contract::Outcome::Decided(decided) => admission::Outcome::Decided(response(decided)),
        contract::Outcome::Need(needs) => admission::Outcome::Need(admission::Needs {
            objects: all(needs.objects, object_ref),
            questions: all(needs.questions, question),
        }),
    }
}

fn response(response: contract::Response) -> admission::Response {
    admission::Response {
        uid: response.uid,
        verdict: match response.verdict {
            contract::Verdict::Allowed(patch) => admission::Verdict::Allowed(patch),
            contract::Verdict::Refused(refusal) => admission::Verdict::Refused(admission::Refusal {
                code: refusal.code,
                message: refusal.message,
            }),
        },
        warnings: response.warnings,
        audit: response.audit,
    }
}

pub(crate) fn error(error: contract::Error) -> types::Error {
    match error {
        contract::Error::InvalidInput(sentence) => types::Error::InvalidInput(sentence),
        contract::Error::Internal(sentence) => types::Error::Internal(sentence),
    }
}

#[cfg(test)]
mod tests;
