/** When an answer equals the recorded one: the rules of SCHEMA.md, "Comparing". */
import { isDeepStrictEqual } from 'node:util';
import { isObject, type Step, type StepResult } from './transcript.js';

/** True when the model's answer to a step is the kernel's. */
export function agrees(step: Step, got: StepResult): boolean {
  const wanted = step.result;
  if (wanted.ok !== got.ok) return false;
  if (step.unstable) return true;
  if (step.op === 'exec')
    return wanted.exit === got.exit && sameOutput(wanted.stdout ?? '', got.stdout ?? '');
  // When the schema gives an operation no value, the model may still return one (an mmap of a 4 KiB device).
  const ours = wanted.ok && wanted.value === undefined ? { ...got, value: undefined } : got;
  return isDeepStrictEqual(comparable(step, wanted), comparable(step, ours));
}

const COMPARED = ['errno', 'signal', 'code', 'value', 'map', 'offset', 'lsb'] as const;

function comparable(step: Step, result: StepResult): Record<string, unknown> {
  const facts: Record<string, unknown> = {};
  for (const name of COMPARED) if (result[name] !== undefined) facts[name] = result[name];
  if (facts.errno === 'ENOTSUP') facts.errno = 'EOPNOTSUPP';
  if (facts.value !== undefined) facts.value = withoutNumbers(facts.value, step);
  return facts;
}

/** Masks device numbers, wherever they appear: the kernel frees them lazily, so they are not compared. */
function withoutNumbers(value: unknown, step: Step): unknown {
  if (step.op === 'fork_inherit') return childFate(value);
  if (isObject(value) && step.op === 'stat') return { ...value, minor: undefined };
  if (typeof value === 'string' && step.op === 'read' && /(^|\/)dev$/.test(String(step.path)))
    return 'MAJ:MIN';
  if (Array.isArray(value) && step.op === 'tree') {
    return value.map((entry) =>
      isObject(entry) && entry.path === 'dev' ? { ...entry, value: 'MAJ:MIN' } : masked(entry),
    );
  }
  return masked(value);
}

/**
 * How the child of fork_inherit ended: the name of a signal, or `well`. The schema leaves the shape open, so a signal may be
 * given by name or by number.
 */
function childFate(value: unknown): string {
  const text = JSON.stringify(value) ?? '';
  const [name] = /SIG[A-Z]+/.exec(text) ?? [];
  const [number] = /\d+/.exec(text) ?? [];
  const byNumber: Record<string, string> = { 7: 'SIGBUS', 11: 'SIGSEGV' };
  return name ?? byNumber[Math.abs(Number(number ?? 0)) & 0x7f] ?? 'well';
}

function masked(value: unknown): unknown {
  if (typeof value === 'string') return value.replaceAll(/\b(MAJOR|MINOR)=\d+/g, '$1=*');
  if (Array.isArray(value)) return value.map(masked);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, masked(member)]));
}

/** Compares JSON documents by content, and anything else as text. */
function sameOutput(wanted: string, got: string): boolean {
  if (wanted === got) return true;
  const documents = [parsed(wanted), parsed(got)];
  return (
    documents.every((document) => document !== undefined) && isDeepStrictEqual(documents[0], documents[1])
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
