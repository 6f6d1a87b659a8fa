/** A separate program: `node second-process.js ROOT DEVICE PATH` maps a file and prints its testimony as JSON. */
import { createHash } from 'node:crypto';
import { mountFamfsOn } from '../../famfs/index.js';
import { openDevice } from '../../machine/index.js';
import { describeError } from '../errors.js';
import type { Testimony } from './witness.js';

function testify(root: string, where: string, path: string): Testimony {
  const started = performance.now();
  const device = openDevice(where, { root, writable: false });
  try {
    const volume = mountFamfsOn(device, { readOnly: true });
    try {
      const file = volume.open(path);
      const opened = performance.now();
      const hash = createHash('sha256');
      let bytes = 0;
      let mapped = 0;
      for (const view of file.windows()) {
        mapped ||= performance.now();
        hash.update(view);
        bytes += view.length;
      }
      return {
        pid: process.pid,
        path,
        bytes,
        sha256: hash.digest('hex'),
        mountAndMapMilliseconds: mapped - started,
        mapMilliseconds: mapped - opened,
        hashMilliseconds: performance.now() - mapped,
      };
    } finally {
      volume.close();
    }
  } finally {
    device.close();
  }
}

try {
  const [root = '', device = '', path = ''] = process.argv.slice(2);
  process.stdout.write(JSON.stringify(testify(root, device, path)));
} catch (error) {
  process.stderr.write(describeError(error, 'the second process'));
  process.exitCode = 1;
}
