"""The records of the WIT package. Objects in them are JSON text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["normal", "warning"]


@dataclass(frozen=True)
class Kind:
    """A kind of API object."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool


@dataclass(frozen=True)
class ObjectRef:
    """One object of the API."""

    kind: Kind
    namespace: str | None
    name: str
    uid: str | None = None


@dataclass(frozen=True)
class Description:
    """What a module manages: what users write, what a plan may write, and what it reads beside that."""

    primary: Kind
    owned: list[Kind]
    related: list[Kind]
    field_manager: str


@dataclass(frozen=True)
class Failure:
    """A write of the last plan that did not succeed, with what the API server answered."""

    target: ObjectRef
    verb: str
    code: int
    reason: str
    message: str


@dataclass(frozen=True)
class Generated:
    """A key of a Secret that is filled with random bytes once; an existing one is left as it is."""

    secret: str
    key: str
    bytes: int


@dataclass(frozen=True)
class Event:
    """What happened, for people (events.k8s.io/v1)."""

    severity: Severity
    reason: str
    action: str
    note: str


@dataclass(frozen=True)
class Plan:
    """What should be done, in this order. `requeue_after` is in seconds."""

    generate: list[Generated]
    apply: list[str]
    delete: list[ObjectRef]
    status: str | None
    events: list[Event]
    requeue_after: int | None


@dataclass(frozen=True)
class Verdict:
    """The answer to an AdmissionReview. `patch` is RFC 6902, JSON text."""

    uid: str
    allowed: bool
    code: int
    message: str
    warnings: list[str]
    patch: str | None
    audit: list[tuple[str, str]]


@dataclass(frozen=True)
class Need:
    """These are not in the context: read them from the API, and ask again with `complete=True`."""

    references: list[ObjectRef]


class ModuleError(Exception):
    """The module gave no answer. The next call works: it gets a fresh instance where that is needed."""


class InvalidInput(ModuleError):
    """The input is not what the contract says; the sentence says where."""


class InternalError(ModuleError):
    """A defect of the module, which it noticed."""


class Stopped(ModuleError):
    """A defect of the module that WebAssembly noticed: it panicked, or wanted more memory than it may use."""
