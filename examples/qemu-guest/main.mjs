// A QEMU guest and its host share one volume: the guest has famfs on /dev/dax0.0 (an NVDIMM), the host maps the same memory.
// No network, no copy: what the guest publishes, the host reads at once.
//
//     truncate -s 1G /dev/shm/guest.mem
//     qemu-system-x86_64 -machine q35,nvdimm=on -m 2G,slots=4,maxmem=8G \
//       -object memory-backend-file,id=nv,mem-path=/dev/shm/guest.mem,size=1G,share=on,align=2M -device nvdimm,id=nvd,memdev=nv ...
//     # in the guest
//     ndctl create-namespace -f -e namespace0.0 -m devdax --align=2M --map=mem
//     udax mkfs /dev/dax0.0
//     udax cp model.bin /dev/dax0.0:/
//     # on the host
//     node main.mjs /dev/shm/guest.mem
//
// usage: node main.mjs MEMORY_FILE [OFFSET]
// OFFSET: where /dev/dax0.0 begins in the memory, bytes; 2097152 with --map=mem, whose label takes the first 2 MiB.

import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mountFamfs, openMachine } from 'udax';

const [memory, offsetText = String(2 ** 21)] = process.argv.slice(2);
if (memory === undefined) {
  console.error('usage: node main.mjs MEMORY_FILE [OFFSET]');
  process.exit(2);
}
const offset = Number(offsetText);

// A machine of this program's own: a region over the guest's memory, nothing of which is changed.
const root = mkdtempSync(join(tmpdir(), 'udax-qemu-guest-'));
const machine = openMachine(root, { create: true });
const size = statSync(memory).size - offset;
const [device] = machine.createRegion({ backing: memory, offset, size, sparse: true }).devices;
machine.reconfigure(device, 'famfs');
// The guest is the master. This host has another id, so it is a client; it looks only.
const volume = mountFamfs(machine.device(device), { readOnly: true });
console.log(`${volume.role} of what the guest has published:`);
show('/');

// Then everything new, until Ctrl-C.
const stop = new AbortController();
process.once('SIGINT', () => stop.abort());
process.once('SIGTERM', () => stop.abort());
try {
  for await (const event of volume.watch({ signal: stop.signal }))
    if (event.type === 'new')
      for (const entry of event.entries) if (entry.isFile()) console.log(`new: ${describe(entry.path)}`);
} catch (error) {
  if (error.name !== 'AbortError') throw error;
} finally {
  volume.close();
  machine.close();
  rmSync(root, { recursive: true });
}

function show(directory) {
  for (const name of volume.readdir(directory)) {
    const path = join(directory, name);
    if (volume.stat(path).isDirectory()) show(path);
    else console.log(describe(path));
  }
}

/** Its size, and the first line of what is mapped: no byte of the file was copied to this process. */
function describe(path) {
  const file = volume.open(path);
  const view = file.map();
  const [line] = Buffer.from(view.buffer, view.byteOffset, Math.min(view.length, 60)).toString().split('\n');
  file.close();
  return `${path} (${volume.stat(path).size} bytes): ${line}`;
}
