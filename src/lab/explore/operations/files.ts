import type { Operation } from '../operation.js';
import type { World } from '../world.js';

/** Processes open device nodes and map them. */
export const fileOperations: readonly Operation[] = [
  {
    name: 'open',
    words: 'FILE DEVICE',
    group: 'files',
    offers: (world) => {
      const file = world.freeFile();
      return file === null ? [] : world.bus.devices().map(({ name }) => [file, name]);
    },
    apply: (world, [file, device]) => {
      world.files.set(file!, world.bus.open(device!));
    },
  },
  {
    name: 'close',
    words: 'FILE',
    group: 'files',
    offers: (world) => [...world.files.keys()].map((file) => [file]),
    apply: (world, [file]) => {
      world.file(file!).close();
      world.files.delete(file!);
    },
  },
  {
    name: 'mmap',
    words: 'MAPPING FILE',
    group: 'files',
    offers: (world) => {
      const mapping = world.freeMapping();
      return mapping === null ? [] : [...world.files.keys()].map((file) => [mapping, file]);
    },
    apply: mapWhole,
  },
  {
    name: 'munmap',
    words: 'MAPPING',
    group: 'files',
    offers: (world) => [...world.vmas.keys()].map((mapping) => [mapping]),
    apply: (world, [mapping]) => {
      world.vma(mapping!).munmap();
      world.vmas.delete(mapping!);
    },
  },
  {
    name: 'touch',
    words: 'MAPPING UNIT',
    group: 'files',
    offers: (world) =>
      [...world.vmas].flatMap(([name, vma]) => {
        const last = Math.max(0, Math.floor(vma.length / vma.unitBytes) - 1);
        return [...new Set([0, last])]
          .filter((unit) => !vma.mappedUnits.has(unit))
          .map((unit) => [name, String(unit)]);
      }),
    apply: touch,
  },
];

/** Maps the whole device at its current size, shared, readable and writable. */
function mapWhole(world: World, [mapping, name]: readonly string[]): void {
  const file = world.file(name!);
  const { size, align } = file.device;
  const vma = file.mmap({ offset: 0, length: Math.max(size, align), prot: 'rw', type: 'shared' });
  world.vmas.set(mapping!, vma);
}

/** A load. SIGBUS is an allowed answer. Only a file that was opened under the device's current driver may give a byte (I6). */
function touch(world: World, [mapping, unit]: readonly string[]): void {
  const vma = world.vma(mapping!);
  const { binding, device } = vma.file;
  const answer = vma.load(Number(unit) * vma.unitBytes);
  if (answer.ok && (!device.present || device.binding !== binding))
    world.violated(
      'I6',
      `${mapping} gives bytes of ${device.name} after the driver it was made under was unbound`,
    );
}
