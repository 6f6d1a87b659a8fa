// The reading end of a pipe on stdin: like queue-consumer, for COUNT messages of BYTES bytes.
import { readSync } from 'node:fs';

const [bytesText, countText] = process.argv.slice(2) as [string, string];
const total = Number(bytesText) * Number(countText);
const buffer = new Uint8Array(65536);
process.send!('ready');
for (let taken = 0; taken < total; ) {
  const length = readSync(0, buffer);
  if (length === 0) throw new Error(`the pipe ended after ${taken} of ${total} bytes`);
  taken += length;
}
process.send!('done');
process.disconnect();
