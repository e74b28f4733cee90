"""The component in an engine: calls, and values between Python's types and the component model's."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any, Union

from wasmtime import Engine, Store, WasmtimeError
from wasmtime.component import Component, Func, Linker, Record, Variant

from orascache._types import (
    Description,
    Event,
    Failure,
    Generated,
    InternalError,
    InvalidInput,
    Kind,
    ModuleError,
    Need,
    ObjectRef,
    Plan,
    Stopped,
    Verdict,
)

#: A Kubernetes API object: JSON text, or a mapping that `json.dumps` makes into one.
ApiObject = Union[str, Mapping[str, Any]]

_INTERFACES = {"describe": "reconciler", "reconcile": "reconciler", "review": "admission"}
#: Bytes of memory that an instance may use: as many as in the operator.
_MEMORY = 128 << 20


class Module:
    """A compiled component. Compiling takes some tenths of a second, a call much less: keep it.

    Calls from several threads are made one after the other.
    """

    def __init__(self, component: str | os.PathLike[str] | None = None, *, memory: int = _MEMORY) -> None:
        """Compiles the component of this package, or the file that is named.

        `memory` bounds what an instance may use, in bytes.

        Raises:
            OSError: the file cannot be read.
            wasmtime.WasmtimeError: it is no component.
        """
        if component is None:
            code = resources.files("orascache").joinpath("orascache.wasm").read_bytes()
        else:
            with open(component, "rb") as file:
                code = file.read()
        self._memory = memory
        self._engine = Engine()
        self._linker = Linker(self._engine)
        self._component = Component(self._engine, code)
        self._lock = threading.Lock()
        self._instance: tuple[Store, dict[str, Func]] | None = None

    def describe(self) -> Description:
        """Which kinds the module manages.

        Raises:
            ModuleError: the module is defective.
        """
        described = self._call("describe")
        return Description(
            primary=_kind(described.primary),
            owned=[_kind(kind) for kind in described.owned],
            related=[_kind(kind) for kind in described.related],
            field_manager=getattr(described, "field-manager"),
        )

    def reconcile(
        self,
        primary: ApiObject,
        *,
        owned: Sequence[ApiObject] = (),
        related: Sequence[ApiObject] = (),
        failures: Sequence[Failure] = (),
        now: int | None = None,
    ) -> Plan:
        """What should be done so that the cluster becomes what an OrasCache asks for.

        `primary` is the OrasCache with `metadata.namespace` and `metadata.uid`, `owned` are objects that belong to it,
        `related` those that it may refer to (Secrets as metadata only). `now` is in seconds since the Unix epoch, and
        the present by default.

        Raises:
            ModuleError: an object is not what it should be.
        """
        observed = _record(
            primary=_text(primary),
            owned=[_text(text) for text in owned],
            related=[_text(text) for text in related],
            failures=[_failure(failure) for failure in failures],
            now=_seconds(now),
        )
        plan = _answer(self._call("reconcile", observed))
        return Plan(
            generate=[Generated(one.secret, one.key, one.bytes) for one in plan.generate],
            apply=plan.apply,
            delete=[_reference(one) for one in plan.delete],
            status=plan.status,
            events=[Event(one.severity, one.reason, one.action, one.note) for one in plan.events],
            requeue_after=getattr(plan, "requeue-after"),
        )

    def review(
        self,
        review: ApiObject,
        *,
        objects: Sequence[ApiObject] = (),
        complete: bool = False,
        settings: ApiObject = "",
        now: int | None = None,
    ) -> Verdict | Need:
        """What admission says about an AdmissionReview (admission.k8s.io/v1).

        `objects` are OrasCaches of the request's namespace. `complete` says that what was asked for with `Need` has
        been read from the API itself. `settings` are the administrator's, the module's defaults when empty. `now` is in
        seconds since the Unix epoch, and the present by default.

        Raises:
            ModuleError: the review is none, or the settings are not readable.
        """
        context = _record(
            objects=[_text(text) for text in objects],
            complete=complete,
            settings=_text(settings),
            now=_seconds(now),
        )
        outcome = _answer(self._call("review", _text(review), context))
        # The cases of `outcome` come without their names, since a record and a list cannot be mistaken for each other.
        if isinstance(outcome, list):
            return Need([_reference(one) for one in outcome])
        return Verdict(
            uid=outcome.uid,
            allowed=outcome.allowed,
            code=outcome.code,
            message=outcome.message,
            warnings=outcome.warnings,
            patch=outcome.patch,
            audit=outcome.audit,
        )

    def _call(self, name: str, *arguments: Any) -> Any:
        with self._lock:
            # Taken out and put back: whatever a call that was cut off left behind is never entered again.
            store, functions = self._instance or self._instantiate()
            self._instance = None
            try:
                result = functions[name](store, *arguments)
            except WasmtimeError as error:
                raise Stopped(f"the module was stopped: {error}") from error
            self._instance = store, functions
            return result

    def _instantiate(self) -> tuple[Store, dict[str, Func]]:
        store = Store(self._engine)
        store.set_limits(memory_size=self._memory)
        instance = self._linker.instantiate(store, self._component)
        functions = {}
        for name, interface in _INTERFACES.items():
            export = f"orascache:operator/{interface}@0.2.0"
            exported = instance.get_export_index(store, export)
            index = exported and instance.get_export_index(store, name, exported)
            function = instance.get_func(store, index) if index else None
            if function is None:
                raise ModuleError(f"the component does not export {export}: name one of that version of the WIT package")
            functions[name] = function
        return store, functions


def _text(value: ApiObject) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _seconds(now: int | None) -> int:
    return int(time.time()) if now is None else now


def _answer(result: Any) -> Any:
    """The value of a `result`: its cases come without their names, and only errors are variants."""
    if isinstance(result, Variant):
        raise (InvalidInput if result.tag == "invalid-input" else InternalError)(result.payload)
    return result


def _record(**fields: Any) -> Record:
    record = Record()
    vars(record).update(fields)
    return record


def _failure(failure: Failure) -> Record:
    target = failure.target
    kind = _record(kind=target.kind.kind, plural=target.kind.plural, namespaced=target.kind.namespaced)
    # Fields have the names of the WIT package, and this one is no Python name.
    setattr(kind, "api-version", target.kind.api_version)
    return _record(
        target=_record(kind=kind, namespace=target.namespace, name=target.name, uid=target.uid),
        verb=failure.verb,
        code=failure.code,
        reason=failure.reason,
        message=failure.message,
    )


def _kind(record: Any) -> Kind:
    return Kind(getattr(record, "api-version"), record.kind, record.plural, record.namespaced)


def _reference(record: Any) -> ObjectRef:
    return ObjectRef(_kind(record.kind), record.namespace, record.name, record.uid)
