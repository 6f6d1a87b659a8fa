// `udax run` and the Python package on a true /dev/dax, whose mmap has rules of its own: whole granules of 2 MiB, never private. An
// NVDIMM keeps its bytes without power, so stores through a mapping have to be flushed; soft-reserved memory does not.
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { VmAssets } from './support/assets.js';
import {
  assets,
  backported,
  because,
  type GuestPython,
  MIB,
  noVms,
  SharedMemoryFile,
  VirtualMachine,
  whyNoPython,
  withPython,
} from './support/index.js';

/** Loading udax takes 3 s in software emulation, Python another two; several times that on a busy machine. */
vi.setConfig({ testTimeout: 400_000 });

/** The newer kernel where there is one: before Linux 6.6 a file that is opened for writing cannot be mapped shared through FUSE. */
const kernel = backported.reason === '' ? backported : assets;
const refusesShared = kernel === assets;
const DEVICE = '/dev/dax0.0';
const AT = '/mnt/famfs';
const missing = noVms ? '' : whyNoPython();
const isSkipped = noVms || missing !== '';
const why = missing === '' ? because : ` (skipped: ${missing})`;
const STRIPE = { nstrips: 3, nbuckets: 3, chunkSize: 2 * MIB };

interface Mapped {
  sha256: string;
  start: string;
  mapped: string[];
}

/** A VM with a mounted volume on its device, and Python. */
class Host {
  readonly memory = new SharedMemoryFile(256 * MIB);
  /** The volume in the agent, which only reads; and one that stores, when a test opened it. */
  volume = 0;
  storing = 0;
  sums = new Map<string, string>();
  vm!: VirtualMachine;
  #python!: GuestPython;

  async start(of: VmAssets, name: string, kernelParameters = ''): Promise<void> {
    this.#python = withPython(of, this.memory.directory);
    this.vm = await VirtualMachine.start(this.#python.assets, this.memory, {
      name,
      kernelParameters,
      ramMiB: 1536,
    });
  }

  /** Makes the files of the tests, and mounts. */
  async fill(): Promise<void> {
    await this.vm.call('volumes', 'mkfs', DEVICE);
    ({ number: this.volume } = await this.vm.call<{ number: number }>('volumes', 'open', DEVICE));
    for (const [path, options] of [
      ['/simple', { size: 5 * MIB + 4096 + 17 }],
      ['/striped', { size: 12 * MIB, stripe: STRIPE }],
    ] as const) {
      await this.vm.call('volumes', 'create', this.volume, path, options);
      await this.vm.call('volumes', 'write', this.volume, path, `these bytes are of ${path}`, 3 * MIB);
      this.sums.set(path, await this.vm.call('volumes', 'sumMapped', this.volume, path));
    }
    // While it is open for storing, Linux before 6.6 refuses shared mappings of the mount (ENODEV): there would be no old way to see.
    await this.vm.call('volumes', 'close', this.volume);
    ({ number: this.volume } = await this.vm.call<{ number: number }>('volumes', 'open', DEVICE, {
      readOnly: true,
    }));
    await this.vm.output(`mkdir -p ${AT}; udax mount ${DEVICE} ${AT}`);
  }

  /** What map.py prints. @param how '' or `udax run ... --` */
  async map(how: string, ...words: (string | number)[]): Promise<Mapped> {
    return JSON.parse(await this.output(`${how} map.py ${words.join(' ')}`)) as Mapped;
  }

  async client<T>(...words: (string | number)[]): Promise<T> {
    return JSON.parse(await this.output(`client.py ${DEVICE} ${words.join(' ')}`)) as T;
  }

  /** `udax run -- map.py ...` with the program and its environment put in. */
  commandOf(line: string): string {
    const [environment, program] = split(this.#python.command);
    return `env ${environment} ${line.replace(/\b(map|client)\.py/, `${program} /udax/test-vm/$1.py`)}`;
  }

  async output(line: string): Promise<string> {
    const { code, stdout, stderr } = await this.vm.run(this.commandOf(line), { timeoutMs: 150_000 });
    if (code !== 0) throw new Error(`${line}: exit ${code}\n${stdout}${stderr}`);
    return stdout;
  }

  async end(): Promise<void> {
    await this.vm?.kill();
    this.memory.close();
  }
}

function split(command: string): [environment: string, program: string] {
  const at = command.lastIndexOf(' ');
  return [command.slice(0, at), command.slice(at + 1)];
}

describe.skipIf(isSkipped)(`every program on an NVDIMM's /dev/dax0.0${why}`, () => {
  let host: Host;
  beforeAll(async () => {
    host = new Host();
    await host.start(kernel, 'nvdimm');
    await host.fill();
  });
  afterAll(() => host?.end());

  it.each(['/simple', '/striped'])('udax run: a mapping of %s is one of the device, whole', async (path) => {
    const { sha256, mapped } = await host.map('udax run --', `${AT}${path}`, 0, 0, 'read');
    expect({ sha256, mapped }).toEqual({ sha256: host.sums.get(path), mapped: [DEVICE] });
    // The control: without it the same call maps the page cache of the mount.
    const copy = await host.map('', `${AT}${path}`, 0, 0, 'read');
    expect(copy).toMatchObject({ sha256: host.sums.get(path), mapped: [`${AT}${path}`] });
  });

  it('what the device refuses goes the old way, with the same bytes, and is told', async () => {
    const file = `${AT}/simple`;
    const start = 'these bytes are ';
    const rows: [words: (string | number)[], reason: RegExp | null][] = [
      [[2 * MIB, 2 * MIB, 'read'], null],
      [[3 * MIB, MIB, 'read'], /old way|copy/],
      [[3 * MIB, MIB, 'private'], /privately/],
      ...(refusesShared
        ? []
        : [[[3 * MIB, MIB, 'shared'], /persist|power/] as [(string | number)[], RegExp]]),
    ];
    for (const [words, reason] of rows) {
      const told = '/tmp/told';
      await host.vm.output(`rm -f ${told}`);
      const { mapped, start: found } = await host.map(`udax run --explain=${told} --`, file, ...words);
      expect([words, mapped]).toEqual([words, [reason === null ? DEVICE : file]]);
      if (reason === null) continue;
      expect(found).toBe(start);
      expect(await host.vm.output(`cat ${told}`)).toMatch(reason);
    }
  });

  it('a store through a mapping of persistent memory goes through the mount and arrives', async () => {
    const answer = await host.map('udax run --', `${AT}/simple`, 4 * MIB, 4096, 'shared', 'stored');
    if (refusesShared) {
      expect(answer).toEqual({ error: 'ENODEV' });
      return;
    }
    expect(await host.vm.call('volumes', 'load', host.volume, '/simple', 4 * MIB, 6)).toBe('stored');
    host.sums.set('/simple', await host.vm.call('volumes', 'sumMapped', host.volume, '/simple'));
  });

  it('the Python package reads the tree, whole files and striped ones from the device', async () => {
    const files = await host.vm.call<{ path: string; size: number }[]>('volumes', 'walk', host.volume);
    const expected = files.filter(({ size }) => size > 0).map(({ path, size }) => [path, size]);
    expect(await host.client('walk')).toEqual({ files: expected.sort(), problems: 0 });
    expect(await host.client('sums', '/simple', '/striped')).toEqual([
      host.sums.get('/simple'),
      host.sums.get('/striped'),
    ]);
  });

  it('the Python package stores, waits for what others publish, and puts into a queue that Node reads', async () => {
    await host.client('store', '/striped', 2 * MIB - 3, 'across');
    expect(await host.vm.call('volumes', 'load', host.volume, '/striped', 2 * MIB - 3, 6)).toBe('across');
    const waiting = await host.vm.start(host.commandOf(`client.py ${DEVICE} wait /late`));
    await waiting.outputWith('waiting');
    await host.vm.done('creat', '-s', '4096', `${DEVICE}:/late`);
    const { stdout } = await waiting.wait();
    expect(JSON.parse(stdout.split('\n')[1]!)).toEqual({ path: '/late', size: 4096 });
    await host.vm.done('pcq', 'create', '-n', '8', '-b', '64', `${DEVICE}:/queue`);
    await host.client('put', '/queue', 3);
    ({ number: host.storing } = await host.vm.call<{ number: number }>('volumes', 'open', DEVICE));
    expect(await host.vm.call('queues', 'texts', host.storing, '/queue', 3)).toEqual(
      [0, 1, 2].map((n) => `message ${n}`),
    );
  });

  it('a program that maps keeps the device: mkfs is refused, also after the mount was forced away', async () => {
    for (const number of [host.volume, host.storing])
      if (number > 0) await host.vm.call('volumes', 'close', number);
    const stays = await host.vm.start(host.commandOf(`STAY=1 udax run -- map.py ${AT}/simple 0 0 read`));
    await stays.outputWith('sha256');
    await host.vm.done('umount', '-f', AT); // Python's mmap keeps a descriptor of the file
    const { code, stderr } = await host.vm.command('mkfs', '-f', DEVICE);
    expect([code, stderr]).toEqual([1, expect.stringContaining('EBUSY')]);
    await stays.kill('SIGTERM'); // which goes on to the program
    await stays.wait();
    await host.vm.done('mkfs', '-f', DEVICE);
  });
});

describe.skipIf(isSkipped)(`every program on soft-reserved memory${why}`, () => {
  let host: Host;
  beforeAll(async () => {
    host = new Host();
    await host.start(assets, 'volatile', 'memmap=256M%1G-1+0xefffffff');
    await host.vm.call('kernel', 'perform', 'reconfigure', 'dax0.0', 'devdax', { force: true });
    await host.fill();
  });
  afterAll(() => host?.end());

  it('udax run: a store through a shared mapping is a store into the device, seen at once', async () => {
    const { mapped } = await host.map('udax run --', `${AT}/simple`, 2 * MIB, 2 * MIB, 'shared', 'straight');
    expect(mapped).toEqual([DEVICE]);
    expect(await host.vm.call('volumes', 'load', host.volume, '/simple', 2 * MIB, 8)).toBe('straight');
  });

  it('the Python package maps it and stores into it', async () => {
    await host.client('store', '/striped', 5 * MIB, 'here');
    expect(await host.vm.call('volumes', 'load', host.volume, '/striped', 5 * MIB, 4)).toBe('here');
    expect(await host.client('sums', '/striped')).toEqual([
      await host.vm.call('volumes', 'sumMapped', host.volume, '/striped'),
    ]);
  });
});
