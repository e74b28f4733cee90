//! Between the generated types of the boundary and the contract's. This is the only place in the
//! host that knows both, and it decides nothing.

use super::bindings::exports::orascache::operator::{
    admission, attendant, reconciler, rotating_reconciler, types,
};
use orascache_contract as contract;

/// What a guest says about itself.
pub(super) type Described = (reconciler::Description, Vec<attendant::AttendedKind>);
/// What a guest answers to `reconcile`.
pub(super) type GuestPlan = reconciler::Plan;
/// What a guest answers to `reconcile` where it also replaces generated values.
pub(super) type GuestRotatingPlan = rotating_reconciler::RotatingPlan;
/// What a guest answers to `review`.
pub(super) type GuestOutcome = admission::Outcome;
/// What a guest says when it has no answer.
pub(super) type GuestAnswerError = types::Error;

/// Lists that an `observed` borrows from.
pub(super) struct ObservedArguments<'a> {
    observed: &'a contract::Observed,
    owned: Vec<&'a str>,
    related: Vec<&'a str>,
    absent: Vec<types::KindParam<'a>>,
    omitted: Vec<types::KindParam<'a>>,
    failures: Vec<reconciler::Failure<'a>>,
    answers: Vec<types::ArtifactAnswer<'a>>,
}

impl<'a> ObservedArguments<'a> {
    pub(super) fn new(observed: &'a contract::Observed) -> Self {
        Self {
            observed,
            owned: observed.owned.iter().map(AsRef::as_ref).collect(),
            related: observed.related.iter().map(AsRef::as_ref).collect(),
            absent: observed.absent.iter().map(kind_param).collect(),
            omitted: observed.omitted.iter().map(kind_param).collect(),
            failures: observed.failures.iter().map(failure).collect(),
            answers: observed.answers.iter().map(answer).collect(),
        }
    }

    pub(super) fn observed(&self) -> reconciler::Observed<'_> {
        reconciler::Observed {
            primary: &self.observed.primary,
            owned: &self.owned,
            related: &self.related,
            absent: &self.absent,
            omitted: &self.omitted,
            failures: &self.failures,
            answers: &self.answers,
            settings: &self.observed.settings,
            now: self.observed.now,
        }
    }
}

/// Lists that a `context` borrows from.
pub(super) struct ContextArguments<'a> {
    context: &'a contract::Context,
    objects: Vec<&'a str>,
    answers: Vec<types::ArtifactAnswer<'a>>,
}

impl<'a> ContextArguments<'a> {
    pub(super) fn new(context: &'a contract::Context) -> Self {
        Self {
            context,
            objects: context.objects.iter().map(AsRef::as_ref).collect(),
            answers: context.answers.iter().map(answer).collect(),
        }
    }

    pub(super) fn context(&self) -> admission::Context<'_> {
        admission::Context {
            objects: &self.objects,
            complete: self.context.complete,
            answers: &self.answers,
            settings: &self.context.settings,
            now: self.context.now,
        }
    }
}

pub(super) fn description(description: reconciler::Description) -> contract::Description {
    contract::Description {
        primary: kind(description.primary),
        owned: description.owned.into_iter().map(watched_kind).collect(),
        related: description.related.into_iter().map(watched_kind).collect(),
        field_manager: description.field_manager,
        admission: description.admission.into_iter().map(admission_rule).collect(),
        sensitive: description.sensitive,
    }
}

pub(super) fn attended(kinds: Vec<attendant::AttendedKind>) -> Vec<contract::AttendedKind> {
    let kind = |kind: attendant::AttendedKind| contract::AttendedKind {
        watched: watched_kind(kind.watched),
        related: kind.related.into_iter().map(watched_kind).collect(),
    };
    kinds.into_iter().map(kind).collect()
}

pub(super) fn plan(plan: reconciler::Plan) -> contract::Plan {
    contract::Plan {
        generate: plan.generate.into_iter().map(generated).collect(),
        rotate: Vec::new(),
        apply: plan.apply,
        patch: plan.patch.into_iter().map(object_patch).collect(),
        delete: plan.delete.into_iter().map(object_ref).collect(),
        status: plan.status,
        events: plan.events.into_iter().map(event).collect(),
        questions: plan.questions.into_iter().map(question).collect(),
        requeue_after: plan.requeue_after,
    }
}

pub(super) fn rotating_plan(plan: GuestRotatingPlan) -> contract::Plan {
    let rotate = plan.rotations.into_iter().map(rotation).collect();
    contract::Plan { rotate, ..self::plan(plan.plan) }
}

/// The plan of a guest that replaces no values.
pub(super) fn without_rotations(plan: GuestPlan) -> GuestRotatingPlan {
    GuestRotatingPlan { plan, rotations: Vec::new() }
}

fn rotation(rotation: rotating_reconciler::Rotation) -> contract::Rotation {
    use rotating_reconciler::RotationStep;
    contract::Rotation {
        secret: rotation.secret,
        recipe: recipe(rotation.recipe),
        joined: rotation.joined,
        step: match rotation.step {
            RotationStep::Stage => contract::RotationStep::Stage,
            RotationStep::Switch => contract::RotationStep::Switch,
            RotationStep::Finish => contract::RotationStep::Finish,
        },
    }
}

pub(super) fn outcome(outcome: admission::Outcome) -> contract::Outcome {
    match outcome {
        admission::Outcome::Need(needs) => contract::Outcome::Need(contract::Needs {
            objects: needs.objects.into_iter().map(object_ref).collect(),
            questions: needs.questions.into_iter().map(question).collect(),
        }),
        admission::Outcome::Decided(response) => contract::Outcome::Decided(contract::Response {
            uid: response.uid,
            verdict: match response.verdict {
                admission::Verdict::Allowed(patch) => contract::Verdict::Allowed(patch),
                admission::Verdict::Refused(refusal) => contract::Verdict::Refused(contract::Refusal {
                    code: refusal.code,
                    message: refusal.message,
                }),
            },
            warnings: response.warnings,
            audit: response.audit,
        }),
    }
}

pub(super) fn error(error: types::Error) -> contract::GuestError {
    match error {
        types::Error::InvalidInput(sentence) => contract::GuestError::InvalidInput(sentence),
        types::Error::Internal(sentence) => contract::GuestError::Internal(sentence),
    }
}

fn kind(kind: types::KindResult) -> contract::Kind {
    contract::Kind {
        api_version: kind.api_version.into(),
        kind: kind.kind.into(),
        plural: kind.plural.into(),
        namespaced: kind.namespaced,
    }
}

fn kind_param(kind: &contract::Kind) -> types::KindParam<'_> {
    types::KindParam {
        api_version: &kind.api_version,
        kind: &kind.kind,
        plural: &kind.plural,
        namespaced: kind.namespaced,
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

fn object_ref_param(reference: &contract::ObjectRef) -> types::ObjectRefParam<'_> {
    types::ObjectRefParam {
        kind: kind_param(&reference.kind),
        namespace: reference.namespace.as_deref(),
        name: &reference.name,
        uid: reference.uid.as_deref(),
    }
}

fn watched_kind(watched: reconciler::WatchedKind) -> contract::WatchedKind {
    contract::WatchedKind {
        kind: kind(watched.kind),
        optional: watched.optional,
        label_selector: watched.label_selector,
        fields: watched.fields,
        patchable: watched.patchable,
    }
}

fn admission_rule(rule: reconciler::AdmissionRule) -> contract::AdmissionRule {
    contract::AdmissionRule {
        name: rule.name,
        mutating: rule.mutating,
        group: rule.group,
        versions: rule.versions,
        resources: rule.resources,
        operations: rule.operations.into_iter().map(operation).collect(),
        conditions: rule.conditions.into_iter().map(match_condition).collect(),
        on_failure: match rule.on_failure {
            reconciler::FailurePolicy::Fail => contract::FailurePolicy::Fail,
            reconciler::FailurePolicy::Ignore => contract::FailurePolicy::Ignore,
        },
        reinvoke: rule.reinvoke,
    }
}

fn operation(operation: reconciler::Operation) -> contract::Operation {
    match operation {
        reconciler::Operation::Create => contract::Operation::Create,
        reconciler::Operation::Update => contract::Operation::Update,
        reconciler::Operation::Delete => contract::Operation::Delete,
    }
}

fn match_condition(condition: reconciler::MatchCondition) -> contract::MatchCondition {
    contract::MatchCondition { name: condition.name, expression: condition.expression }
}

fn failure(failure: &contract::Failure) -> reconciler::Failure<'_> {
    reconciler::Failure {
        target: object_ref_param(&failure.target),
        verb: match failure.verb {
            contract::Verb::Create => reconciler::Verb::Create,
            contract::Verb::Apply => reconciler::Verb::Apply,
            contract::Verb::Patch => reconciler::Verb::Patch,
            contract::Verb::Delete => reconciler::Verb::Delete,
        },
        code: failure.code,
        reason: failure_reason(&failure.reason),
        message: &failure.message,
    }
}

fn failure_reason(reason: &contract::FailureReason) -> reconciler::FailureReason<'_> {
    match reason {
        contract::FailureReason::NotControlled => reconciler::FailureReason::NotControlled,
        contract::FailureReason::FieldOwnedByOther => reconciler::FailureReason::FieldOwnedByOther,
        contract::FailureReason::NotPermitted => reconciler::FailureReason::NotPermitted,
        contract::FailureReason::Unreachable => reconciler::FailureReason::Unreachable,
        contract::FailureReason::Forbidden => reconciler::FailureReason::Forbidden,
        contract::FailureReason::Invalid => reconciler::FailureReason::Invalid,
        contract::FailureReason::Conflict => reconciler::FailureReason::Conflict,
        contract::FailureReason::NotFound => reconciler::FailureReason::NotFound,
        contract::FailureReason::TooManyRequests => reconciler::FailureReason::TooManyRequests,
        contract::FailureReason::Other(word) => reconciler::FailureReason::Other(word),
    }
}

fn generated(generated: reconciler::Generated) -> contract::Generated {
    contract::Generated { secret: generated.secret, recipe: recipe(generated.recipe) }
}

fn recipe(recipe: reconciler::Recipe) -> contract::Recipe {
    match recipe {
        reconciler::Recipe::Random(random) => {
            contract::Recipe::Random(contract::RandomKey { key: random.key, bytes: random.bytes })
        }
        reconciler::Recipe::Credentials(credentials) => {
            let account = |account: reconciler::Account| contract::Account {
                username: account.username,
                password_key: account.password_key,
            };
            contract::Recipe::Credentials(contract::Credentials {
                accounts: credentials.accounts.into_iter().map(account).collect(),
                htpasswd_key: credentials.htpasswd_key,
            })
        }
        reconciler::Recipe::Certificate(certificate) => {
            contract::Recipe::Certificate(contract::Certificate {
                dns_names: certificate.dns_names,
                days: certificate.days,
            })
        }
    }
}

fn object_patch(patch: reconciler::ObjectPatch) -> contract::ObjectPatch {
    contract::ObjectPatch { target: object_ref(patch.target), patch: patch.patch }
}

fn event(event: types::Event) -> contract::Event {
    contract::Event {
        severity: match event.severity {
            types::Severity::Normal => contract::Severity::Normal,
            types::Severity::Warning => contract::Severity::Warning,
        },
        reason: event.reason.into(),
        action: event.action.into(),
        note: event.note,
    }
}

fn question(question: types::ArtifactQuestionResult) -> contract::ArtifactQuestion {
    contract::ArtifactQuestion {
        registry: question.registry,
        plain_http: question.plain_http,
        repository: question.repository,
        reference: question.reference,
        credentials: question.credentials.map(object_ref),
        aspect: match question.aspect {
            types::ArtifactAspect::Digest => contract::ArtifactAspect::Digest,
            types::ArtifactAspect::ImageConfig => contract::ArtifactAspect::ImageConfig,
        },
    }
}

fn answer(answer: &contract::ArtifactAnswer) -> types::ArtifactAnswer<'_> {
    let question = &answer.question;
    types::ArtifactAnswer {
        question: types::ArtifactQuestionParam {
            registry: &question.registry,
            plain_http: question.plain_http,
            repository: &question.repository,
            reference: &question.reference,
            credentials: question.credentials.as_ref().map(object_ref_param),
            aspect: match question.aspect {
                contract::ArtifactAspect::Digest => types::ArtifactAspect::Digest,
                contract::ArtifactAspect::ImageConfig => types::ArtifactAspect::ImageConfig,
            },
        },
        finding: match &answer.finding {
            contract::ArtifactFinding::Digest(digest) => types::ArtifactFinding::Digest(digest),
            contract::ArtifactFinding::ImageConfig(config) => types::ArtifactFinding::ImageConfig(config),
            contract::ArtifactFinding::Missing => types::ArtifactFinding::Missing,
            contract::ArtifactFinding::Unknown(why) => types::ArtifactFinding::Unknown(why),
        },
    }
}
