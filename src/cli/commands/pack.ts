import type { Volume } from '../../famfs/index.js';
import { type PackResult, packDirectory } from '../../formats/index.js';
import { parseAddress } from '../arguments/address.js';
import type { Context } from '../context.js';
import { noneTaken, tookText } from '../copying/took.js';
import { AlreadyReported } from '../errors.js';
import { withVolume } from '../opening.js';
import { count, humanSize } from '../output/human.js';
import { type Progress, startProgress } from '../output/progress.js';

/** `udax pack` */
export async function pack(
  context: Context,
  [directory = '', destination = '']: string[],
  { format }: { format?: 'zip' | 'tar' },
): Promise<void> {
  const target = parseAddress(destination);
  const on = (volume?: Volume) => packed(context, directory, target.path, format, volume);
  const result =
    target.kind === 'local' ? await on() : await withVolume(context, target.device, { readOnly: false }, on);
  if (result.skipped > 0) throw new AlreadyReported();
}

async function packed(
  context: Context,
  directory: string,
  path: string,
  format: 'zip' | 'tar' | undefined,
  volume: Volume | undefined,
): Promise<PackResult> {
  const skipped: { path: string; code: string; message: string }[] = [];
  let bar: Promise<Progress> | undefined;
  let result: PackResult;
  try {
    result = await packDirectory(directory, volume ? { volume, path } : path, {
      ...(format && { format }),
      signal: context.interruptible(),
      onProgress: ({ bytes, totalBytes, path: name }) => {
        bar ??= startProgress(totalBytes);
        void bar.then((shown) => shown.update(bytes, name));
      },
      onSkipped: (what) => {
        skipped.push(what);
        context.output.note(`udax: ${what.path} is not packed: ${what.message} (${what.code})`);
      },
    });
  } finally {
    (await bar)?.stop();
  }
  const took = volume && noneTaken(volume.statfs().allocUnit);
  if (volume && took) {
    took.add(volume.usage(path));
    context.output.note(`udax: this took ${tookText(took)}`);
  }
  context.show({ ...result, skipped, ...(took && { took }) }, () => summary(result, path));
  return result;
}

function summary({ files, directories, links, bytes, archiveBytes }: PackResult, path: string): string {
  const parts = [
    count(files, 'file'),
    ...(directories > 0 ? [count(directories, 'directory', 'directories')] : []),
    ...(links > 0 ? [count(links, 'link')] : []),
  ];
  return `${parts.join(', ')} in ${path}: ${humanSize(bytes)} in ${humanSize(archiveBytes)}`;
}
