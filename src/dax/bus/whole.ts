import type { Bus } from './bus.js';
import type { BusState } from './state.js';

/** `bus.snapshot()` and `bus.restore()` as functions. */
export function snapshot(bus: Bus): BusState {
  return bus.snapshot();
}

/** @returns what could not be brought about, one line each */
export function restore(bus: Bus, state: BusState): string[] {
  return bus.restore(state);
}
