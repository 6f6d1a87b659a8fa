// The command line inside the agent: what bin/udax.js runs, without the two seconds that loading it takes here.
// One command at a time: stdout, stderr and the exit status are the process's.
import { main } from '../dist/cli/main.js';

let last = Promise.resolve();

/** @returns {code, stdout, stderr} of `udax WORDS...` */
export function run(words) {
  const turn = last.then(() => runNow(words));
  last = turn.catch(() => {});
  return turn;
}

async function runNow(words) {
  const outcome = { code: 0, signal: null, stdout: '', stderr: '' };
  const restore = ['stdout', 'stderr'].map((name) => capture(name, outcome));
  try {
    process.exitCode = 0;
    await main(['node', 'udax', ...words]);
    outcome.code = process.exitCode;
  } finally {
    process.exitCode = 0;
    for (const undo of restore) undo();
  }
  return outcome;
}

function capture(name, outcome) {
  const stream = process[name];
  const { write } = stream;
  const listeners = stream.listeners('error');
  const chunks = [];
  stream.write = (chunk, encoding, done) => {
    // A view of mapped memory is only ours until this returns.
    chunks.push(typeof chunk === 'string' ? Buffer.from(chunk) : Buffer.from(Uint8Array.from(chunk)));
    const callback = typeof encoding === 'function' ? encoding : done;
    if (callback) process.nextTick(callback);
    return true;
  };
  return () => {
    stream.write = write;
    outcome[name] = Buffer.concat(chunks).toString('utf8');
    for (const listener of stream.listeners('error')) {
      if (!listeners.includes(listener)) stream.off('error', listener);
    }
  };
}
