/** Controls: processes that keep a little of each epoch. The soak must flag each of them, for its figure. */
import fs from 'node:fs';
import { mountFamfs, openMachine } from '../../src/index.js';
import { MAP_ANONYMOUS, MAP_PRIVATE, mmap, ofdLock, PROT_READ, PROT_WRITE } from '../../src/libc/index.js';
import { SCRATCH_DEVICE } from '../kill/work.js';
import type { Figure } from './figures.js';
import { PATIENCE, type Role } from './roles.js';

const kept: unknown[] = [];

function leaking(leak: Role): Role {
  return async (place) => {
    const session = await leak(place);
    return {
      step: () => new Promise((resolve) => setTimeout(() => resolve(true), 20)),
      close: () => session.close(),
    };
  };
}

const nothing = { step: () => true, close() {} };

interface Control {
  /** The figures that must rise. */
  figures: readonly Figure[];
  role: Role;
}

const each: Record<string, Control> = {
  'leaks-descriptors': {
    figures: ['descriptors'],
    role: leaking(() => {
      fs.openSync('/dev/null', 'r');
      return nothing;
    }),
  },
  'leaks-locks': {
    figures: ['locks'],
    role: leaking(({ root }) => {
      const fd = fs.openSync(`${root}/machine.json`, 'r');
      ofdLock(fd, 'shared', { start: 2 ** 40, length: 1 });
      return nothing;
    }),
  },
  'leaks-mappings': {
    figures: ['mappings'],
    role: leaking(() => {
      // Two kinds in turn, because the kernel would merge adjacent mappings of one kind.
      for (let i = 0; i < 80; i++) {
        mmap(0, 4096, i % 2 === 0 ? PROT_READ : PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      }
      return nothing;
    }),
  },
  'leaks-volumes': {
    figures: ['memoryMappings'],
    role: leaking(({ root }) => {
      const volume = mountFamfs(openMachine(root, PATIENCE).device(SCRATCH_DEVICE), PATIENCE);
      kept.push(volume, volume.create(`/kept${kept.length}`, { size: 4096 }).map());
      return nothing;
    }),
  },
  'leaks-heap': {
    figures: ['heapUsed'],
    role: leaking(() => {
      kept.push(Array.from({ length: 100_000 }, (_, i) => ({ i, text: `text ${i}` })));
      return nothing;
    }),
  },
  'leaks-buffers': {
    figures: ['arrayBuffers'],
    role: leaking(() => {
      kept.push(new Uint8Array(2 ** 20).fill(1));
      return nothing;
    }),
  },
};

/** One process with all of these leaks, for short runs. */
const all: Control = {
  figures: Object.values(each).flatMap(({ figures }) => figures),
  role: async (place) => {
    const sessions = await Promise.all(Object.values(each).map(({ role }) => role(place)));
    return { step: () => sessions[0]!.step(0), close() {} };
  },
};

export const controls: Record<string, Control> = { ...each, 'leaks-all': all };
