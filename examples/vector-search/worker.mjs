// A worker of main.mjs: has the vectors FROM to TO, and answers each query with the nearest of them.
import { parentPort, workerData } from 'node:worker_threads';
import { openVolume } from 'udax';

const { way, root, from, to, dimensions, nearest } = workerData;
const begun = performance.now();
const { own, copiedBytes } = load();
parentPort.postMessage({ copiedBytes, loadMs: performance.now() - begun });
parentPort.on('message', (query) => parentPort.postMessage(nearestTo(query)));

/** In one way the vectors are the memory of the file; in the other they are read into this heap. */
function load() {
  const volume = openVolume(root, { readOnly: true });
  const file = volume.open('/vectors.f32');
  if (way === 'udax') {
    const all = file.mapAs(Float32Array);
    return { own: all.subarray(from * dimensions, to * dimensions), copiedBytes: 0 };
  }
  const own = new Float32Array((to - from) * dimensions);
  file.read(new Uint8Array(own.buffer), from * dimensions * 4);
  volume.close();
  return { own, copiedBytes: own.byteLength };
}

/** Squared distances; the best few kept in order. */
function nearestTo(query) {
  const best = [];
  for (let vector = 0; vector < to - from; vector++) {
    const at = vector * dimensions;
    let distance = 0;
    for (let d = 0; d < dimensions; d++) {
      const difference = own[at + d] - query[d];
      distance += difference * difference;
    }
    if (best.length === nearest && distance >= best[nearest - 1].distance) continue;
    let place = best.length;
    while (place > 0 && best[place - 1].distance > distance) place--;
    best.splice(place, 0, { index: from + vector, distance });
    best.length = Math.min(best.length, nearest);
  }
  return best;
}
