/**
 * What OrasCache decides, without a cluster: which objects a cache leads to, and what admission says about a request.
 *
 * Every function is pure: objects in, objects out, nothing is read, written or sent. Behind them is the WebAssembly
 * component that the operator runs, which has no imports.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { instantiate, type Root } from './component/orascache.js';
import type { Outcome } from './component/interfaces/orascache-operator-admission.js';
import type { Description, Failure, Plan } from './component/interfaces/orascache-operator-reconciler.js';

export type { Outcome, OutcomeDecided, OutcomeNeed, Verdict } from './component/interfaces/orascache-operator-admission.js';
export type { Description, Failure, Generated, Plan } from './component/interfaces/orascache-operator-reconciler.js';
export type { Event, Kind, ObjectRef, Severity } from './component/interfaces/orascache-operator-types.js';

/** A Kubernetes API object: JSON text, or a value that `JSON.stringify` makes into one. */
export type ApiObject = string | object;

/** What there is of an OrasCache and around it. */
export interface Observed {
  /** The OrasCache, with `metadata.namespace` and `metadata.uid`. */
  primary: ApiObject;
  /** Objects that belong to it; none by default. */
  owned?: readonly ApiObject[];
  /** Objects that it may refer to, Secrets as metadata only; none by default. */
  related?: readonly ApiObject[];
  /** Writes of the last plan that did not succeed; none by default. */
  failures?: readonly Failure[];
  /** Seconds since the Unix epoch; the present by default. */
  now?: number;
}

/** What a review may depend on beside the request. */
export interface Context {
  /** OrasCaches of the request's namespace; none by default. */
  objects?: readonly ApiObject[];
  /** Whether what was asked for by `need` has been read from the API itself; false by default. */
  complete?: boolean;
  /** The administrator's settings, JSON text or an object; the module's defaults when it is missing. */
  settings?: ApiObject;
  /** Seconds since the Unix epoch; the present by default. */
  now?: number;
}

/** Why the module gave no answer. */
export type Reason = 'invalid-input' | 'internal' | 'stopped';

/** The module gave no answer. The next call works: it gets a fresh instance where that is needed. */
export class ModuleError extends Error {
  override readonly name = 'ModuleError';
  /**
   * `invalid-input`: the input is not what the contract says, and the message says where. `internal`: a defect of the
   * module, which it noticed. `stopped`: one that WebAssembly noticed; what it threw is the `cause`.
   */
  readonly reason: Reason;

  constructor(reason: Reason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/**
 * Which kinds the module manages.
 *
 * @throws {ModuleError} when the module is defective.
 */
export function describe(): Description {
  return call((root) => root.reconciler.describe());
}

/**
 * What should be done so that the cluster becomes what an OrasCache asks for. Objects in the plan are JSON text.
 *
 * @throws {ModuleError} when an object is not what it should be.
 * @throws {TypeError} when an argument has another type than declared.
 */
export function reconcile(observed: Observed): Plan {
  const { primary, owned = [], related = [], failures = [], now } = observed;
  const lowered = {
    primary: text(primary),
    owned: owned.map(text),
    related: related.map(text),
    failures: [...failures],
    now: seconds(now),
  };
  return call((root) => root.reconciler.reconcile(lowered));
}

/**
 * What admission says about an AdmissionReview (admission.k8s.io/v1): a verdict, or the objects to ask again with. The
 * patch of a verdict is RFC 6902, JSON text.
 *
 * @throws {ModuleError} when the review is none, or the settings are not readable.
 * @throws {TypeError} when an argument has another type than declared.
 */
export function review(review: ApiObject, context: Context = {}): Outcome {
  const { objects = [], complete = false, settings = '', now } = context;
  const request = text(review);
  const lowered = { objects: objects.map(text), complete, settings: text(settings), now: seconds(now) };
  return call((root) => root.admission.review(request, lowered));
}

function text(object: ApiObject): string {
  const text = typeof object === 'string' ? object : JSON.stringify(object);
  // Half a surrogate pair has no UTF-8, and would arrive as another character without a word.
  if (typeof text === 'string' && !text.isWellFormed()) {
    throw new TypeError('an object holds half a surrogate pair, which no JSON text can carry: pass well-formed strings');
  }
  return text;
}

function seconds(now = Math.floor(Date.now() / 1000)): bigint {
  if (!Number.isSafeInteger(now) || now < 0) {
    throw new TypeError(`now is ${now}, but it counts seconds since 1970: pass a whole number that is not negative`);
  }
  return BigInt(now);
}

/** Compiled once, for however many instances. */
const modules = new Map<string, WebAssembly.Module>();
let instance: Root | undefined;

function coreModule(path: string): WebAssembly.Module {
  let module = modules.get(path);
  if (module === undefined) {
    module = new WebAssembly.Module(readFileSync(new URL(`./component/${path}`, import.meta.url)));
    modules.set(path, module);
  }
  return module;
}

function call<T>(run: (root: Root) => T): T {
  instance ??= instantiate(coreModule, {});
  try {
    return run(instance);
  } catch (error) {
    if (isAnswer(error)) {
      throw new ModuleError(error.payload.tag, error.payload.val);
    }
    // A call that was cut off leaves an instance which may not be entered again, and arguments in its memory.
    instance = undefined;
    if (error instanceof WebAssembly.RuntimeError || error instanceof RangeError) {
      throw new ModuleError('stopped', `the module was stopped: ${error.message}`, { cause: error });
    }
    throw error;
  }
}

/** Whether this is an `error` of the WIT package rather than a failure of the call. */
function isAnswer(error: unknown): error is { payload: { tag: 'invalid-input' | 'internal'; val: string } } {
  const payload = error instanceof Error && 'payload' in error ? error.payload : undefined;
  return typeof payload === 'object' && payload !== null && 'tag' in payload && 'val' in payload;
}
