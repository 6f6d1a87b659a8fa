import { describe, expect, it } from 'vitest';
import { machineWithFiles, onMachine, otherNodes } from './lifetime-support.js';

/**
 * Incident: a caller moved the memory of a view into another ArrayBuffer (enqueue into a byte stream, a BYOB read, transfer()).
 * The view then had length 0, which close() took for "safe to unmap", and the next load through the other buffer was a SIGSEGV.
 * Until then map() of the file returned the dead view. Right: memory that udax did not detach itself stays mapped, and map()
 * returns a new view.
 */
describe.each([process.execPath, ...otherNodes])('a view whose memory was moved away, on %s', (node) => {
  const run = (script: string, env = {}) => {
    const { stdout, stderr, end } = onMachine(machineWithFiles(), script, env, node);
    return { stdout, stderr, end };
  };
  const movers = {
    enqueue: 'await enqueue(view)',
    byob: `await (async () => {
      let controller;
      const stream = new ReadableStream({ type: 'bytes', start: (made) => void (controller = made) });
      const read = stream.getReader({ mode: 'byob' }).read(view);
      controller.byobRequest.respond(2 ** 20);
      return (await read).value;
    })()`,
    transfer: 'view.buffer.transfer ? new Uint8Array(view.buffer.transfer()) : await enqueue(view)',
  };

  it.each(Object.entries(movers))('keeps its bytes after close() of all: %s', (_name, mover) => {
    const { stdout, end } = run(`
      const file = volume.open('/f1');
      const view = file.map();
      const moved = ${mover};
      console.log(view.length, moved.length, moved[77777]);
      file.close();
      console.log(moved[77777], moved[2 ** 20 - 1]);
      volume.close();
      console.log(moved[77777]);
      machine.close();
      console.log(moved.length, moved[77777]);
    `);
    // The machine's close() removes the memory itself: from then on the bytes are zeroes.
    expect({ stdout, end }).toEqual({ stdout: '0 1048576 2\n2 2\n2\n1048576 0\n', end: 0 });
  });

  it('gives a new view of the same bytes to who maps again, with the same handle and with another', () => {
    const { stdout, end } = run(`
      const [file, other] = [volume.open('/f1'), volume.open('/f1')];
      const shared = other.map();
      const moved = await enqueue(file.map());
      const [again, too] = [file.map(), other.map()];
      again[3] = 9;
      console.log(shared.length, again.length, too.length, too[3], again[4], moved[4], file.map() === again);
      file.close();
      console.log(again.length, too.length);
      other.close();
      console.log(too.length, moved[4]);
    `);
    expect({ stdout, end }).toEqual({
      stdout: '0 1048576 1048576 9 2 2 true\n1048576 1048576\n0 2\n',
      end: 0,
    });
  });

  it('shows zeroes, never other bytes, once its device is gone', () => {
    const { stdout, end } = run(`
      const file = volume.open('/f1');
      const moved = await enqueue(file.map());
      const closed = volume.open('/f2');
      const late = await enqueue(closed.map());
      closed.close();
      machine.disable('dax0.0', { force: true });
      console.log(moved.length, moved[0], late.length, late[5]);
    `);
    expect({ stdout, end }).toEqual({ stdout: '1048576 0 1048576 0\n', end: 0 });
  });

  it('stays mapped for the mover when handle and view are dropped, and is told in debug mode and counted', () => {
    const script = `
      const moved = await (async () => await enqueue(volume.open('/f3').map()))();
      for (let i = 0; i < 20; i++) { gc(); await turn(); }
      console.log(moved.length, moved[99], machine.status().process.moved);
    `;
    const { stdout, stderr, end } = run(script, { UDAX_DEBUG: '1' });
    expect({ stdout, end }).toEqual({ stdout: '1048576 4 1\n', end: 0 });
    expect(stderr).toMatch(/UDAX_MAPPING.*\/f3 on dax0.0: a view was moved into another ArrayBuffer/);
  });

  it('of a raw device stays mapped too', () => {
    const { stdout, end } = run(`
      const raw = machine.openDax('dax1.0');
      raw.mmap()[5] = 42;
      const moved = await enqueue(raw.mmap());
      const again = raw.mmap();
      console.log(again.length, again[5]);
      raw.close();
      console.log(moved[5], again.length);
    `);
    expect({ stdout, end }).toEqual({ stdout: '4194304 42\n42 0\n', end: 0 });
  });

  it('of a memory node reads zeroes after free(), and not what the next owner of the bytes stores', () => {
    const { stdout, end } = run(`
      machine.createRegion({ size: '128MiB', sparse: true, targetNode: 7 });
      machine.reconfigure('dax2.0', 'system-ram');
      const node = machine.node(7);
      const first = node.alloc(8192);
      first.bytes.fill(1);
      const moved = await enqueue(first.bytes);
      first.free();
      const second = node.alloc(8192);
      second.bytes.fill(2);
      console.log(moved.length, moved[0], second.bytes[0], node.stats().usedBytes);
    `);
    expect({ stdout, end }).toEqual({ stdout: '8192 0 2 8192\n', end: 0 });
  });
});
