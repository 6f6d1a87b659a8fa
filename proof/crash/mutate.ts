/** How wrong orders are made from right ones: acts are dropped or moved, chosen by who did them. */
import { isFrom } from '../media/caller.js';
import type { TraceEvent } from '../media/tracer.js';

export type Choice = (event: TraceEvent) => boolean;

export const storesBy =
  (caller: RegExp): Choice =>
  (event) =>
    event.kind === 'store' && isFrom(event.caller, caller);
export const flushesBy =
  (caller: RegExp): Choice =>
  (event) =>
    event.kind === 'flush' && isFrom(event.caller, caller);
export const fencesBy =
  (caller: RegExp): Choice =>
  (event) =>
    event.kind === 'fence' && isFrom(event.caller, caller);
export const within =
  (from: number, to: number): Choice =>
  (event) =>
    (event.kind === 'store' || event.kind === 'flush') && event.at >= from && event.at + event.length <= to;
export const both =
  (...choices: Choice[]): Choice =>
  (event) =>
    choices.every((choice) => choice(event));
export const either =
  (...choices: Choice[]): Choice =>
  (event) =>
    choices.some((choice) => choice(event));

export function drop(events: readonly TraceEvent[], choice: Choice): TraceEvent[] {
  const kept = events.filter((event) => !choice(event));
  if (kept.length === events.length) throw new Error('a mutant changed nothing: no act is the one it drops');
  return kept;
}

/** Puts what is chosen before the first event of another choice, within each operation. */
export function moveBefore(events: readonly TraceEvent[], choice: Choice, target: Choice): TraceEvent[] {
  return eachOperation(events, (part) => {
    const at = part.findIndex(target);
    const moved = part.filter((event, i) => i > at && choice(event));
    if (at < 0 || moved.length === 0) return null;
    const rest = part.filter((event, i) => i <= at || !choice(event));
    return [...rest.slice(0, at), ...moved, ...rest.slice(at)];
  });
}

/** Puts what is chosen behind the last event of another choice, within each operation. */
export function moveBehind(events: readonly TraceEvent[], choice: Choice, target: Choice): TraceEvent[] {
  return eachOperation(events, (part) => {
    const at = part.findLastIndex(target);
    const moved = part.filter((event, i) => i < at && choice(event));
    if (at < 0 || moved.length === 0) return null;
    const rest = part.filter((event, i) => i >= at || !choice(event));
    const behind = rest.findLastIndex(target) + 1;
    return [...rest.slice(0, behind), ...moved, ...rest.slice(behind)];
  });
}

/** An operation ends where it returns. */
function eachOperation(
  events: readonly TraceEvent[],
  change: (part: readonly TraceEvent[]) => TraceEvent[] | null,
): TraceEvent[] {
  const result: TraceEvent[] = [];
  let changed = 0;
  for (let from = 0; from < events.length; ) {
    const mark = events.findIndex(({ kind }, i) => i >= from && kind === 'mark');
    const end = mark < 0 ? events.length : mark + 1;
    const part = events.slice(from, end);
    const mutated = change(part);
    if (mutated !== null) changed++;
    result.push(...(mutated ?? part));
    from = end;
  }
  if (changed === 0) throw new Error('a mutant changed nothing: no act is the one it moves');
  return result;
}
