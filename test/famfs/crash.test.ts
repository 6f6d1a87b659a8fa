/** A writer that died between the two index stores of an append. proof/ tests all other crashes (test/proof/crash.test.ts). */
import { describe, expect, it } from 'vitest';
import {
  bufferMedia,
  formatMedia,
  fsckMedia,
  Log,
  LogAppender,
  logHeaderLayout,
  readSuperblock,
} from '../../src/famfs/index.js';

const MIB = 2 ** 20;
const HOST = '11111111-2222-4333-8444-555555555555';

describe('a crash in the middle of an append', () => {
  it('between the two index stores is a note in fsck, and repaired by the next writer', () => {
    const media = bufferMedia(new Uint8Array(10 * MIB), { size: 64 * MIB });
    formatMedia(media, { systemUuid: HOST });
    const log = Log.open(media, readSuperblock(media));
    new LogAppender(log).append({ kind: 'mkdir', path: 'd', uid: 0, gid: 0, mode: 0o755 });
    const notes = () => fsckMedia(media).notes.map(({ code }) => code);
    expect(notes()).toEqual([]);
    // The state before the last store.
    log.bytes[logHeaderLayout.fields.nextIndex.offset] = 0;
    expect(notes()).toEqual(['torn-append']);
    expect(fsckMedia(media).errors).toEqual([]);
    expect(new LogAppender(log).repair()).toBe(true);
    expect([log.nextSeqnum(), log.nextIndex()]).toEqual([0, 0]);
    expect(notes()).toEqual(['unpublished-entry']);
    expect(new LogAppender(log).repair()).toBe(false);
  });
});
