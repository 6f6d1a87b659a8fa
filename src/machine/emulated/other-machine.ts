import fs from 'node:fs';
import path from 'node:path';
import { fail, isSameFile } from '../../libc/index.js';
import { memoryIdentity } from '../../memory/index.js';
import { parseDocument, type RegionDocument } from './document.js';

/**
 * How the machine whose `regions/` has a memory file uses that memory. A mode may be set while no process uses the device; then
 * no lock shows it, but the other machine's machine.json does. (For a file that a user chose as backing, there is no way to find
 * the machines that name it.)
 */

interface OtherUse {
  root: string;
  device: string;
  driver: string | null;
}

/**
 * Refuses memory that another machine has in one of the modes.
 * @param ownRoot the machine that asks; its own memory is not looked up
 * @throws DaxError EBUSY the machine that owns the file has these bytes in one of the modes
 */
export function refuseOtherMachinesModes(
  file: string,
  { start, length }: { start: number; length: number },
  drivers: readonly string[],
  ownRoot?: string,
): void {
  const found = usesOf(file, start, length, ownRoot).find(({ driver }) =>
    driver === null ? false : drivers.includes(driver),
  );
  if (!found) return;
  const mode = found.driver === 'kmem' ? 'system-ram' : 'famfs';
  fail(
    'EBUSY',
    `${file} is memory of the machine at ${found.root}, where ${found.device} is in ${mode} mode: ` +
      `disable ${found.device} there first, or use other memory`,
    { path: file, hint: 'disable-there', hintPath: found.root },
  );
}

function usesOf(file: string, start: number, length: number, ownRoot: string | undefined): OtherUse[] {
  let document: string;
  let root: string;
  try {
    const regions = path.dirname(fs.realpathSync(file));
    root = path.dirname(regions);
    const isOwn = ownRoot !== undefined && isSameFile(fs.statSync(root), fs.statSync(ownRoot));
    if (path.basename(regions) !== 'regions' || isOwn) return [];
    document = path.join(root, 'machine.json');
    const own = memoryIdentity(file);
    return parseDocument(fs.readFileSync(document, 'utf8'), document)
      .regions.filter((region) => memoryIdentity(memoryOf(region, regions)) === own)
      .flatMap((region) => devicesOver(region, start, length, root));
  } catch {
    // There is no readable machine, so nothing is known.
    return [];
  }
}

/** Own memory lies beside its document, wherever the directory was moved to. */
function memoryOf({ backing }: RegionDocument, regions: string): string {
  return backing.owned ? path.join(regions, path.basename(backing.path)) : backing.path;
}

function devicesOver(region: RegionDocument, start: number, length: number, root: string): OtherUse[] {
  const at = (address: number): number => address - region.start + region.backing.offset;
  return region.devices
    .filter(({ ranges }) =>
      ranges.some((range) => at(range.start) < start + length && start <= at(range.end)),
    )
    .map(({ name, driver }) => ({ root, device: name, driver }));
}
