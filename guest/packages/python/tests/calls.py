"""Makes the calls that a file lists and prints the answers: `python calls.py COMPONENT CALLS [REPEAT]`.

COMPONENT is `-` for the one of the package. With REPEAT it makes the first call that many times and prints how many
microseconds one took in the fastest of a hundred parts, which other work on the machine disturbed least.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from orascache import Failure, InternalError, InvalidInput, Kind, Module, Need, ObjectRef, Stopped

REASONS = {InvalidInput: "invalid-input", InternalError: "internal", Stopped: "stopped"}


def failure(value: dict[str, Any]) -> Failure:
    target = value["target"]
    kind = target["kind"]
    reference = ObjectRef(
        Kind(kind["apiVersion"], kind["kind"], kind["plural"], kind["namespaced"]),
        target.get("namespace"),
        target["name"],
        target.get("uid"),
    )
    return Failure(reference, value["verb"], value["code"], value["reason"], value["message"])


def make(module: Module, call: dict[str, Any]) -> Any:
    if call["function"] == "describe":
        return asdict(module.describe())
    if call["function"] == "reconcile":
        observed = dict(call["observed"])
        observed["failures"] = [failure(one) for one in observed.get("failures", [])]
        return asdict(module.reconcile(**observed))
    outcome = module.review(call["request"], **call["context"])
    return {"need": asdict(outcome)["references"]} if isinstance(outcome, Need) else {"decided": asdict(outcome)}


def answer(module: Module, call: dict[str, Any]) -> Any:
    try:
        return {"ok": make(module, call)}
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
