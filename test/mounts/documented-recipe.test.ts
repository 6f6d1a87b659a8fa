import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { because, binary, have, MIB, noMounts, Place, sh } from './support.js';

const missing = noMounts === '' && !have('daxctl') ? ' (skipped: daxctl is not installed)' : '';

/** The code blocks of docs/mount.md below "## udax shell", unchanged. */
function blocks(): string[] {
  const text = fs.readFileSync(path.resolve(import.meta.dirname, '../../docs/mount.md'), 'utf8');
  const section = text.slice(text.indexOf('## udax shell'));
  return [...section.matchAll(/(?:^ {4}.*\n)+/gm)].map(([block]) => block.replace(/^ {4}/gm, ''));
}

describe.skipIf(noMounts !== '' || missing !== '')(
  `what docs/mount.md says of daxctl${because}${missing}`,
  () => {
    let place: Place;
    beforeEach(() => {
      place = new Place();
    });
    afterEach(() => place.close());

    /** Pastes a block into a shell; only the paths are replaced. */
    function paste(block: string) {
      const udax = `udax() { '${process.execPath}' '${binary}' --root '${place.root}' "$@"; }\n`;
      const file = path.join(place.directory, 'pasted');
      fs.writeFileSync(file, udax + block.replaceAll('/tmp/t', path.join(place.directory, 'tree')));
      return sh(`sh '${file}'`, 40);
    }

    it('the examples of udax shell do what they say', () => {
      const { status, stdout } = paste(blocks()[0]!.replace('-s 1GiB', '-s 1GiB --sparse'));
      expect(status).toBe(0);
      expect(stdout).toContain('"chardev":"dax0.0"');
      expect(stdout).toMatch(new RegExp(`"chardev":"dax0.1",\\s*"size":${256 * MIB}`));
    });

    it('the recipe by hand shows the machine to daxctl, and leaves nothing', () => {
      place.udax('create-region', '-s', '64M', '--sparse');
      place.udax('create-region', '-s', '128M', '--sparse');
      const { status, stdout, stderr } = paste(blocks()[1]!);
      expect([status, stderr]).toEqual([0, '']);
      const listed = JSON.parse(stdout.slice(stdout.indexOf('['), stdout.lastIndexOf(']') + 1));
      expect(listed.map((region: { size: number }) => region.size).sort()).toEqual([128 * MIB, 64 * MIB]);
      expect(fs.readdirSync(place.directory).sort()).toEqual(['pasted', 'root']);
    });
  },
);
