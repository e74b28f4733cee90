// Reviews a pod, with every type written out.
import { ModuleError, describe, reconcile, review, type Outcome, type Plan, type Response } from 'orascache';

export function verdict(request: object, caches: readonly string[]): string {
  const outcome: Outcome = review(request, { objects: caches, complete: true, now: 1_790_000_000 });
  switch (outcome.tag) {
    case 'decided':
      return decided(outcome.val);
    case 'need':
      return outcome.val.objects.map((reference) => `${reference.kind.kind} ${reference.name}`).join(', ');
  }
}

function decided(response: Response): string {
  switch (response.verdict.tag) {
    case 'allowed':
      return response.verdict.val ?? 'unchanged';
    case 'refused':
      return response.verdict.val.message;
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

// @ts-expect-error: an outcome has no patch of its own; a verdict may have one.
export const wrong = review('{}').patch;
