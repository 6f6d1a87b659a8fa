/** mmap(2) and the use of mappings. Signals are answers of the model. */
import type { MmapOptions, SignalAnswer, Vma } from '../../../dax/index.js';
import { fail } from '../../../libc/index.js';
import { PMD_SIZE } from '../../../mm/index.js';
import { tellCaller } from '../memory-failure.js';
import type { Arguments, StepResult } from '../transcript.js';
import { done, type OperationTable, type World } from '../world.js';

/** An address that nothing else uses, for mappings at a fixed address. */
const FIXED_ADDRESS = 0x7f00_0000_0000;
const MISALIGNMENT = 4096;

export const mappingOperations: OperationTable = {
  mmap(world, args) {
    const process = world.process(args);
    const vma = process.file(args.text('fd')).mmap(mmapOptions(args));
    process.maps.set(args.text('map'), vma);
    return done({ addr_aligned_2m: vma.address % PMD_SIZE === 0 });
  },
  load: (world, args) => signalResult(args, mapped(world, args).load(args.number('offset')), true),
  store(world, args) {
    return signalResult(args, mapped(world, args).store(args.number('offset'), args.number('byte')), false);
  },
  fill(world, args) {
    const filled = mapped(world, args).fill(
      args.number('byte'),
      args.number('offset', 0),
      optional(args, 'length'),
    );
    return signalResult(args, filled, false);
  },
  munmap(world, args) {
    const vma = mapped(world, args);
    if (args.has('offset') || args.has('length')) {
      vma.munmap(args.number('offset', 0), args.number('length', vma.length));
    } else {
      vma.munmap();
      world.process(args).maps.delete(args.text('map'));
    }
    return done();
  },
  mprotect(world, args) {
    const vma = mapped(world, args);
    vma.mprotect(args.number('offset', 0), args.number('length', vma.length), args.text('prot'));
    return done();
  },
  msync(world, args) {
    mapped(world, args).msync();
    return done();
  },
  mlock(world, args) {
    mapped(world, args).mlock();
    return done();
  },
  mremap(world, args) {
    const name = ['new_length', 'new_size', 'size'].find((candidate) => args.has(candidate)) ?? 'length';
    mapped(world, args).mremap(args.number(name));
    return done();
  },
  madvise(world, args) {
    const vma = mapped(world, args);
    const advice = args.text('advice');
    const { uid } = world.process(args);
    if (uid !== 0 && (advice === 'hwpoison' || advice === 'soft_offline'))
      fail('EPERM', `madvise ${advice} is for root`);
    const length = args.number('length', vma.length);
    const failed = vma.madvise(args.number('offset', 0), length, advice);
    tellCaller(world, world.process(args), failed);
    return done();
  },
  fork_inherit(world, args) {
    const child = mapped(world, args).fork();
    const touched = child.load(args.number('offset', 0));
    child.munmap();
    return done(touched.ok ? 0 : touched.signal);
  },
};

function mapped(world: World, args: Arguments): Vma {
  return world.process(args).map(args.text('map'));
}

function optional(args: Arguments, name: string): number | undefined {
  return args.has(name) ? args.number(name) : undefined;
}

function mmapOptions(args: Arguments): MmapOptions {
  const flags = new Set(args.text('flags').split('|'));
  const options: MmapOptions = {
    offset: args.number('offset', 0),
    length: args.number('length'),
    prot: args.text('prot'),
    type: flags.has('private') ? 'private' : flags.has('shared_validate') ? 'shared_validate' : 'shared',
    sync: flags.has('sync'),
    populate: flags.has('populate') || flags.has('locked'),
  };
  if (args.step.hint === 'misaligned') options.address = FIXED_ADDRESS + MISALIGNMENT;
  // Where the answer depends on the address that the kernel chose, the transcript marks the step unstable.
  else if (args.step.unstable && args.step.result.ok) options.address = FIXED_ADDRESS;
  return options;
}

function signalResult(args: Arguments, touched: SignalAnswer, withValue: boolean): StepResult {
  if (touched.ok) return withValue ? done(touched.value) : done();
  const { signal, code, offset } = touched;
  return { ok: false, signal, code, map: args.text('map'), offset };
}
