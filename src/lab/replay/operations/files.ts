/** The device file: everything a descriptor can do, except mmap. */
import type { OpenFile, OpenFlags } from '../../../dax/index.js';
import { fail } from '../../../libc/index.js';
import { deviceNodeName } from '../paths.js';
import type { Arguments, StepResult } from '../transcript.js';
import { done, type OperationTable, type World } from '../world.js';

type Whence = Parameters<OpenFile['lseek']>[1];
const WHENCES: readonly string[] = ['set', 'cur', 'end', 'data', 'hole'];
/** poll(2) bits for the names in poll's answer. */
const POLL_BITS: Record<string, number> = { in: 1, pri: 2, out: 4, err: 8, hup: 16 };

export const fileOperations: OperationTable = {
  open(world, args) {
    const process = world.process(args);
    const flags = { ...openFlags(args.text('flags', 'rw')), process: args.text('proc', 'm') };
    const file = args.text('file');
    // Nodes have mode 0600 and belong to root. O_PATH needs no access.
    if (process.uid !== 0 && !flags.path) fail('EACCES', `${file} belongs to root`, { path: file });
    const devt = world.nodes.get(file);
    const opened = devt ? world.bus.openDevt(devt, flags) : world.bus.open(deviceNodeName(file), flags);
    process.files.set(args.text('fd'), opened);
    return done();
  },
  close(world, args) {
    const process = world.process(args);
    const name = args.text('fd');
    process.file(name).close();
    process.files.delete(name);
    return done();
  },
  pread: transfer((file, length) => file.read(length)),
  fdread: transfer((file, length) => file.read(length)),
  pwrite: transfer((file, length) => file.write(length)),
  fdwrite(world, args) {
    return done(opened(world, args).write(Buffer.byteLength(args.text('data', ''))));
  },
  lseek(world, args) {
    const whence = args.text('whence', 'set');
    if (!WHENCES.includes(whence)) fail('EINVAL', `no whence ${whence}`);
    return done(opened(world, args).lseek(args.number('offset'), whence as Whence));
  },
  ioctl(world, args) {
    const { cmd } = args.step;
    return done(opened(world, args).ioctl(Number(cmd)));
  },
  fallocate: (world, args) =>
    done(opened(world, args).fallocate(args.number('offset', 0), args.number('length', 1))),
  ftruncate: (world, args) => done(opened(world, args).ftruncate()),
  fsync: (world, args) => done(opened(world, args).fsync()),
  poll(world, args) {
    const ready = opened(world, args).poll();
    return done(ready.reduce((bits, name) => bits | (POLL_BITS[name] ?? 0), 0));
  },
  mknod(world, args) {
    const name = args.text('device');
    const device = world.bus.device(name) ?? fail('ENOENT', `no device ${name}`, { path: name });
    world.nodes.set(`/tmp/${args.text('name')}`, device.devt);
    return done();
  },
};

function transfer(act: (file: OpenFile, length: number) => number) {
  return (world: World, args: Arguments): StepResult => done(act(opened(world, args), args.number('length')));
}

function opened(world: World, args: Arguments): OpenFile {
  return world.process(args).file(args.text('fd'));
}

function openFlags(text: string): OpenFlags {
  const words = new Set(text.split(','));
  const flags: OpenFlags = {};
  for (const access of ['ro', 'wo', 'rw'] as const) if (words.has(access)) flags.access = access;
  if (words.has('direct')) flags.direct = true;
  if (words.has('path')) flags.path = true;
  return flags;
}
