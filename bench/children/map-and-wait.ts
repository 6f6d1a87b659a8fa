// Mounts, maps a 1 GiB file, reports the time to the first byte, reads all its pages and waits to be measured.
import { readFileSync } from 'node:fs';
import { mountFamfs, openMachine } from '../../src/index.js';

const [root, device, path] = process.argv.slice(2) as [string, string, string];
const start = performance.now();
const machine = openMachine(root);
const volume = mountFamfs(machine.device(device));
const mounted = performance.now();
const bytes = volume.open(path).map();
let sum = bytes[0]!;
const firstByteMs = performance.now() - mounted;
const mountMs = mounted - start;
for (let offset = 0; offset < bytes.length; offset += 4096) sum += bytes[offset]!;
process.send!({ mountMs, firstByteMs, sum });
process.on('message', (word) => {
  if (word === 'measure') {
    process.send!({ pssBytes: pssOfRegionMappings() });
    return;
  }
  volume.close();
  machine.close();
  process.disconnect();
});

/** Sum of Pss over this process's mappings of region files. */
function pssOfRegionMappings(): number {
  let total = 0;
  let inside = false;
  for (const line of readFileSync('/proc/self/smaps', 'utf8').split('\n')) {
    if (/^[0-9a-f]+-[0-9a-f]+ /.test(line)) inside = line.includes('/regions/');
    else if (inside && line.startsWith('Pss:')) total += Number(/\d+/.exec(line)![0]) * 1024;
  }
  return total;
}
