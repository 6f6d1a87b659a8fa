// Makes a safetensors file of many equal tensors of 32-bit floats.
import { closeSync, openSync, writeSync } from 'node:fs';

export const TENSORS = 64;
export const LAST_TENSOR = `layer.${TENSORS - 1}`;
const HEADER_ALIGN = 4096;

/** @returns the size of the file */
export function writeModel(path, wantedBytes) {
  const bytes = Math.max(4096, Math.floor((wantedBytes - 2 * HEADER_ALIGN) / TENSORS / 4096) * 4096);
  const entries = Array.from({ length: TENSORS }, (_, i) => [
    `layer.${i}`,
    { dtype: 'F32', shape: [bytes / 4096, 1024], data_offsets: [i * bytes, (i + 1) * bytes] },
  ]);
  const json = JSON.stringify({ __metadata__: { format: 'pt' }, ...Object.fromEntries(entries) });
  const headerBytes = Math.ceil((8 + json.length) / HEADER_ALIGN) * HEADER_ALIGN - 8;
  const fd = openSync(path, 'w');
  const start = Buffer.alloc(8);
  start.writeBigUInt64LE(BigInt(headerBytes));
  writeSync(fd, start);
  writeSync(fd, json.padEnd(headerBytes));
  for (let i = 0; i < TENSORS; i++) {
    const data = new Float32Array(bytes / 4).fill(i + 0.5);
    data[data.length - 1] = -i;
    writeSync(fd, Buffer.from(data.buffer));
  }
  closeSync(fd);
  return 8 + headerBytes + TENSORS * bytes;
}
