/**
 * A process that reads an arena. usage: arena-reader ROOT DEVICE ARENA KEYS. It says 'ready'; at a message it works:
 * get   gets random keys for half a second, and answers how many
 * count counts for half a second, and answers how far: what the processor gives
 * wait  busy-waits for each key in turn, and answers when it had each (ns of the system's clock)
 */
import { openArena } from '../../src/arena/index.js';
import { mountFamfs, openMachine } from '../../src/index.js';

const [root, device, path, keysText] = process.argv.slice(2) as [string, string, string, string];
const MILLISECONDS = 500;
const machine = openMachine(root);
const volume = mountFamfs(machine.device(device), { clientWrites: true });
const arena = openArena(volume, path, { lockWaitMs: 10_000 });
const keys = Number(keysText);

function counts(): number {
  let done = 0;
  let word = 1;
  for (const until = performance.now() + MILLISECONDS; performance.now() < until; done++)
    for (let i = 0; i < 1000; i++) word = (Math.imul(word, 1_103_515_245) + 12_345) | 0;
  return word === 0 ? 0 : done;
}

function gets(): number {
  let state = process.pid;
  let done = 0;
  for (const until = performance.now() + MILLISECONDS; performance.now() < until; ) {
    for (let i = 0; i < 200; i++, done++) {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      const number = state % keys;
      const value = arena.get(`key${number}`)!;
      if (value.bytes[0] !== (number & 0xff) || value.bytes.at(-1) !== (number & 0xff))
        throw new Error('a torn read');
      value.release();
    }
  }
  return done;
}

function waits(): string[] {
  const times: string[] = [];
  for (let i = 0; i < keys; i++) {
    let value = arena.get(`handed${i}`);
    while (value === null) value = arena.get(`handed${i}`);
    times.push(String(process.hrtime.bigint()));
    value.release();
    arena.put(`had${i}`, Uint8Array.of(1));
  }
  return times;
}

process.on('message', (message) => {
  if (message === 'end') {
    arena.close();
    volume.close();
    machine.close();
    process.disconnect();
  } else process.send!(message === 'get' ? gets() : message === 'count' ? counts() : waits());
});
process.send!('ready');
