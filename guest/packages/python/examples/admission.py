"""Reviews a pod, with every type written out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orascache import Allowed, InvalidInput, Module, Needs, Plan, Response

MODULE = Module()


def verdict(request: Mapping[str, object], caches: Sequence[str]) -> str:
    outcome: Response | Needs = MODULE.review(request, objects=caches, complete=True, now=1_790_000_000)
    if isinstance(outcome, Needs):
        return ", ".join(f"{reference.kind.kind} {reference.name}" for reference in outcome.objects)
    if isinstance(outcome.verdict, Allowed):
        return outcome.verdict.patch or "unchanged"
    return outcome.verdict.message


def children(cache: Mapping[str, object]) -> list[str]:
    try:
        plan: Plan = MODULE.reconcile(cache)
    except InvalidInput:
        return []
    return plan.apply


manager: str = MODULE.describe().field_manager
