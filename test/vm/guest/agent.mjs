// The one process of a VM that the test machine talks to: a line {id, module, name, args} calls a function of a module
// next to this file, a line {id, value} or {id, error} answers. Modules stay loaded, so that what they hold open stays.
import fs from 'node:fs';
import path from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import { daxDevice } from './device.mjs';

const PORTS = '/sys/class/virtio-ports';

function openPort(wanted) {
  for (const port of fs.readdirSync(PORTS)) {
    const name = fs.readFileSync(path.join(PORTS, port, 'name'), 'utf8').trim();
    if (name === wanted) return fs.openSync(`/dev/${port}`, 'r+');
  }
  throw new Error(`no virtio port is named ${wanted}`);
}

function send(fd, message) {
  const bytes = Buffer.from(`${JSON.stringify(message)}\n`);
  for (let done = 0; done < bytes.length; ) done += fs.writeSync(fd, bytes, done);
}

async function answer(fd, line) {
  const { id, module, name, args } = JSON.parse(line);
  try {
    const functions = await import(`./${module}.mjs`);
    send(fd, { id, value: (await functions[name](...args)) ?? null });
  } catch (error) {
    const { message, code, stack } = error instanceof Error ? error : { message: String(error) };
    send(fd, { id, error: { message, code, stack } });
  }
}

/** Answers what comes through a port; the end of the port is the end of the VM. */
function serve(fd) {
  const buffer = Buffer.alloc(2 ** 16);
  const decoder = new StringDecoder('utf8');
  let text = '';
  const next = () =>
    fs.read(fd, buffer, 0, buffer.length, null, (error, bytes) => {
      if (error || bytes === 0) process.exit(error ? 1 : 0);
      const lines = (text + decoder.write(buffer.subarray(0, bytes))).split('\n');
      text = lines.pop();
      for (const line of lines) void answer(fd, line);
      next();
    });
  next();
}

process.umask(0o022);
// A test that leaves a promise behind must not take the VM with it: the console shows it.
process.on('unhandledRejection', (error) => console.error('agent: unhandled', error));
const ports = ['udax.calls', 'udax.sync'].map(openPort);
send(ports[0], { ready: { dax: daxDevice() } });
for (const port of ports) serve(port);
