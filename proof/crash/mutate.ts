/** Makes wrong orders from right ones: acts are dropped or moved, selected by their caller. */
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

/** Moves the chosen events before the first event that matches `target`, within each operation. */
export function moveBefore(events: readonly TraceEvent[], choice: Choice, target: Choice): TraceEvent[] {
  return eachOperation(events, (part) => {
    const at = part.findIndex(target);
    const moved = part.filter((event, i) => i > at && choice(event));
    if (at < 0 || moved.length === 0) return null;
    const rest = part.filter((event, i) => i <= at || !choice(event));
    return [...rest.slice(0, at), ...moved, ...rest.slice(at)];
  });
}

/** Moves the chosen events after the last event that matches `target`, within each operation. */
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

/** Applies a change to each operation. An operation ends at its mark. */
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
