import { asHost, deviceOver } from '../media/device.js';
import { withProbe } from '../media/probe.js';
import { type MemoryKind, TracedBacking } from '../media/traced-backing.js';
import { type Trace, Tracer } from '../media/tracer.js';
import { OTHER_HOST, THIS_HOST } from './hosts.js';
import type { Scope } from './scope.js';

/** Superblock and log take 10 MiB, files the rest. */
const DEVICE_BYTES = 24 * 2 ** 20;

/** Runs an operation once, on real memory of one kind, and records what it does to the memory. */
export async function traceScope(scope: Scope, memory: MemoryKind, variant = 0): Promise<Trace> {
  const backing = new TracedBacking(scope.name, DEVICE_BYTES, memory);
  const device = deviceOver(backing, THIS_HOST);
  try {
    const tracer = new Tracer(device.view);
    const bench = { device, variant, turn: 0, other: asHost(device, OTHER_HOST), mark: () => tracer.mark() };
    await scope.prepare(bench);
    backing.tracer = tracer;
    tracer.begin();
    const listener = {
      before: () => tracer.findStores(),
      stored: (at: number, length: number) => tracer.stored(at, length),
    };
    await withProbe(backing.fd, listener, () => scope.act(bench));
    return tracer.end();
  } finally {
    device.close();
  }
}
