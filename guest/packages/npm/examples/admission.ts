// What a review of a pod says, with every type spelled out.
import { ModuleError, describe, reconcile, review, type Outcome, type Plan } from 'orascache';

export function verdict(request: object, caches: readonly string[]): string {
  const outcome: Outcome = review(request, { objects: caches, complete: true, now: 1_790_000_000 });
  switch (outcome.tag) {
    case 'decided':
      return outcome.val.allowed ? (outcome.val.patch ?? 'unchanged') : outcome.val.message;
    case 'need':
      return outcome.val.map((reference) => `${reference.kind.kind} ${reference.name}`).join(', ');
  }
}

export function children(cache: object): string[] {
  try {
    const plan: Plan = reconcile({ primary: cache });
    return plan.apply;
  } catch (error) {
    if (error instanceof ModuleError && error.reason === 'invalid-input') {
      return [];
    }
    throw error;
  }
}

export const manager: string = describe().fieldManager;

// @ts-expect-error: an outcome is a verdict or a need, and has no patch of its own.
export const wrong = review('{}').patch;
