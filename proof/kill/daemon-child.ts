/** Serves a mount until it is killed. argv: ROOT MOUNTPOINT SETTLE_MILLISECONDS. Prints one line when the mount is there. */

import { mountFamfsAt } from '../../src/mounts/index.js';

const [root, mountpoint, settle] = process.argv.slice(2) as [string, string, string];
await mountFamfsAt('dax0.0', mountpoint, { root, settleMilliseconds: Number(settle) });
process.stdout.write('mounted\n');
setInterval(() => {}, 60_000);
