import { createInterface } from 'node:readline';
import type { Place } from '../mounts/support.js';

const SCRIPT = `
import mmap, os, sys
fd = os.open(sys.argv[1], os.O_RDWR)
view = mmap.mmap(fd, 4 << 20)
view[0] = 7
print('mapped', flush=True)
sys.stdin.readline()
view[1 << 20] = 9
view.flush()
print(os.pread(fd, 1, 0)[0], os.pread(fd, 1, 1 << 20)[0], flush=True)
`;

/**
 * A plain program that has mapped the first 4 MiB of a file, and stored into it.
 * @returns what lets it store into another page, and gives the two bytes as it reads them back
 */
export async function mapper(place: Place, file: string): Promise<() => Promise<string>> {
  const child = place.start('python3', ['-c', SCRIPT, file]);
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const said = async () => String((await lines.next()).value);
  if ((await said()) !== 'mapped') throw new Error(`${file} was not mapped`);
  return async () => {
    child.stdin!.end('\n');
    return await said();
  };
}
