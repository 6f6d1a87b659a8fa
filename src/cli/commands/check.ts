import { PatternStream, type VolumeFile } from '../../famfs/index.js';
import { fail } from '../../libc/index.js';
import { volumeAddress } from '../arguments/address.js';
import { seedArgument } from '../arguments/numbers.js';
import type { Context } from '../context.js';
import { AlreadyReported, UsageError } from '../errors.js';
import { withVolume } from '../opening.js';
import { hex, humanSize } from '../output/human.js';

const pieceBytes = 1 << 20;

/** `udax verify` */
export function verify(context: Context, [text = '']: string[], flags: { seed?: string }): void {
  const { device, path } = volumeAddress(text);
  if (flags.seed === undefined) throw new UsageError('verify needs -S SEED, the one the file was made with');
  const seed = seedArgument(flags.seed);
  withVolume(context, device, { readOnly: true }, (volume) => {
    const file = volume.open(path);
    try {
      const differsAt = firstDifference(file, seed);
      if (differsAt !== null) {
        if (!context.json) failDifferent(text, file, seed, differsAt);
        context.output.document({ path, size: file.size, seed, ok: false, differsAt });
        throw new AlreadyReported();
      }
      context.show(
        { path, size: file.size, seed, ok: true },
        () => `${text}: ${humanSize(file.size)} as seed ${seed} says`,
      );
    } finally {
      file.close();
    }
  });
}

/** The offset of the first byte that differs from the seed's pattern; null when none does. */
function firstDifference(file: VolumeFile, seed: number): number | null {
  const pattern = new PatternStream(seed);
  const piece = new Uint8Array(Math.min(pieceBytes, file.size));
  const scratch = new Uint8Array(piece.length);
  for (let position = 0; position < file.size; position += piece.length) {
    const part = piece.subarray(0, Math.min(piece.length, file.size - position));
    file.read(part, position);
    const difference = pattern.firstDifference(part, scratch);
    if (difference >= 0) return position + difference;
  }
  return null;
}

function failDifferent(name: string, file: VolumeFile, seed: number, at: number): never {
  return fail('EILSEQ', `${name} differs from the pattern of seed ${seed} at byte ${at} (${hex(at)})`, {
    path: file.path,
  });
}

/** `udax flush` */
export function flush(context: Context, args: string[]): void {
  const addresses = args.map(volumeAddress);
  for (const { device, path } of addresses) {
    withVolume(context, device, { readOnly: false }, (volume) => volume.flush(path));
  }
  context.show(
    addresses.map(({ path }) => ({ path, flushed: true })),
    () => addresses.map(({ text }) => `${text}: flushed`).join('\n'),
  );
}

/** `udax chkread` */
export function chkread(context: Context, args: string[]): void {
  const results = args.map(volumeAddress).map(({ device, path, text }) =>
    withVolume(context, device, { readOnly: true }, (volume) => {
      const file = volume.open(path);
      try {
        compareReads(text, file);
        return { path, size: file.size, ok: true, text };
      } finally {
        file.close();
      }
    }),
  );
  context.show(
    results.map(({ text: _, ...result }) => result),
    () => results.map(({ text, size }) => `${text}: ${humanSize(size)}, read and mapping agree`).join('\n'),
  );
}

function compareReads(name: string, file: VolumeFile): void {
  const piece = new Uint8Array(Math.min(pieceBytes, file.size));
  let base = 0;
  for (const window of file.windows({ size: 1 << 28 })) {
    for (let at = 0; at < window.length; at += piece.length) {
      const part = piece.subarray(0, Math.min(piece.length, window.length - at));
      file.read(part, base + at);
      // Touching a view of memory that was cut meanwhile would end this process.
      file.checkMemory();
      if (Buffer.compare(part, window.subarray(at, at + part.length)) !== 0) {
        fail('EIO', `${name}: read and mapping differ near byte ${base + at}`, { path: file.path });
      }
    }
    base += window.length;
  }
}
