// What went wrong: when a region's file was cut under a mount, the daemon read the log through its views and was killed by
// SIGBUS, without a line in its log. Right: each access checks first. Users of the mount get EIO, and the daemon lives and can be
// unmounted.
import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { because, MIB, noMounts, Place, sh } from './support.js';

describe.skipIf(noMounts !== '')(`a mount whose region's file is cut${because}`, () => {
  let place: Place;
  let at: string;
  let memory: string;
  beforeEach(() => {
    place = new Place();
    place.makeVolume('64MiB');
    const volume = place.volume();
    volume.create('/a', { size: 4 * MIB }).close();
    volume.create('/read-only', { size: 4 * MIB, mode: 0o444 }).close();
    at = place.mount();
    memory = path.join(place.root, 'regions', '0.mem');
  });
  afterEach(() => place.close());

  it('to nothing: reads, writes and new files are EIO, names are still there, the daemon lives', () => {
    const user = fs.openSync(`${at}/a`, 'r+');
    const reader = fs.openSync(`${at}/read-only`, 'r');
    const pid = place.daemonPid(at);
    fs.truncateSync(memory, 0);
    const bytes = Buffer.alloc(4096);
    const eio = expect.objectContaining({ code: 'EIO' });
    expect(() => fs.readSync(user, bytes, 0, 4096, 0)).toThrow(eio);
    expect(() => fs.readSync(reader, bytes, 0, 4096, 8192)).toThrow(eio);
    expect(() => fs.writeSync(user, bytes, 0, 4096, 0)).toThrow(eio);
    expect(sh(`cat '${at}/a' > /dev/null`).stderr).toContain('Input/output error');
    expect(sh(`mkdir '${at}/d'`).stderr).toContain('Input/output error');
    expect(sh(`echo hello > '${at}/new'`).stderr).toContain('Input/output error');
    expect(sh(`sync '${at}/a'`).stderr).toContain('Input/output error');
    fs.closeSync(user);
    fs.closeSync(reader);
    expect(fs.existsSync(`/proc/${pid}`)).toBe(true);
    expect(fs.statSync(memory).size).toBe(0);
    expect(place.udax('umount', at).status).toBe(0);
  });

  it('in the middle: what is left is served, also after it was given back', () => {
    fs.truncateSync(memory, 12 * MIB);
    expect(sh(`head -c 1M '${at}/a' | wc -c`).stdout.trim()).toBe(String(MIB));
    expect(sh(`tail -c 1 '${at}/a'`).stderr).toContain('Input/output error');
    fs.truncateSync(memory, 64 * MIB);
    expect(sh(`cat '${at}/a' | wc -c`).stdout.trim()).toBe(String(4 * MIB));
  });
});
