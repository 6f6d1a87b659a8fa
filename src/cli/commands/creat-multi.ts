import { type Address, volumeAddress } from '../arguments/address.js';
import { integerArgument } from '../arguments/numbers.js';
import { positiveSizeArgument } from '../arguments/size.js';
import type { Context } from '../context.js';
import { AlreadyReported, describeError, UsageError } from '../errors.js';
import { withVolume } from '../opening.js';
import { count, humanSize } from '../output/human.js';
import { type CreatFlags, makeFile, optionsOf } from './creat-file.js';

interface FileSpec {
  text: string;
  address: Address & { kind: 'volume' };
  size: number;
  /** Null: zeroes. */
  seed: number | null;
}

interface Made {
  path: string;
  size: number;
  existed: boolean;
  seed?: number;
}

/** `udax creat --multi FILE,SIZE[,SEED] ...`: a failure of one file is printed, and the others are made. */
export function creatMulti(context: Context, file: string | undefined, flags: CreatFlags): void {
  if (file !== undefined || flags.size !== undefined || flags.random || flags.seed !== undefined) {
    throw new UsageError('--multi names its files itself: FILE,SIZE[,SEED]; leave out FILE, -s, -r and -S');
  }
  if (flags.threads !== undefined) integerArgument(flags.threads, '-t THREADS', 1, 256);
  const specs = flags.multi!.map(parseSpec);
  const options = optionsOf(flags);
  const made: Made[] = [];
  let failures = 0;
  for (const device of new Set(specs.map(({ address }) => address.device))) {
    withVolume(context, device, { readOnly: false }, (volume) => {
      for (const { text, address, size, seed } of specs) {
        if (address.device !== device) continue;
        try {
          const existed = makeFile(volume, address.path, { size, seed }, options);
          made.push({ path: address.path, size, existed, ...(seed !== null && { seed }) });
        } catch (error) {
          failures++;
          context.output.note(describeError(error, text).trimEnd());
        }
      }
    });
  }
  context.show(made, () => {
    const bytes = made.reduce((sum, { size }) => sum + size, 0);
    return `${count(made.length, 'file')}, ${humanSize(bytes)}`;
  });
  if (failures > 0) throw new AlreadyReported();
}

/** The last field is the seed when it is a number and the field before it is a size. A path may contain commas. */
function parseSpec(text: string): FileSpec {
  const fields = text.split(',');
  const hasSeed = fields.length > 2 && /^\d+$/.test(fields.at(-1)!) && /^\d+[a-zA-Z]*$/.test(fields.at(-2)!);
  const seedText = hasSeed ? fields.pop()! : '0';
  const sizeText = fields.length > 1 ? fields.pop()! : '';
  if (sizeText === '')
    throw new UsageError(`"${text}" names no size: write FILE,SIZE[,SEED], like dax0.0:/a,4M,42`);
  const seed = integerArgument(seedText, 'SEED', 0, 0xffff_ffff);
  return {
    text,
    address: volumeAddress(fields.join(',')),
    size: positiveSizeArgument(sizeText, 'SIZE'),
    seed: seed === 0 ? null : seed,
  };
}
