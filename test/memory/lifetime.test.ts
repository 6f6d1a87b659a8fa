import { describe, expect, it } from 'vitest';
import { runChild } from './support.js';

/** In the child: `physical` with 16 MiB at 0, `maps()` = mappings of it in the process, `collect()` = let the collector finish. */
const setup = `
  const backing = memory.memfdBacking('life', 1 << 24);
  const physical = new memory.PhysicalMemory();
  physical.insert({ start: 0, length: 1 << 24, backing, offset: 0 });
  const maps = () => fs.readFileSync('/proc/self/maps', 'latin1').split('\\n').filter((line) => line.includes('memfd:life')).length;
  const collect = async () => { for (let i = 0; i < 5; i++) { gc(); await new Promise((done) => setTimeout(done, 10)); } };
  const range = [{ start: 4096, length: 8192 }];
  const shared = { access: 'shared', label: '/forgotten' };
`;

describe('a mapping dropped without close()', () => {
  it('is unmapped once neither handle nor view is left, quietly', () => {
    const { stdout, stderr } = runChild(`${setup}
      (() => { physical.map(range, shared); physical.map(range, shared); })();
      console.log(maps());
      await collect();
      console.log(maps(), JSON.stringify(physical.stats()));
    `);
    expect(stdout).toBe('1\n0 {"mappings":0,"mappedBytes":0,"windows":0}\n');
    expect(stderr).toBe('');
  });

  it('is reported in debug mode by its label', () => {
    const { stderr } = runChild(`${setup} (() => { physical.map(range, shared); })(); await collect();`, {
      UDAX_DEBUG: '1',
    });
    expect(stderr).toMatch(/\/forgotten: a mapping was dropped without close\(\)/);
  });

  it('stays as long as a view of it is in use, and can still be killed', () => {
    const { stdout, stderr } = runChild(`${setup}
      let told = 0;
      const view = (() => {
        const mapping = physical.map(range, shared);
        mapping.onKill(() => told++);
        return new Uint8Array(mapping.buffer, 100, 10);
      })();
      await collect();
      view[0] = 5;
      console.log(maps(), view[0], physical.bytes(4196, 1)[0]);
      console.log(physical.kill(4096, 1), told, view.length);
    `);
    expect(stderr).toBe('');
    expect(stdout).toBe('1 5 5\n1 1 0\n');
  });

  it('is not in the way of mapping the same bytes again', () => {
    const { stdout } = runChild(`${setup}
      for (let i = 0; i < 100; i++) { physical.map(range, shared); if (i % 10 === 0) gc(); }
      await collect();
      const mapping = physical.map(range, shared);
      console.log(mapping.buffer.byteLength, maps());
    `);
    expect(stdout).toBe('8192 1\n');
  });
});

describe('views of our own', () => {
  it('across window seams are mapped only as long as somebody uses them', () => {
    const { stdout } = runChild(`
      const file = '/dev/shm/udax-test-' + process.pid;
      const backing = memory.createBacking(file, 3 * 2 ** 30, { sparse: true });
      fs.unlinkSync(file);
      const physical = new memory.PhysicalMemory();
      physical.insert({ start: 0, length: backing.size, backing, offset: 0 });
      const maps = () => fs.readFileSync('/proc/self/maps', 'latin1').split('\\n').filter((line) => line.includes(file)).length;
      (() => { for (let i = 1; i <= 20; i++) physical.bytes(i * 4096, 2 ** 31); })();
      const most = maps();
      for (let i = 0; i < 5; i++) { gc(); await new Promise((done) => setTimeout(done, 10)); }
      console.log(most > 1, maps(), physical.stats().windows);
    `);
    expect(stdout).toBe('true 0 0\n');
  });
});

describe('a worker thread', () => {
  it('maps for itself and takes its mappings with it when it exits', () => {
    const { stdout, stderr } = runChild(`${setup}
      const { Worker } = await import('node:worker_threads');
      const url = ${JSON.stringify(new URL('../../dist/memory/index.js', import.meta.url).href)};
      const worker = new Worker(\`
        import { parentPort, workerData } from 'node:worker_threads';
        import(workerData.url).then((memory) => {
          const backing = memory.openBacking('/proc/self/fd/' + workerData.fd);
          const physical = new memory.PhysicalMemory();
          physical.insert({ start: 0, length: backing.size, backing, offset: 0 });
          const view = new Uint8Array(physical.map([{ start: 0, length: 4096 }], { access: 'shared' }).buffer);
          view[9] = 42;
          parentPort.once('message', () => process.exit(view[9] === 42 ? 0 : 1));
          parentPort.postMessage('mapped');
        });
      \`, { eval: true, workerData: { url, fd: backing.fd } });
      await new Promise((done) => worker.once('message', done));
      const during = maps();
      const seen = physical.bytes(9, 1)[0];
      worker.postMessage('exit');
      const code = await new Promise((done) => worker.once('exit', done));
      console.log(during, seen, code, maps());
    `);
    expect(stderr).toBe('');
    expect(stdout).toBe('1 42 0 1\n');
  });
});

describe('another process', () => {
  it('sees stores into the same file, both ways', () => {
    const { stdout } = runChild(`
      import { spawnSync } from 'node:child_process';
      const file = fs.mkdtempSync('/dev/shm/udax-test-') + '/memory';
      const physicalOver = (backing) => { const physical = new memory.PhysicalMemory(); physical.insert({ start: 0, length: backing.size, backing, offset: 0 }); return physical; };
      const view = new Int32Array(physicalOver(memory.createBacking(file, 65536)).map([{ start: 0, length: 65536 }], { access: 'shared' }).buffer);
      view[0] = 41;
      const script = 'import * as memory from ' + JSON.stringify(${JSON.stringify(new URL('../../dist/memory/index.js', import.meta.url).href)})
        + '; const physicalOver = ' + physicalOver + '; const view = new Int32Array(physicalOver(memory.openBacking(process.argv[1])).map([{ start: 0, length: 65536 }], { access: "shared" }).buffer);'
        + 'for (let i = 0; i < 1000; i++) Atomics.add(view, 0, 1);';
      spawnSync(process.execPath, ['--input-type=module', '-e', script, file], { stdio: 'inherit' });
      fs.rmSync(file.replace('/memory', ''), { recursive: true });
      console.log(view[0]);
    `);
    expect(stdout).toBe('1041\n');
  });
});
