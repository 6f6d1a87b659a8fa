// A process that works on an arena, on the built package. usage: child.mjs IMAGE ACT SEED COUNT
// write: puts, reserves, deletes and evicts keys of its own; reports each commit and delete on stdout, before and after.
// read: gets keys of all, checks each value while it is pinned.

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { openArena } from '../../dist/arena/index.js';
import { mountFamfs } from '../../dist/index.js';

const [image, act, seedText, countText] = process.argv.slice(2);
let state = Number(seedText) * 2654435761 + 1;
const random = (below) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * below);
};
const volume = mountFamfs(image, { clientWrites: true });
const arena = openArena(volume, '/kv', { lockWaitMs: 20_000 });
const say = (line) => fs.writeSync(1, `${line}\n`);
const KEYS = 40;

/** Bytes whose beginning names key and number, and whose rest follows from it. */
function fill(bytes, key, number) {
  const head = Buffer.from(`${key} ${number} ${bytes.length} `);
  for (let at = 0; at < bytes.length; at++)
    bytes[at] = at < head.length ? head[at] : (number * 31 + at) & 0xff;
}

function check(bytes, key) {
  const [name, number, length] = Buffer.from(bytes.subarray(0, 64)).toString('latin1').split(' ');
  const wanted = new Uint8Array(bytes.length);
  fill(wanted, key, Number(number));
  if (
    name !== key ||
    Number(length) !== bytes.length ||
    Buffer.compare(Buffer.from(bytes), Buffer.from(wanted)) !== 0
  )
    throw new Error(`${key} is torn or another's: ${Buffer.from(bytes.subarray(0, 40)).toString('latin1')}`);
  return createHash('md5').update(bytes).digest('hex');
}

say('ready');
for (let i = 0; i < Number(countText); i++) {
  if (act === 'write') write(i);
  else read();
}
say('end');
arena.close();
volume.close();

function write(number) {
  const key = `w${seedText}-${random(KEYS)}`;
  const length = random(10) === 0 ? 70_000 + random(100_000) : 64 + random(3000);
  const dice = random(10);
  try {
    if (dice < 6) {
      const bytes = new Uint8Array(length);
      fill(bytes, key, number);
      say(`begin ${key} ${number}`);
      arena.put(key, bytes);
      say(`put ${key} ${number}`);
    } else if (dice < 8) {
      const reservation = arena.reserve(key, length);
      fill(reservation.bytes, key, number);
      say(`begin ${key} ${number}`);
      if (dice === 6) {
        reservation.commit();
        say(`put ${key} ${number}`);
      } else {
        reservation.abort();
        say(`same ${key}`);
      }
    } else {
      say(`begin ${key} gone`);
      arena.delete(key);
      say(`put ${key} gone`);
    }
  } catch (error) {
    if (error.code !== 'EBUSY' && error.code !== 'ENOSPC') throw error;
    say(`same ${key}`);
  }
}

function read() {
  const key = `w${1 + random(4)}-${random(KEYS)}`;
  const value = arena.get(key);
  if (value === null) return;
  const before = check(value.bytes, key);
  const until = performance.now() + random(3);
  while (performance.now() < until) Atomics.load(new Int32Array(1), 0);
  if (check(value.bytes, key) !== before) throw new Error(`${key} changed while it was pinned`);
  value.release();
}
