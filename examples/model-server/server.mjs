// A server of main.mjs: loads the model in one of two ways and answers
//   GET /tensors       the names
//   GET /tensor/NAME   its shape, first and last number
//   GET /touch         the sum of one byte of every page, so that all pages are in its memory
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { openVolume } from 'udax';
import { openSafetensors, parseSafetensors } from 'udax/formats';
import { anonymousBytes } from './memory.mjs';

const PAGE_BYTES = 4096;
const [way, ...where] = process.argv.slice(2);
const anonymousBefore = anonymousBytes(process.pid);
const start = performance.now();
const { model, volume } = way === 'udax' ? openModel(...where) : readModel(...where);
const last = [...model.tensors.values()].at(-1).data;
const lastNumber = last[last.length - 1];
const loadMs = performance.now() - start;

const server = createServer((request, response) => {
  try {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(answer(decodeURIComponent(request.url))));
  } catch (error) {
    response.statusCode = error.code === 'ENOENT' ? 404 : 500;
    response.end(JSON.stringify({ error: error.message }));
  }
});
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address();
  process.stdout.write(`${JSON.stringify({ port, loadMs, anonymousBefore, lastNumber })}\n`);
});
process.stdin.resume().on('end', () => {
  server.close();
  server.closeAllConnections();
  model.close();
  volume?.close();
});

function openModel(root, path) {
  const volume = openVolume(root);
  return { model: openSafetensors(volume, path), volume };
}

function readModel(path) {
  return { model: parseSafetensors(readFileSync(path), { name: path }) };
}

function answer(path) {
  if (path === '/tensors') return [...model.tensors.keys()];
  if (path === '/touch') return { sum: touch() };
  const { shape, data } = model.tensor(path.replace('/tensor/', ''));
  return { shape, first: data[0], last: data[data.length - 1] };
}

function touch() {
  let sum = 0;
  for (const { bytes } of model.tensors.values())
    for (let at = 0; at < bytes.length; at += PAGE_BYTES) sum += bytes[at];
  return sum;
}
