// Reading the same numbers from a file mapped from the dax device and from ordinary memory of this process.
import { volumeOf } from './volumes.mjs';

function sum(numbers) {
  let total = 0;
  for (let i = 0; i < numbers.length; i++) total += numbers[i];
  return total;
}

/** @returns milliseconds of each pass over each, in turns (pass i of both are neighbours in time), and both sums */
export function compare(volume, path, passes) {
  const mapped = volumeOf(volume).open(path).mapAs(Float64Array);
  const plain = new Float64Array(mapped.length);
  plain.set(mapped);
  const times = { mapped: [], plain: [] };
  const sums = {};
  // The first rounds compile the loop and touch the pages.
  for (let pass = -3; pass < passes; pass++) {
    const order = pass % 2 === 0 ? { mapped, plain } : { plain, mapped };
    for (const [name, numbers] of Object.entries(order)) {
      const begun = performance.now();
      sums[name] = sum(numbers);
      if (pass >= 0) times[name].push(performance.now() - begun);
    }
  }
  return { times, sums, bytes: mapped.byteLength };
}

/** Fills a file with small whole numbers, so that sums are exact. */
export function fillNumbers(volume, path) {
  const numbers = volumeOf(volume).open(path, { writable: true }).mapAs(Float64Array, { writable: true });
  for (let i = 0; i < numbers.length; i++) numbers[i] = i % 1000;
}
