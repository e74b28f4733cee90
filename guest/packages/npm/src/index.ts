/**
 * The decisions of the OrasCache operator, without a cluster: which objects a cache gets, and which requests may go on.
 *
 * Every function is pure: objects in, objects out, nothing is read, written or sent. They call the WebAssembly
 * component that the operator runs, which has no imports.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { instantiate, type Root } from './component/orascache.js';
import type { Outcome } from './component/interfaces/orascache-operator-admission.js';
import type { Description, Failure, Plan } from './component/interfaces/orascache-operator-reconciler.js';
import type { ArtifactAnswer, Kind } from './component/interfaces/orascache-operator-types.js';

export type {
  Needs,
  Outcome,
  OutcomeDecided,
  OutcomeNeed,
  Refusal,
  Response,
  Verdict,
} from './component/interfaces/orascache-operator-admission.js';
export type {
  AdmissionRule,
  Description,
  Failure,
  FailureReason,
  Generated,
  ObjectPatch,
  Plan,
  Recipe,
  WatchedKind,
} from './component/interfaces/orascache-operator-reconciler.js';
export type {
  ArtifactAnswer,
  ArtifactFinding,
  ArtifactQuestion,
  Event,
  Kind,
  ObjectRef,
  Severity,
} from './component/interfaces/orascache-operator-types.js';

/** A Kubernetes API object: JSON text, or a value that `JSON.stringify` makes into one. */
export type ApiObject = string | object;

/** Everything that a plan may depend on. */
export interface Observed {
  /** The OrasCache, with `metadata.namespace` and `metadata.uid`. */
  primary: ApiObject;
  /** Objects that belong to it; none by default. */
  owned?: readonly ApiObject[];
  /** Objects that it may refer to, Secrets as metadata only; none by default. */
  related?: readonly ApiObject[];
  /** Optional kinds that the cluster does not have; none by default. */
  absent?: readonly Kind[];
  /** Related kinds of which no objects are handed over; none by default. */
  omitted?: readonly Kind[];
  /** Writes of the last plan that did not succeed; none by default. */
  failures?: readonly Failure[];
  /** Answers to the questions of the last plan; none by default. */
  answers?: readonly ArtifactAnswer[];
  /** The administrator's settings, JSON text or an object; the guest's defaults when it is missing. */
  settings?: ApiObject;
  /** Seconds since the Unix epoch; the present by default. */
  now?: number;
}

/** What a review may depend on beside the request. */
export interface Context {
  /** OrasCaches of the request's namespace; none by default. */
  objects?: readonly ApiObject[];
  /** Whether everything that was asked for by `need` has been looked for; false by default. */
  complete?: boolean;
  /** Answers to the questions of `need`; none by default. */
  answers?: readonly ArtifactAnswer[];
  /** The administrator's settings, JSON text or an object; the guest's defaults when it is missing. */
  settings?: ApiObject;
  /** Seconds since the Unix epoch; the present by default. */
  now?: number;
}

/** Why there is no answer. */
export type Reason = 'invalid-input' | 'internal' | 'stopped';

/** The component gave no answer. The next call works: it gets a fresh instance where that is needed. */
export class ModuleError extends Error {
  override readonly name = 'ModuleError';
  /**
   * `invalid-input`: the input is not what the contract says, and the message says where. `internal`: the component
   * reported a defect of its own. `stopped`: WebAssembly stopped the component; the `cause` is what it threw.
   */
  readonly reason: Reason;

  constructor(reason: Reason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/**
 * Which kinds the component manages, and which requests it reviews.
 *
 * @throws {ModuleError} when the component is defective.
 */
export function describe(): Description {
  return call((root) => root.reconciler.describe());
}

/**
 * What to do about an OrasCache. Objects in the plan are JSON text.
 *
 * @throws {ModuleError} when an object is not what it should be.
 * @throws {TypeError} when an argument has another type than declared.
 */
export function reconcile(observed: Observed): Plan {
  const { primary, owned = [], related = [], absent = [], omitted = [] } = observed;
  const { failures = [], answers = [], settings = '', now } = observed;
  const lowered = {
    primary: text(primary),
    owned: owned.map(text),
    related: related.map(text),
    absent: [...absent],
    omitted: [...omitted],
    failures: [...failures],
    answers: [...answers],
    settings: text(settings),
    now: seconds(now),
  };
  return call((root) => root.reconciler.reconcile(lowered));
}

/**
 * Whether the request of an AdmissionReview (admission.k8s.io/v1) may go on; or the objects to ask again with. A patch
 * is JSON Patch (RFC 6902), JSON text.
 *
 * @throws {ModuleError} when the text is not an AdmissionReview, or the settings cannot be used.
 * @throws {TypeError} when an argument has another type than declared.
 */
export function review(review: ApiObject, context: Context = {}): Outcome {
  const { objects = [], complete = false, answers = [], settings = '', now } = context;
  const request = text(review);
  const lowered = {
    objects: objects.map(text),
    complete,
    answers: [...answers],
    settings: text(settings),
    now: seconds(now),
  };
  return call((root) => root.admission.review(request, lowered));
}

function text(object: ApiObject): string {
  const text = typeof object === 'string' ? object : JSON.stringify(object);
  // Half a surrogate pair has no UTF-8: it would silently arrive as another character.
  if (typeof text === 'string' && !text.isWellFormed()) {
    throw new TypeError('an object contains half a surrogate pair, which JSON text cannot: pass well-formed strings');
  }
  return text;
}

function seconds(now = Math.floor(Date.now() / 1000)): bigint {
  if (!Number.isSafeInteger(now) || now < 0) {
    throw new TypeError(`now is ${now}, but it must be the seconds since 1970: pass a whole number that is not negative`);
  }
  return BigInt(now);
}

/** Compiled once, and used for every instance. */
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
    // The instance of a call that was stopped may not be entered again, and its memory still has the arguments.
    instance = undefined;
    if (error instanceof WebAssembly.RuntimeError || error instanceof RangeError) {
      throw new ModuleError('stopped', `the component was stopped: ${error.message}`, { cause: error });
    }
    throw error;
  }
}

/** Whether this is an `error` of the WIT package rather than a failure of the call. */
function isAnswer(error: unknown): error is { payload: { tag: 'invalid-input' | 'internal'; val: string } } {
  const payload = error instanceof Error && 'payload' in error ? error.payload : undefined;
  return typeof payload === 'object' && payload !== null && 'tag' in payload && 'val' in payload;
}
