/** The result of a replay as text. */

import type { Difference, ReplayResult } from './replay.js';
import { SKIP_REASONS, type SkipKind } from './skip.js';
import { isObject } from './transcript.js';

/** Longest value that is printed whole. */
const MAX_VALUE_LENGTH = 400;

/** Returns each difference, the kinds of skipped steps, and `N passed, N failed, N skipped` as the last line. */
export function renderReplay(result: ReplayResult): string {
  const lines = result.differences.flatMap(renderDifference);
  if (result.unscored.length > 0) {
    lines.push(
      `${result.unscored.length} answers differ in scenarios that crashed the real kernel (not scored)`,
    );
  }
  for (const [kind, count] of Object.entries(result.skippedByReason)) {
    lines.push(`skipped ${count}: ${kind} (${SKIP_REASONS[kind as SkipKind]})`);
  }
  if (result.interrupted) lines.push(`interrupted after ${result.scenarios} scenarios; of these:`);
  lines.push(`${result.passed} passed, ${result.failed} failed, ${result.skipped} skipped`);
  return lines.join('\n');
}

function renderDifference({ file, scenario, step, operation, expected, got }: Difference): string[] {
  const { op, ...args } = operation;
  return [
    `${file}: ${scenario}, step ${step}: ${String(op)} ${JSON.stringify(args)}`,
    ...renderPair('', expected, got),
  ];
}

/** Descends to the parts where two values differ, so that a long state shows one line. */
function renderPair(path: string, expected: unknown, got: unknown): string[] {
  if (isObject(expected) && isObject(got)) {
    const keys = new Set([...Object.keys(expected), ...Object.keys(got)]);
    const pairs = [...keys].flatMap((key) => renderPair(`${path}.${key}`, expected[key], got[key]));
    return pairs;
  }
  if (Array.isArray(expected) && Array.isArray(got) && expected.length === got.length) {
    return expected.flatMap((member, index) => renderPair(`${path}[${index}]`, member, got[index]));
  }
  if (JSON.stringify(expected) === JSON.stringify(got)) return [];
  const name = path.replace(/^\./, '') || 'answer';
  return [
    `    ${name}: kernel ${shorten(expected)}`,
    `    ${' '.repeat(name.length)}    ours ${shorten(got)}`,
  ];
}

function shorten(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > MAX_VALUE_LENGTH ? `${text.slice(0, MAX_VALUE_LENGTH)}...` : text;
}
