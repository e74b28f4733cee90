"""Makes the calls that a file lists and prints the answers: `python calls.py COMPONENT CALLS
[REPEAT]`.

COMPONENT is `-` for the component of the package. With REPEAT it makes the first call that many
times, in a hundred parts, and prints the microseconds of one call in the fastest part: the one that
other work on the machine disturbed least.

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
    ArtifactAnswer,
    ArtifactQuestion,
    Certificate,
    Credentials,
    Digest,
    Failure,
    ImageConfig,
    InternalError,
    InvalidInput,
    Kind,
    Missing,
    Module,
    Needs,
    ObjectRef,
    Other,
    RandomKey,
    Refused,
    Response,
    Stopped,
    Unknown,
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
FINDINGS = {"digest": Digest, "image-config": ImageConfig, "unknown": Unknown}


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


def reference(value: dict[str, Any]) -> ObjectRef:
    return ObjectRef(kind(value["kind"]), value.get("namespace"), value["name"], value.get("uid"))


def failure(value: dict[str, Any]) -> Failure:
    reason = value["reason"]
    named = Other(reason["val"]) if reason["tag"] == "other" else reason["tag"]
    return Failure(reference(value["target"]), value["verb"], value["code"], named, value["message"])


def finding(value: dict[str, Any]) -> ArtifactAnswer:
    asked, found = value["question"], value["finding"]
    question = ArtifactQuestion(
        registry=asked["registry"],
        plain_http=asked["plainHttp"],
        repository=asked["repository"],
        reference=asked["reference"],
        credentials=reference(asked["credentials"]) if "credentials" in asked else None,
        aspect=asked["aspect"],
    )
    return ArtifactAnswer(question, FINDINGS[found["tag"]](found["val"]) if "val" in found else Missing())


#: How to convert the items of these lists.
ITEMS = {"absent": kind, "omitted": kind, "failures": failure, "answers": finding}


def arguments(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: [ITEMS[name](one) for one in value] if name in ITEMS else value for name, value in values.items()
    }


def make(module: Module, call: dict[str, Any]) -> Any:
    if call["function"] == "describe":
        return module.describe()
    if call["function"] == "reconcile":
        return module.reconcile(**arguments(call["observed"]))
    return module.review(call["request"], **arguments(call["context"]))


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
