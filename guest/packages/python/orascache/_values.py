"""Between Python's types and what wasmtime's bindings make of the component model's.

The bindings leave the name of a case away wherever Python's types tell the cases of a variant apart. Records are plain
objects whose fields have the names of the WIT package, with hyphens.
"""

from __future__ import annotations

from typing import Any

from wasmtime.component import Record, Variant

from orascache import _types as t


def record(**fields: Any) -> Record:
    """A record. Underscores in the names stand for hyphens."""
    made = Record()
    vars(made).update({name.replace("_", "-"): value for name, value in fields.items()})
    return made


def field(value: Any, name: str) -> Any:
    """A field whose name is not a Python name."""
    return getattr(value, name)


# To the component.


def lower_kind(kind: t.Kind) -> Record:
    return record(api_version=kind.api_version, kind=kind.kind, plural=kind.plural, namespaced=kind.namespaced)


def lower_reference(reference: t.ObjectRef) -> Record:
    return record(
        kind=lower_kind(reference.kind), namespace=reference.namespace, name=reference.name, uid=reference.uid
    )


def lower_failure(failure: t.Failure) -> Record:
    reason = failure.reason
    return record(
        target=lower_reference(failure.target),
        verb=failure.verb,
        code=failure.code,
        reason=Variant("other", reason.word) if isinstance(reason, t.Other) else Variant(reason),
        message=failure.message,
    )


def lower_answer(answer: t.ArtifactAnswer) -> Record:
    question = answer.question
    return record(
        question=record(
            registry=question.registry,
            plain_http=question.plain_http,
            repository=question.repository,
            reference=question.reference,
            credentials=None if question.credentials is None else lower_reference(question.credentials),
            aspect=question.aspect,
        ),
        finding=lower_finding(answer.finding),
    )


def lower_finding(finding: t.ArtifactFinding) -> Variant:
    if isinstance(finding, t.Digest):
        return Variant("digest", finding.digest)
    if isinstance(finding, t.ImageConfig):
        return Variant("image-config", finding.config)
    if isinstance(finding, t.Unknown):
        return Variant("unknown", finding.why)
    return Variant("missing")


# From the component.


def lift_kind(value: Any) -> t.Kind:
    return t.Kind(field(value, "api-version"), value.kind, value.plural, value.namespaced)


def lift_reference(value: Any) -> t.ObjectRef:
    return t.ObjectRef(lift_kind(value.kind), value.namespace, value.name, value.uid)


def lift_watched(value: Any) -> t.WatchedKind:
    return t.WatchedKind(
        kind=lift_kind(value.kind),
        optional=value.optional,
        label_selector=field(value, "label-selector"),
        fields=value.fields,
        patchable=value.patchable,
    )


def lift_rule(value: Any) -> t.AdmissionRule:
    return t.AdmissionRule(
        name=value.name,
        mutating=value.mutating,
        group=value.group,
        versions=value.versions,
        resources=value.resources,
        operations=value.operations,
        conditions=[t.MatchCondition(one.name, one.expression) for one in value.conditions],
        on_failure=field(value, "on-failure"),
        reinvoke=value.reinvoke,
    )


def lift_description(value: Any) -> t.Description:
    return t.Description(
        primary=lift_kind(value.primary),
        owned=[lift_watched(one) for one in value.owned],
        related=[lift_watched(one) for one in value.related],
        field_manager=field(value, "field-manager"),
        admission=[lift_rule(one) for one in value.admission],
        sensitive=value.sensitive,
    )


def lift_question(value: Any) -> t.ArtifactQuestion:
    return t.ArtifactQuestion(
        registry=value.registry,
        plain_http=field(value, "plain-http"),
        repository=value.repository,
        reference=value.reference,
        credentials=None if value.credentials is None else lift_reference(value.credentials),
        aspect=value.aspect,
    )


def lift_recipe(value: Any) -> t.Recipe:
    made = value.payload
    if value.tag == "random":
        return t.RandomKey(made.key, made.bytes)
    if value.tag == "credentials":
        accounts = [t.Account(one.username, field(one, "password-key")) for one in made.accounts]
        return t.Credentials(accounts, field(made, "htpasswd-key"))
    return t.Certificate(field(made, "dns-names"), made.days)


def lift_plan(value: Any) -> t.Plan:
    return t.Plan(
        generate=[t.Generated(one.secret, lift_recipe(one.recipe)) for one in value.generate],
        apply=value.apply,
        patch=[t.ObjectPatch(lift_reference(one.target), one.patch) for one in value.patch],
        delete=[lift_reference(one) for one in value.delete],
        status=value.status,
        events=[t.Event(one.severity, one.reason, one.action, one.note) for one in value.events],
        questions=[lift_question(one) for one in value.questions],
        requeue_after=field(value, "requeue-after"),
    )


def lift_verdict(value: Any) -> t.Verdict:
    # Without names of cases: nothing or text for `allowed`, a record for `refused`.
    if value is None or isinstance(value, str):
        return t.Allowed(value)
    return t.Refused(value.code, value.message)


def lift_outcome(value: Any) -> t.Response | t.Needs:
    made = value.payload
    if value.tag == "need":
        return t.Needs(
            [lift_reference(one) for one in made.objects], [lift_question(one) for one in made.questions]
        )
    return t.Response(made.uid, lift_verdict(made.verdict), made.warnings, made.audit)
