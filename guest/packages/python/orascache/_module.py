"""The component in an engine, and its calls."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any, Union

from wasmtime import Engine, Store, WasmtimeError
from wasmtime.component import Component, Func, Linker, Variant

from orascache import _values as values
from orascache._types import (
    ArtifactAnswer,
    Description,
    Failure,
    InternalError,
    InvalidInput,
    Kind,
    ModuleError,
    Needs,
    Plan,
    Response,
    Stopped,
)

#: A Kubernetes API object: JSON text, or a mapping that `json.dumps` makes into one.
ApiObject = Union[str, Mapping[str, Any]]

_VERSION = "0.3.2"
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
            wasmtime.WasmtimeError: it is not a component.
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
        """Which kinds the component manages, and which requests it reviews.

        Raises:
            ModuleError: the component is defective.
        """
        return values.lift_description(self._call("describe"))

    def reconcile(
        self,
        primary: ApiObject,
        *,
        owned: Sequence[ApiObject] = (),
        related: Sequence[ApiObject] = (),
        absent: Sequence[Kind] = (),
        omitted: Sequence[Kind] = (),
        failures: Sequence[Failure] = (),
        answers: Sequence[ArtifactAnswer] = (),
        settings: ApiObject = "",
        now: int | None = None,
    ) -> Plan:
        """What to do about an OrasCache.

        `primary` is the OrasCache with `metadata.namespace` and `metadata.uid`, `owned` are objects
        that belong to it, `related` those that it may refer to (Secrets as metadata only). `absent`
        are optional kinds that the cluster does not have, `omitted` related kinds of which no
        objects are handed over. `failures` are writes of the last plan that did not succeed,
        `answers` belong to its questions. `settings` are the administrator's, the component's
        defaults when empty. `now` is in seconds since the Unix epoch, and the present by default.

        Raises:
            ModuleError: an object is not what it should be, or the settings cannot be used.
        """
        observed = values.record(
            primary=_text(primary),
            owned=[_text(text) for text in owned],
            related=[_text(text) for text in related],
            absent=[values.lower_kind(kind) for kind in absent],
            omitted=[values.lower_kind(kind) for kind in omitted],
            failures=[values.lower_failure(failure) for failure in failures],
            answers=[values.lower_answer(answer) for answer in answers],
            settings=_text(settings),
            now=_seconds(now),
        )
        result = self._call("reconcile", observed)
        # The cases of this `result` come without their names: a plan is a record, and an error a
        # variant.
        if isinstance(result, Variant):
            raise _error(result)
        return values.lift_plan(result)

    def review(
        self,
        review: ApiObject,
        *,
        objects: Sequence[ApiObject] = (),
        complete: bool = False,
        answers: Sequence[ArtifactAnswer] = (),
        settings: ApiObject = "",
        now: int | None = None,
    ) -> Response | Needs:
        """Whether the request of an AdmissionReview (admission.k8s.io/v1) may go on.

        `objects` are OrasCaches of the request's namespace. `complete` says that everything that
        `Needs` names has been looked for, `answers` belong to its questions. `settings` are the
        administrator's, the component's defaults when empty. `now` is in seconds since the Unix
        epoch, and the present by default.

        Raises:
            ModuleError: the text is not an AdmissionReview, or the settings cannot be used.
        """
        context = values.record(
            objects=[_text(text) for text in objects],
            complete=complete,
            answers=[values.lower_answer(answer) for answer in answers],
            settings=_text(settings),
            now=_seconds(now),
        )
        result = self._call("review", _text(review), context)
        if result.tag == "err":
            raise _error(result.payload)
        return values.lift_outcome(result.payload)

    def _call(self, name: str, *arguments: Any) -> Any:
        with self._lock:
            # The instance is put back after the call: one whose call was stopped is never entered
            # again.
            store, functions = self._instance or self._instantiate()
            self._instance = None
            try:
                result = functions[name](store, *arguments)
            except WasmtimeError as error:
                raise Stopped(f"the component was stopped: {error}") from error
            self._instance = store, functions
            return result

    def _instantiate(self) -> tuple[Store, dict[str, Func]]:
        store = Store(self._engine)
        store.set_limits(memory_size=self._memory)
        instance = self._linker.instantiate(store, self._component)
        functions = {}
        for name, interface in _INTERFACES.items():
            export = f"orascache:operator/{interface}@{_VERSION}"
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


def _error(error: Variant) -> ModuleError:
    return (InvalidInput if error.tag == "invalid-input" else InternalError)(error.payload)
