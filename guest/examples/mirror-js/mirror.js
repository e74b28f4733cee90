// A guest in JavaScript: a ConfigMapMirror names ConfigMaps of its namespace, and gets a copy of each under another
// name. Pure: the same input gives the same plan. There is no clock, no network and no randomness.

const CONFIG_MAP = { apiVersion: "v1", kind: "ConfigMap", plural: "configmaps", namespaced: true };

// Annotation of every copy with a digest of what was applied. Without it, a key that leaves the source would stay in
// the copy.
const APPLIED = "lab.example.com/applied";

export const types = {};

export const reconciler = {
  describe: () => ({
    primary: { apiVersion: "lab.example.com/v1", kind: "ConfigMapMirror", plural: "configmapmirrors", namespaced: true },
    owned: [watched(CONFIG_MAP)],
    related: [watched(CONFIG_MAP, ["/data", "/binaryData"])],
    fieldManager: "configmap-mirror",
    admission: [],
    sensitive: [],
  }),

  reconcile(observed) {
    const mirror = parse("the ConfigMapMirror", observed.primary);
    const plan = {
      generate: [], apply: [], patch: [], delete: [], status: null, events: [], questions: [], requeueAfter: null,
    };
    if (mirror.metadata.deletionTimestamp) return plan;
    const copies = byName(observed.owned);
    const others = byName(observed.related);
    const status = { observedGeneration: mirror.metadata.generation, copies: 0, missing: [], taken: [] };
    if (observed.failures.length) status.failures = observed.failures.map((failure) => failure.message);
    const wanted = new Set();
    for (const source of [...mirror.spec.sources].sort()) {
      const name = mirror.spec.prefix + source;
      wanted.add(name);
      const original = others.get(source);
      if (!original) status.missing.push(source);
      else if (others.has(name)) status.taken.push(name);
      else {
        const copy = copies.get(name);
        if (copy) status.copies += 1;
        if (!isCurrent(copy, original)) plan.apply.push(JSON.stringify(copyOf(original, name, mirror)));
      }
    }
    for (const [name, copy] of copies) {
      if (wanted.has(name) || copy.metadata.deletionTimestamp) continue;
      const { namespace, uid } = copy.metadata;
      plan.delete.push({ kind: CONFIG_MAP, namespace, name, uid });
    }
    const told = mirror.status?.taken ?? [];
    for (const name of status.taken.filter((name) => !told.includes(name))) {
      const note = `ConfigMap ${name} exists and is not a copy of this mirror: remove it, or set another spec.prefix.`;
      plan.events.push({ severity: "warning", reason: "NameTaken", action: "Copy", note });
    }
    if (!isSubset(status, mirror.status) || (mirror.status.failures && !status.failures)) {
      const { apiVersion, kind } = mirror;
      plan.status = JSON.stringify({ apiVersion, kind, metadata: { name: mirror.metadata.name }, status });
    }
    return plan;
  },
};

export const admission = {
  review(review) {
    const uid = parse("the review", review).request?.uid ?? "";
    // Allowed, without a patch.
    return { tag: "decided", val: { uid, verdict: { tag: "allowed", val: null }, warnings: [], audit: [] } };
  },
  checkSettings(settings) {
    if (settings) throw { tag: "invalid-input", val: "a mirror has no settings: remove them" };
  },
};

// All objects of a kind, reduced to these fields; whole without fields.
function watched(kind, fields = null) {
  return { kind, optional: false, labelSelector: "", fields, patchable: false };
}

function copyOf(original, name, mirror) {
  const { apiVersion, kind, metadata } = mirror;
  const owner = { apiVersion, kind, name: metadata.name, uid: metadata.uid, controller: true };
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: {
      name,
      namespace: metadata.namespace,
      annotations: { [APPLIED]: digest(original) },
      ownerReferences: [owner],
    },
    ...content(original),
  };
}

function content({ data = {}, binaryData = {} }) {
  return { data, binaryData };
}

function isCurrent(copy, original) {
  return (
    copy?.metadata.annotations?.[APPLIED] === digest(original) && isSubset(content(original), content(copy))
  );
}

// Whether everything that is wanted is there. Additions of other writers do not count.
function isSubset(want, have) {
  if (Array.isArray(want)) return JSON.stringify(want) === JSON.stringify(have);
  if (want === null || typeof want !== "object") return want === have;
  return have != null && Object.keys(want).every((key) => isSubset(want[key], have[key]));
}

// FNV-1a, 32 bits, of the sorted content.
function digest(original) {
  const sorted = (map) => Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1));
  const { data, binaryData } = content(original);
  let hash = 0x811c9dc5;
  for (const character of JSON.stringify([sorted(data), sorted(binaryData)])) {
    hash = Math.imul(hash ^ character.codePointAt(0), 0x01000193) >>> 0;
  }
  return hash.toString(16).padStart(8, "0");
}

function byName(texts) {
  return new Map(texts.map((text) => parse("a ConfigMap", text)).map((map) => [map.metadata.name, map]));
}

function parse(what, text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw { tag: "invalid-input", val: `${what} cannot be read: ${error.message}` };
  }
}
