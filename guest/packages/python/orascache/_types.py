"""The records and variants of the WIT package. Objects in them are JSON text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Union

Severity = Literal["normal", "warning"]
Verb = Literal["create", "apply", "patch", "delete"]
Operation = Literal["create", "update", "delete"]
FailurePolicy = Literal["fail", "ignore"]
ArtifactAspect = Literal["digest", "image-config"]


@dataclass(frozen=True)
class Kind:
    """A kind of API object."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool


@dataclass(frozen=True)
class ObjectRef:
    """Names one object."""

    kind: Kind
    namespace: str | None
    name: str
    uid: str | None = None


@dataclass(frozen=True)
class WatchedKind:
    """A kind that the host watches. `fields` are JSON pointers; `None` keeps the whole object."""

    kind: Kind
    optional: bool
    label_selector: str
    fields: list[str] | None
    patchable: bool


@dataclass(frozen=True)
class MatchCondition:
    """A CEL expression that must be true for the guest to be asked."""

    name: str
    expression: str


@dataclass(frozen=True)
class AdmissionRule:
    """Which requests the guest wants to review."""

    name: str
    mutating: bool
    group: str
    versions: list[str]
    resources: list[str]
    operations: list[Operation]
    conditions: list[MatchCondition]
    on_failure: FailurePolicy
    reinvoke: bool


@dataclass(frozen=True)
class Description:
    """What a guest manages: what users write, what a plan may write, what else it reads, what it reviews."""

    primary: Kind
    owned: list[WatchedKind]
    related: list[WatchedKind]
    field_manager: str
    admission: list[AdmissionRule]
    sensitive: list[str]


@dataclass(frozen=True)
class ArtifactQuestion:
    """A question about an artifact in a registry."""

    registry: str
    plain_http: bool
    repository: str
    reference: str
    credentials: ObjectRef | None
    aspect: ArtifactAspect


@dataclass(frozen=True)
class Digest:
    """The manifest exists and has this digest."""

    digest: str


@dataclass(frozen=True)
class ImageConfig:
    """The configuration of an image, JSON text."""

    config: str


@dataclass(frozen=True)
class Missing:
    """The registry says that there is no such artifact."""


@dataclass(frozen=True)
class Unknown:
    """There is no answer; the sentence says why."""

    why: str


ArtifactFinding = Union[Digest, ImageConfig, Missing, Unknown]


@dataclass(frozen=True)
class ArtifactAnswer:
    """A question with what was found."""

    question: ArtifactQuestion
    finding: ArtifactFinding


@dataclass(frozen=True)
class Other:
    """A reason for which the contract has no name, in the API server's own word."""

    word: str


FailureReason = Union[
    Literal[
        "not-controlled",
        "field-owned-by-other",
        "not-permitted",
        "unreachable",
        "forbidden",
        "invalid",
        "conflict",
        "not-found",
        "too-many-requests",
    ],
    Other,
]


@dataclass(frozen=True)
class Failure:
    """A write of the last plan that did not succeed. `code` is an HTTP status, 0 where no answer came."""

    target: ObjectRef
    verb: Verb
    code: int
    reason: FailureReason
    message: str


@dataclass(frozen=True)
class RandomKey:
    """Random bytes in one key of a Secret."""

    key: str
    bytes: int


@dataclass(frozen=True)
class Account:
    """An account with a random password."""

    username: str
    password_key: str


@dataclass(frozen=True)
class Credentials:
    """Accounts with random passwords, and the htpasswd file of them."""

    accounts: list[Account]
    htpasswd_key: str


@dataclass(frozen=True)
class Certificate:
    """A server certificate, signed by an authority made for it alone."""

    dns_names: list[str]
    days: int


Recipe = Union[RandomKey, Credentials, Certificate]


@dataclass(frozen=True)
class Generated:
    """A Secret that the host fills with secret values once. An existing one is left as it is."""

    secret: str
    recipe: Recipe


@dataclass(frozen=True)
class ObjectPatch:
    """A change of an object that the guest does not own. `patch` is JSON Patch (RFC 6902), JSON text."""

    target: ObjectRef
    patch: str


@dataclass(frozen=True)
class Event:
    """What happened, for people (events.k8s.io/v1)."""

    severity: Severity
    reason: str
    action: str
    note: str


@dataclass(frozen=True)
class Plan:
    """What to do, in this order. `requeue_after` is in seconds."""

    generate: list[Generated]
    apply: list[str]
    patch: list[ObjectPatch]
    delete: list[ObjectRef]
    status: str | None
    events: list[Event]
    questions: list[ArtifactQuestion]
    requeue_after: int | None


@dataclass(frozen=True)
class Allowed:
    """The request may go on, with this JSON Patch (RFC 6902) where there is one, JSON text."""

    patch: str | None


@dataclass(frozen=True)
class Refused:
    """The request may not go on. `code` is the HTTP status for the client."""

    code: int
    message: str


Verdict = Union[Allowed, Refused]


@dataclass(frozen=True)
class Response:
    """The answer to an AdmissionReview."""

    uid: str
    verdict: Verdict
    warnings: list[str]
    audit: list[tuple[str, str]]


@dataclass(frozen=True)
class Needs:
    """These are not in the context: look for them, and ask again with `complete=True`."""

    objects: list[ObjectRef]
    questions: list[ArtifactQuestion]


class ModuleError(Exception):
    """The component gave no answer. The next call works: it gets a fresh instance where that is needed."""


class InvalidInput(ModuleError):
    """The input is not what the contract says; the sentence says where."""


class InternalError(ModuleError):
    """The component reported a defect of its own."""


class Stopped(ModuleError):
    """WebAssembly stopped the component: it panicked, or needed more memory than it may use."""
