// Reviews an AdmissionReview and plans for an OrasCache. Transpile the component first:
//   npx jco transpile orascache_component.wasm --name orascache -o component
//   node run.mjs review.json orascache.json
import { readFile } from 'node:fs/promises';
import { admission, reconciler } from './component/orascache.js';

const [review, cache] = await Promise.all(process.argv.slice(2).map((path) => readFile(path, 'utf8')));
const now = 1_790_000_000n; // Seconds since the Unix epoch: the component has no clock.

const none = { absent: [], omitted: [], failures: [], answers: [], settings: '' };
const outcome = admission.review(review, { objects: [cache], complete: true, answers: [], settings: '', now });
const plan = reconciler.reconcile({ primary: cache, owned: [], related: [], ...none, now });
console.log(JSON.stringify({ outcome, plan }, null, 2));
