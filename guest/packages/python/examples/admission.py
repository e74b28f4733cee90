"""What a review of a pod says, with every type spelled out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orascache import InvalidInput, Module, Need, Plan, Verdict

MODULE = Module()


def verdict(request: Mapping[str, object], caches: Sequence[str]) -> str:
    outcome: Verdict | Need = MODULE.review(request, objects=caches, complete=True, now=1_790_000_000)
    if isinstance(outcome, Need):
        return ", ".join(f"{reference.kind.kind} {reference.name}" for reference in outcome.references)
    return (outcome.patch or "unchanged") if outcome.allowed else outcome.message


def children(cache: Mapping[str, object]) -> list[str]:
    try:
        plan: Plan = MODULE.reconcile(cache)
    except InvalidInput:
        return []
    return plan.apply


manager: str = MODULE.describe().field_manager
