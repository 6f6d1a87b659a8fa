// Programs in the VM: to the end (run), or started and left to be waited for or killed.
import { spawn } from 'node:child_process';

const started = new Map();

function launch(command, { env = {}, input = '' }) {
  const child = spawn('sh', ['-c', command], { env: { ...process.env, ...env }, detached: true, cwd: '/' });
  const one = { child, stdout: '', stderr: '', watchers: new Set() };
  for (const name of ['stdout', 'stderr']) {
    child[name].setEncoding('utf8');
    child[name].on('data', (text) => {
      one[name] += text;
      for (const watch of one.watchers) watch();
    });
  }
  // Nobody need read what a program is given.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  one.ended = new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
  one.closed = new Promise((resolve) => child.once('close', resolve));
  return one;
}

function killGroup(child, signal) {
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

const outcome = async (one) => ({ ...(await one.ended), stdout: one.stdout, stderr: one.stderr });

/** A shell command to its end; killed after `timeoutMs`. A daemon that keeps its output open is not waited for. */
export async function run(command, { timeoutMs = 150_000, ...options } = {}) {
  const one = launch(command, options);
  const timer = setTimeout(() => killGroup(one.child, 'SIGKILL'), timeoutMs);
  await one.ended;
  clearTimeout(timer);
  await Promise.race([one.closed, new Promise((resolve) => setTimeout(resolve, 200))]);
  return outcome(one);
}

/** @returns the pid, which names the process from then on */
export function start(command, options = {}) {
  // exec: the pid is the program's, not the shell's.
  const one = launch(`exec ${command}`, options);
  started.set(one.child.pid, one);
  return one.child.pid;
}

/** Resolves when the process has ended and all its output is here. */
export async function wait(pid) {
  const one = started.get(pid);
  await one.closed;
  started.delete(pid);
  return outcome(one);
}

export function kill(pid, signal) {
  process.kill(pid, signal);
}

/** Resolves with the output so far once it contains a text; fails when the process ends without having said it. */
export function outputWith(pid, text) {
  const one = started.get(pid);
  return new Promise((resolve, reject) => {
    const watch = () => {
      if (!one.stdout.includes(text)) return;
      one.watchers.delete(watch);
      resolve(one.stdout);
    };
    one.watchers.add(watch);
    watch();
    void one.closed.then(() => {
      if (one.watchers.delete(watch))
        reject(new Error(`it ended without '${text}': ${one.stdout}${one.stderr}`));
    });
  });
}
