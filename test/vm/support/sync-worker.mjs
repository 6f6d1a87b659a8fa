// Holds a VM's second port on a thread of its own, so that the main thread can wait for an answer without its event loop.
import net from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';

const { socketPath, signal, answers } = workerData;
const word = new Int32Array(signal);
let text = '';
let peer = null;

const server = net.createServer((socket) => {
  peer = socket;
  socket.setEncoding('utf8');
  socket.on('error', () => {});
  socket.on('data', (piece) => {
    const lines = (text + piece).split('\n');
    text = lines.pop();
    for (const line of lines) {
      answers.postMessage(line);
      Atomics.add(word, 0, 1);
      Atomics.notify(word, 0);
    }
  });
});
server.listen(socketPath, () => parentPort.postMessage('listening'));
parentPort.on('message', (line) => peer.write(line));
