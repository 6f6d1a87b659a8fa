/**
 * Incident: when the thread that serves a mount found no memory for its messages it died without closing its device (a holder file
 * stayed); and an unmount told nobody that closed files could not be published: they were gone. Right: what was made is ended
 * whatever fails, and unmount() publishes first: when it cannot, it says so and the mount stays.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { because, noMounts, Place } from './support.js';

const dist = (file: string) => JSON.stringify(new URL(`../../dist/${file}`, import.meta.url).href);

/** A program that mounts dax0.0, in a process whose worker threads run `inWorkers` first. */
function run(place: Place, inWorkers: string, program: string) {
  const at = path.join(place.directory, 'at');
  fs.mkdirSync(at);
  const preload = `import fs from 'node:fs'; import { isMainThread } from 'node:worker_threads';
    const flag = ${JSON.stringify(path.join(place.directory, 'flag'))};
    if (!isMainThread) { ${inWorkers} }`;
  const script = `import fs from 'node:fs'; import { spawnSync } from 'node:child_process';
    import { mountFamfsAt } from ${dist('mounts/index.js')};
    const [at, root, flag] = ${JSON.stringify([at, place.root, path.join(place.directory, 'flag')])};
    const sh = (command) => spawnSync('sh', ['-c', command]);
    const mount = () => mountFamfsAt('dax0.0', at, { root, settleMilliseconds: 3600_000, onReport: () => {} });
    ${program}`;
  const file = path.join(place.directory, 'program.mjs');
  fs.writeFileSync(file, script);
  const { stdout, stderr, status } = spawnSync(process.execPath, [file], {
    encoding: 'utf8',
    timeout: 150_000,
    killSignal: 'SIGKILL',
    env: {
      ...process.env,
      NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(preload)}`,
    },
  });
  spawnSync('umount', ['-l', at]);
  return { said: stdout.trim().split('\n'), stderr, status };
}

describe.skipIf(noMounts !== '')(`a mount whose thread fails${because}`, () => {
  let place: Place;
  afterEach(() => place.close());

  it('leaves no holder file when there is no memory to serve it', () => {
    place = new Place();
    place.makeVolume();
    const outcome = run(
      place,
      `globalThis.ArrayBuffer = new Proxy(ArrayBuffer, { construct(target, args, made) {
        if (args[0] > 2 ** 20) throw new RangeError('Array buffer allocation failed');
        return Reflect.construct(target, args, made);
      } });`,
      `await mount().catch((error) => console.log(error.name));
      console.log(fs.readdirSync(root + '/holders').length);`,
    );
    expect(outcome).toMatchObject({ said: ['RangeError', '0'], status: 0 });
  });

  it('keeps the mount when an unmount cannot publish what was made, and publishes it the next time', () => {
    place = new Place();
    const device = place.makeVolume();
    const outcome = run(
      place,
      `const { interposeCalls } = await import(${dist('libc/load.js')});
      const koffi = (await import('node:module')).createRequire(${dist('libc/load.js')})('koffi');
      interposeCalls((prototype, call) => prototype.includes('int command, intptr_t argument')
        ? (...args) => { if (fs.existsSync(flag)) { koffi.errno(37); return -1; } return call(...args); }
        : call);`,
      `const mounted = await mount();
      sh('printf abc > ' + at + '/n');
      fs.writeFileSync(flag, '');
      console.log(await mounted.unmount().then(() => 'done', (error) => error.code));
      console.log(String(sh('cat ' + at + '/n').stdout));
      fs.rmSync(flag);
      await mounted.unmount();
      console.log(await mounted.closed.then(({ reason }) => reason));`,
    );
    expect(outcome).toMatchObject({ said: ['ENOLCK', 'abc', 'unmounted'], status: 0 });
    expect(place.volume(device).stat('/n').size).toBe(3);
  });
});
