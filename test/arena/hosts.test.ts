/**
 * Hosts of one arena. They are played by handles with names of their own, over one memory: what reaches another kernel (leases, versions,
 * tombstones, pins) is what decides here; locks of one kernel are not.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { type Arena, type ArenaStats, openArena } from '../../src/arena/index.js';
import { ArenaLab, bytesOf, expectSound } from './support.js';

function reapedStats(arena: Arena): ArenaStats {
  arena.reap();
  return arena.stats();
}

/** A busy machine stops this process for longer than a short lease: where nobody is to lapse, leases are long. */
const HOSTS = { hosts: 2, leaseMs: 10_000, slots: 64 };
const LAPSING = { ...HOSTS, leaseMs: 400 };

describe('an arena of several hosts', () => {
  const lab = new ArenaLab();
  afterEach(() => lab.close());

  it('lets each host store in its own part, and read all', () => {
    const { arena: a, volume } = lab.make(HOSTS, { host: 'a' });
    const b = lab.open(volume, { host: 'b' });
    a.put('of-a', bytesOf('of-a', 1000));
    b.put('of-b', bytesOf('of-b', 2000));
    expect(b.read('of-a')).toEqual(bytesOf('of-a', 1000));
    const value = a.get('of-b')!;
    expect(Buffer.compare(value.bytes as Uint8Array, bytesOf('of-b', 2000))).toBe(0);
    value.release();
    expect([...a.list()].map(({ name, host }) => [name, host])).toEqual([
      ['of-a', 0],
      ['of-b', 1],
    ]);
    expect(a.stats()).toMatchObject({ objects: 2, hosts: 2 });
    expectSound(volume);
  });

  it('shows the newest version of a key, whoever stored it, and none after a delete', () => {
    const { arena: a, volume } = lab.make(HOSTS, { host: 'a' });
    const b = lab.open(volume, { host: 'b' });
    a.put('k', Uint8Array.of(1));
    b.put('k', Uint8Array.of(2));
    expect(a.read('k')).toEqual(Uint8Array.of(2));
    a.put('k', Uint8Array.of(3));
    expect(b.read('k')).toEqual(Uint8Array.of(3));
    expect(b.delete('k')).toBe(true);
    expect(a.has('k')).toBe(false);
    expect(b.has('k')).toBe(false);
    expect(a.delete('k')).toBe(false);
    a.put('k', Uint8Array.of(4));
    expect(b.read('k')).toEqual(Uint8Array.of(4));
    expectSound(volume);
  });

  it('does not bring an old version back when the newer one is evicted', () => {
    const { arena: a, volume } = lab.make({ ...HOSTS, eviction: 'fifo' }, { host: 'a' });
    const b = lab.open(volume, { host: 'b' });
    a.put('k', Uint8Array.of(1));
    b.put('k', Uint8Array.of(2));
    expect(b.evict(64)).toBe(64);
    expect(a.has('k')).toBe(false);
    expect(b.has('k')).toBe(false);
    // a frees what b hides when it needs the room, and b its tombstone after that.
    const { heap } = a.stats();
    a.put('all', new Uint8Array(heap / 2));
    b.put('all-of-b', new Uint8Array(heap / 2));
    for (let i = 0; i < 80; i++) b.put(`n${i}`, Uint8Array.of(i));
    expect(b.stats().tombstones).toBe(0);
    expectSound(volume);
  });

  it('does not free what a reader of another host has pinned', () => {
    const { arena: a, volume } = lab.make(HOSTS, { host: 'a' });
    const b = lab.open(volume, { host: 'b' });
    const { heap } = a.stats();
    a.put('k', new Uint8Array(heap / 2).fill(1));
    const value = b.get('k')!;
    a.delete('k');
    expect(() => a.put('other', new Uint8Array(heap / 2))).toThrow(
      expect.objectContaining({ code: 'EBUSY', message: expect.stringContaining('host 1 ') }),
    );
    value.release();
    a.put('other', new Uint8Array(heap / 2).fill(2));
  });

  it('gives a part that was closed to the next host at once', () => {
    const { arena: a, volume } = lab.make(HOSTS, { host: 'a' });
    lab.open(volume, { host: 'b' });
    a.close();
    const c = lab.open(volume, { host: 'c' });
    c.put('x', Uint8Array.of(1));
    expect(c.has('x')).toBe(true);
  });

  it('takes the part of a host that is gone, with all it committed, and fences it', async () => {
    const { arena: a, volume } = lab.make({ ...LAPSING, hosts: 1 }, { host: 'a' });
    a.put('k', bytesOf('k', 500));
    const half = a.reserve('half', 700);
    const held = a.get('k')!;
    // a sleeps: its timer does not run while this thread waits for the lease.
    const b = lab.open(volume, { host: 'b' });
    expect(b.read('k')).toEqual(bytesOf('k', 500));
    expect(() => half.commit()).toThrow(expect.objectContaining({ code: 'ESTALE' }));
    expect(() => a.put('late', Uint8Array.of(1))).toThrow(expect.objectContaining({ code: 'ESTALE' }));
    expect(() => held.check()).toThrow(expect.objectContaining({ code: 'ESTALE' }));
    expect(b.has('half')).toBe(false);
    expect(b.has('late')).toBe(false);
    // a may still store into what it had reserved: that space is kept for ten leases.
    expect(b.stats().reserved).toBe(704);
    await expect.poll(() => reapedStats(b).reserved).toBe(0);
    expectSound(volume);
  });

  // Incident: a host that had long seen a lease lapse took the name of the part's new owner out of it.
  it('leaves a part to the host that took it over, however long ago others saw the old one lapse', async () => {
    const { arena: a, volume } = lab.make(LAPSING, { host: 'a' });
    const b = lab.open(volume, { host: 'b' });
    a.put('of-a', Uint8Array.of(1));
    a.tick = () => {}; // a is gone
    await new Promise((resolve) => setTimeout(resolve, 2 * LAPSING.leaseMs)); // b looks at it meanwhile
    b.tick = () => {}; // and not again before it reaps
    const c = lab.open(volume, { host: 'c' });
    b.reap();
    c.put('of-c', Uint8Array.of(2));
    expect(b.read('of-c')).toEqual(Uint8Array.of(2));
    expect(c.read('of-a')).toEqual(Uint8Array.of(1));
    expectSound(volume);
  });

  it('voids the pins of a host whose lease lapsed', async () => {
    const { arena: a, volume } = lab.make(LAPSING, { host: 'a' });
    const b = openArena(volume, '/kv', { host: 'b' });
    const { heap } = a.stats();
    a.put('k', new Uint8Array(heap / 2));
    const value = b.get('k')!;
    a.delete('k');
    b.tick = () => {}; // b sleeps from now on
    await expect.poll(() => reapedStats(a).limbo).toBe(0);
    expect(() => value.check()).toThrow(expect.objectContaining({ code: 'ESTALE' }));
    a.put('other', new Uint8Array(heap / 2));
    b.close();
    expectSound(volume);
  });
});
