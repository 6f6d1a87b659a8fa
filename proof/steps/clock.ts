/**
 * A clock that advances only when the code under test waits. So a bound in milliseconds is a number of waits, the same in every
 * run. A process that is stopped at a yield point for a second has not waited at all.
 */
export const clock = {
  now: 1_000_000,
  /** Milliseconds that this process has waited since the last reset. */
  waited: 0,
};

export function installClock(): void {
  performance.now = () => clock.now;
  Date.now = () => clock.now;
  const { wait } = Atomics;
  Atomics.wait = ((words: never, index: number, value: never, timeout?: number) => {
    if (timeout === undefined || timeout > 1000) return wait(words, index, value, timeout);
    clock.now += timeout;
    clock.waited += timeout;
    return 'timed-out';
  }) as typeof Atomics.wait;
}
