// A program that uses one version of udax. usage: program.mjs PACKAGE make|go-on|read ROOT NAME
// make:  a machine with a volume, an arena and a queue in it
// go-on: opens all of it and adds to it, as NAME
// read:  opens all of it for reading
// It prints what it found as one JSON document.
import path from 'node:path';

const [packageRoot, act, root, name] = process.argv.slice(2);
const load = (file) => import(path.join(packageRoot, 'dist', file));
const udax = await load('index.js');
const { createArena, fsckArena, openArena } = await load('arena/index.js');

const text = (bytes) => Buffer.from(bytes).toString();
const bytes = (words) => new Uint8Array(Buffer.from(words));

function make() {
  const machine = udax.openMachine(root, { create: true });
  const [device] = machine.createRegion({ size: '64MiB' }).devices;
  machine.reconfigure(device, 'famfs');
  machine.destroyDevice(machine.createRegion({ size: '16MiB' }).devices[0], { force: true });
  machine.createDevice(1, { size: '4MiB' });
  udax.mkfs(machine.device(device));
  const volume = udax.mountFamfs(machine.device(device));
  createArena(volume, '/arena', { size: 2 ** 20, slots: 64 });
  udax.createQueue(volume, '/queue', { nbuckets: 16, bucketSize: 64 });
  volume.mkdir('/gone');
  volume.rmdir('/gone');
  volume.close();
  machine.close();
}

/** One of everything that the log and the annex can say. */
async function add(volume) {
  volume.mkdir(`/${name}`);
  await volume.writeFile(`/${name}/file`, bytes(`written by ${name}`));
  await volume.writeFile(`/${name}/old`, bytes('renamed'));
  volume.rename(`/${name}/old`, `/${name}/new`);
  await volume.writeFile(`/${name}/removed`, bytes('removed'));
  volume.unlink(`/${name}/removed`);
  volume.symlink('file', `/${name}/link`);
  volume.link(`/${name}/file`, `/${name}/hard`);
  volume.chmod(`/${name}/file`, 0o600);
  volume.utimes(`/${name}/new`, 1_000_000_000, 1_100_000_000);
  const arena = openArena(volume, '/arena');
  arena.put(`${name}/value`, bytes(`put by ${name}`));
  arena.put(`${name}/deleted`, bytes('deleted'));
  arena.delete(`${name}/deleted`);
  arena.close();
  const queue = udax.openQueue(volume, '/queue', { role: 'producer' });
  queue.put(bytes(`sent by ${name}`));
  queue.close();
}

function textOf(volume, at) {
  const file = volume.open(at);
  const into = new Uint8Array(file.size);
  const found = text(into.subarray(0, file.read(into, 0)));
  file.close();
  return found;
}

function treeOf(volume, directory = '/') {
  return Object.fromEntries(
    volume
      .readdir(directory)
      .sort()
      .map((entry) => {
        const at = path.join(directory, entry);
        const { type, mode, size, nlink, mtime } = volume.stat(at);
        const whole = { type, mode: (mode & 0o7777).toString(8), nlink };
        if (type === 'directory') return [entry, { ...whole, entries: treeOf(volume, at) }];
        if (type === 'symlink') return [entry, { type, target: volume.readlink(at) }];
        const isText = size < 1000;
        return [
          entry,
          {
            ...whole,
            size,
            ...(isText && { text: textOf(volume, at) }),
            ...(entry === 'new' && { mtime }),
          },
        ];
      }),
  );
}

function look(machine, volume) {
  const arena = openArena(volume, '/arena', { readOnly: true });
  const values = Object.fromEntries(
    [...arena.list()]
      .map(({ key }) => text(key))
      .sort()
      .map((key) => [key, text(arena.read(key))]),
  );
  arena.close();
  return {
    regions: machine.regions().map(({ id, size, devices }) => ({ id, size, devices })),
    devices: machine.devices().map(({ name: device, size, mode }) => ({ device, size, mode })),
    tree: treeOf(volume),
    values,
    messages: udax.queueInfo(volume, '/queue').length,
    arenaProblems: fsckArena(volume, '/arena').problems,
  };
}

if (act === 'make') make();
else {
  const machine = udax.openMachine(root);
  const volume = udax.mountFamfs(machine.device('dax0.0'), act === 'read' ? { readOnly: true } : {});
  if (act === 'go-on') await add(volume);
  const found = look(machine, volume);
  volume.close();
  const { errors: problems } = udax.fsck(machine.device('dax0.0'));
  machine.close();
  console.log(JSON.stringify({ ...found, problems }));
}
