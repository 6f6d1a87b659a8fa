/** The files of a state directory with foreign content. */
import fs from 'node:fs';
import path from 'node:path';
import { openMachine } from '../../../src/index.js';
import { parseDocument } from '../../../src/machine/emulated/document.js';
import { MountRecords } from '../../../src/mounts/daemon/records.js';
import { nasty, nastyText, Random } from '../random.js';
import { answered, assert, type Target } from '../target.js';

/** Opening a machine costs files, so only one case in so many does it. */
const OPEN_EVERY = 8;

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Changes one value somewhere in a document. */
function changeValue(random: Random, value: Json): Json {
  if (random.once(12))
    return random.pick<Json>([
      null,
      true,
      -1,
      0.5,
      2 ** 53,
      1e300,
      '',
      'dax0.0',
      [],
      {},
      [[]],
      '../../../etc/passwd',
      'regions/9.mem',
      '/etc/passwd',
      'famfs',
      'kmem',
      'fsdev_dax',
    ]);
  if (typeof value === 'number')
    return random.once(2)
      ? Number(nasty(random, BigInt(Math.trunc(value))))
      : value + (random.below(3) - 1) * 4096;
  if (typeof value === 'string') return nastyText(random, value);
  if (Array.isArray(value)) {
    if (value.length === 0 || random.once(6)) return random.once(2) ? [...value, ...value] : value.slice(1);
    const at = random.below(value.length);
    return value.map((item, index) => (index === at ? changeValue(random, item) : item));
  }
  if (value !== null && typeof value === 'object') {
    const keys = Object.keys(value);
    if (keys.length === 0) return value;
    const key = random.pick(keys);
    if (random.once(12)) return Object.fromEntries(Object.entries(value).filter(([name]) => name !== key));
    return { ...value, [key]: changeValue(random, value[key]!) };
  }
  return !value;
}

class DocumentsTarget implements Target {
  readonly name = 'documents';
  readonly share = 30;
  #root = '';
  #document = '';
  readonly #texts = new Map<string, string>();

  open(directory: string): void {
    this.#root = path.join(directory, 'state');
    const machine = openMachine(this.#root, { create: true });
    machine.createRegion({ size: 2 ** 25, sparse: true });
    machine.createRegion({ size: 2 ** 28, sparse: true, type: 'kmem' });
    machine.reconfigure('dax0.0', 'famfs');
    machine.memoryFailure({ device: 'dax0.0', offset: 4096 });
    machine.close();
    this.#document = fs.readFileSync(path.join(this.#root, 'machine.json'), 'utf8');
    fs.mkdirSync(path.join(this.#root, 'mounts'), { recursive: true });
    const holder = {
      pid: process.pid,
      startTime: 5,
      command: 'node',
      device: 'dax0.0',
      purpose: 'mount',
      exclusive: false,
    };
    this.#texts.set(path.join('holders', '77-5-x-0'), `${JSON.stringify(holder)}\n`);
    this.#texts.set('system_uuid', '11111111-2222-4333-8444-555555555555\0');
    const mount = { pid: 4_000_000, kind: 'famfs', what: 'dax0.0', mountpoint: '/nowhere' };
    this.#texts.set(path.join('mounts', '4000000.json'), `${JSON.stringify(mount)}\n`);
  }

  run(recipe: readonly number[]): void {
    const last = new Random((recipe.at(-1) ?? 0) + 8);
    let document: Json = JSON.parse(this.#document) as Json;
    for (const seed of recipe) document = changeValue(new Random(seed), document);
    let text = JSON.stringify(document);
    if (last.once(5)) text = nastyText(last, text);
    answered(() => parseDocument(text, 'machine.json'));
    if (last.once(OPEN_EVERY)) this.#openMachine(text, last);
  }

  #openMachine(text: string, random: Random): void {
    const root = this.#root;
    fs.writeFileSync(path.join(root, 'machine.json'), random.once(3) ? this.#document : text);
    for (const [name, good] of this.#texts)
      fs.writeFileSync(path.join(root, name), random.once(2) ? nastyText(random, good) : good);
    const machine = answered(() => openMachine(root, { lockWaitMs: 0 }));
    answered(() => new MountRecords(root).list());
    if (machine === undefined) return;
    try {
      answered(() => machine.status());
      answered(() => machine.devices());
      answered(() => machine.holders());
      answered(() => machine.systemUuid());
      answered(() => machine.poisonList());
      answered(() => machine.disable('dax0.0'));
      answered(() => machine.device('dax0.0').hold('mount').release());
      answered(() => machine.reconfigure('dax0.0', 'famfs'));
      answered(() => machine.destroyRegion(1, { force: true }));
    } finally {
      machine.close();
    }
    // Nothing may remove a file outside that a document names.
    assert(fs.existsSync('/etc/passwd'), '/etc/passwd is gone');
    fs.rmSync(path.join(root, 'system_uuid'), { force: true });
    for (const [name, size] of [
      ['0.mem', 2 ** 25],
      ['1.mem', 2 ** 28],
    ] as const) {
      const file = path.join(root, 'regions', name);
      if (!fs.existsSync(file)) fs.writeFileSync(file, '');
      fs.truncateSync(file, size);
    }
  }

  close(): void {}
}

export const documentsTarget: Target = new DocumentsTarget();
