// Makes the calls that a file lists and prints the answers: `node calls.mjs PACKAGE CALLS [REPEAT]`. With REPEAT it makes
// the first call that many times, in a hundred parts, and prints the microseconds of one call in the fastest part: the
// one that other work on the machine disturbed least.
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const [path, calls, repeat] = process.argv.slice(2);
const { describe, reconcile, review } = await import(pathToFileURL(`${path}/index.js`));
const functions = {
  describe: () => describe(),
  reconcile: ({ observed }) => reconcile(observed),
  review: ({ request, context }) => review(request, context),
};

function answer(call) {
  try {
    return { ok: functions[call.function](call) };
  } catch (error) {
    return { err: { [error.reason ?? error.name]: error.message } };
  }
}

const listed = JSON.parse(readFileSync(calls, 'utf8'));
if (repeat === undefined) {
  console.log(JSON.stringify(listed.map(answer)));
} else {
  const part = Math.ceil(Number(repeat) / 100);
  const times = Array.from({ length: 100 }, () => {
    const start = performance.now();
    for (let count = 0; count < part; count += 1) answer(listed[0]);
    return ((performance.now() - start) * 1000) / part;
  });
  console.log(Math.min(...times));
}
