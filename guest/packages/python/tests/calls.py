"""Makes the calls that a file lists and prints the answers: `python calls.py COMPONENT CALLS [REPEAT]`.

COMPONENT is `-` for the component of the package. With REPEAT it makes the first call that many times, in a hundred
parts, and prints the microseconds of one call in the fastest part: the one that other work on the machine disturbed least.

Answers are JSON: a variant is an object with `tag` and `payload`.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from orascache import (
    Allowed,
    Certificate,
    Credentials,
    Failure,
    InternalError,
    InvalidInput,
    Kind,
    Module,
    Needs,
    ObjectRef,
    Other,
    RandomKey,
    Refused,
    Response,
    Stopped,
)

REASONS = {InvalidInput: "invalid-input", InternalError: "internal", Stopped: "stopped"}
CASES = {
    Response: "decided",
    Needs: "need",
    Refused: "refused",
    RandomKey: "random",
    Credentials: "credentials",
    Certificate: "certificate",
}


def plain(value: Any) -> Any:
    """A value of the package as JSON."""
    if isinstance(value, Allowed):
        return {"tag": "allowed", "payload": value.patch}
    if is_dataclass(value):
        members = {field.name: plain(getattr(value, field.name)) for field in fields(value)}
        case = CASES.get(type(value))
        return {"tag": case, "payload": members} if case else members
    return [plain(one) for one in value] if isinstance(value, (list, tuple)) else value


def kind(value: dict[str, Any]) -> Kind:
    return Kind(value["apiVersion"], value["kind"], value["plural"], value["namespaced"])


def failure(value: dict[str, Any]) -> Failure:
    target, reason = value["target"], value["reason"]
    reference = ObjectRef(kind(target["kind"]), target.get("namespace"), target["name"], target.get("uid"))
    named = Other(reason["val"]) if reason["tag"] == "other" else reason["tag"]
    return Failure(reference, value["verb"], value["code"], named, value["message"])


def make(module: Module, call: dict[str, Any]) -> Any:
    if call["function"] == "describe":
        return module.describe()
    if call["function"] == "reconcile":
        observed = dict(call["observed"])
        observed["omitted"] = [kind(one) for one in observed.get("omitted", [])]
        observed["failures"] = [failure(one) for one in observed.get("failures", [])]
        return module.reconcile(**observed)
    return module.review(call["request"], **call["context"])


def answer(module: Module, call: dict[str, Any]) -> Any:
    try:
        return {"ok": plain(make(module, call))}
    except Exception as error:
        return {"err": {REASONS.get(type(error), type(error).__name__): str(error)}}


def main() -> None:
    component, calls, *repeat = sys.argv[1:]
    module = Module() if component == "-" else Module(component, memory=16 << 20)
    listed = json.loads(Path(calls).read_text("utf-8"))
    if not repeat:
        json.dump([answer(module, call) for call in listed], sys.stdout)
        return
    part = -(-int(repeat[0]) // 100)
    times = []
    for _ in range(100):
        start = time.perf_counter()
        for _ in range(part):
            answer(module, listed[0])
        times.append((time.perf_counter() - start) * 1e6 / part)
    print(min(times))


main()
