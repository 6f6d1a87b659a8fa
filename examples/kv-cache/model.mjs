// A made-up model: the keys and values of a block of tokens follow from the prefix's name and the block's number, by some arithmetic that takes time.
export const BLOCK_BYTES = 262_144;
export const PREFIXES = 12;
export const BLOCKS_OF_PREFIX = 4;

/** Computes a block. worker.py computes the same bytes. */
export function computeBlock(prefix, number) {
  const block = new Uint8Array(BLOCK_BYTES);
  fillBlock(block, prefix, number);
  return block;
}

export function fillBlock(block, prefix, number) {
  const seed = seedOf(prefix, number);
  for (let at = 0; at < block.length; at++) block[at] = (seed + at * 7 + (at >> 8)) & 0xff;
}

/** Whether some bytes of a block are right: what the model would read. */
export function isRight(block, prefix, number) {
  const seed = seedOf(prefix, number);
  for (let at = 0; at < block.length; at += 997)
    if (block[at] !== ((seed + at * 7 + (at >> 8)) & 0xff)) return false;
  return block.length === BLOCK_BYTES;
}

function seedOf(prefix, number) {
  let seed = number * 101;
  for (const letter of prefix) seed = (seed * 31 + letter.charCodeAt(0)) & 0xffff;
  return seed;
}
