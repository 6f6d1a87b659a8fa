/** What the tracer records of the memory, and in which order. */
import { afterEach, describe, expect, it } from 'vitest';
import { redundantFlushes } from '../../proof/crash/explore.js';
import { append, create } from '../../proof/crash/scopes/names.js';
import { traceScope } from '../../proof/crash/trace-scope.js';
import { nameOf } from '../../proof/media/caller.js';
import { deviceOver } from '../../proof/media/device.js';
import { withProbe } from '../../proof/media/probe.js';
import { TracedBacking } from '../../proof/media/traced-backing.js';
import { type Trace, type TraceEvent, Tracer } from '../../proof/media/tracer.js';

const UUID = '11111111-2222-4333-8444-555555555555';
const LOG = 2 ** 21;
const ended: { close(): void }[] = [];
afterEach(() => {
  for (const each of ended.splice(0)) each.close();
});

/** Traces what `act` does to the view that it gets from the device, as code under test would. */
async function traced(act: (bytes: Uint8Array, backing: TracedBacking) => void): Promise<Trace> {
  const backing = new TracedBacking('traced', 16 * 2 ** 20, 'pmem');
  const device = deviceOver(backing, UUID);
  ended.push(device);
  const tracer = new Tracer(device.view);
  backing.tracer = tracer;
  tracer.begin();
  const listener = {
    before: () => tracer.findStores(),
    stored: (at: number, length: number) => tracer.stored(at, length),
  };
  await withProbe(backing.fd, listener, () => act(device.view, backing));
  return tracer.end();
}

const shown = (event: TraceEvent) =>
  'at' in event ? `${event.kind} ${event.at} ${event.length}` : event.kind;

describe('traced memory', () => {
  it('tells an append as it is ordered: entry, flush, fence, both numbers, flush, fence', async () => {
    const { events } = await traceScope(append, 'pmem');
    const at = (events[0] as { at: number }).at;
    expect(events.slice(0, 8).map(shown)).toEqual([
      `store ${at} 544`,
      `flush ${at} 544`,
      'fence',
      `store ${LOG + 32} 4`,
      `store ${LOG + 40} 4`,
      `flush ${LOG} 48`,
      'fence',
      'mark',
    ]);
    const names = new Set(events.flatMap((event) => ('caller' in event ? [nameOf(event.caller)] : [])));
    expect([...names]).toEqual(['famfs/media/append.ts LogAppender.append']);
  });

  it('flushes nothing where all users share caches', async () => {
    const { events } = await traceScope(append, 'shared');
    expect(events.filter(({ kind }) => kind === 'flush')).toEqual([]);
  });

  it('sees each bulk and atomic store by its place, in order', async () => {
    const { events } = await traced((bytes) => {
      bytes.set([1, 2, 3], 100);
      bytes.subarray(5000, 5010).fill(7);
      Atomics.store(new Int32Array(bytes.buffer, bytes.byteOffset, 4), 2, 9);
      Buffer.from(bytes.buffer, bytes.byteOffset + 300, 20).write('hello');
    });
    expect(events.map(shown)).toEqual(['store 100 3', 'store 5000 10', 'store 8 4', 'store 300 20']);
    expect(
      events.every((event) => event.kind === 'store' && event.isOrdered && event.changes.length > 0),
    ).toBe(true);
  });

  it('finds indexed stores between the acts they came between, without an order', async () => {
    const { events } = await traced((bytes, backing) => {
      bytes[64] = 1;
      bytes[8 * 64] = 2;
      backing.sync(0, 4096);
      bytes[0] = 3;
    });
    expect(events.map(({ kind }) => kind)).toEqual(['store', 'flush', 'store']);
    const [first, , last] = events as [
      TraceEvent & { kind: 'store' },
      TraceEvent,
      TraceEvent & { kind: 'store' },
    ];
    expect([first.isOrdered, first.changes.map(({ line }) => line)]).toEqual([false, [1, 8]]);
    expect(last.changes.map(({ line, words }) => [line, words])).toEqual([[0, 1]]);
  });

  it('leaves other memory alone', async () => {
    const { events } = await traced(() => {
      new Uint8Array(8192).fill(3);
      Atomics.add(new Int32Array(4096), 0, 1);
    });
    expect(events).toEqual([]);
  });

  it('counts the lines that are flushed though nobody stored to them', async () => {
    const trace = await traced((bytes, backing) => {
      bytes.fill(1, 64, 128);
      backing.sync(0, 256);
      backing.sync(64, 64);
    });
    expect(redundantFlushes(trace)).toEqual([{ caller: 'outside src', lines: 5, clean: 4 }]);
    expect(redundantFlushes(await traceScope(create, 'pmem'))).toEqual([]);
  });
});
