/** Orders of udax, each broken once: the explorer must find them. A mutant is applied by name in the processes under test. */

import { Members } from '../../src/arena/members.js';
import { Writer } from '../../src/arena/writer.js';
import { AnnexAppender } from '../../src/famfs/media/annex-append.js';
import { ANNEX_SLOT_BYTES, annexHeaderLayout, annexSlotOffset } from '../../src/famfs/media/annex-layout.js';
import { LogAppender } from '../../src/famfs/media/append.js';
import { ENTRY_SIZE, encodeEntry, type NewLogEntry } from '../../src/famfs/media/entry.js';
import { slotOffset } from '../../src/famfs/media/layout.js';
import { Log } from '../../src/famfs/media/log.js';
import { Replay } from '../../src/famfs/media/replay.js';
import { viewOf } from '../../src/famfs/media/superblock.js';
import { FileTree } from '../../src/famfs/media/tree.js';
import { Identity } from '../../src/famfs/volume/identity.js';
import { ofdLock } from '../../src/libc/index.js';
import { SharedBus } from '../../src/machine/emulated/shared-bus.js';
import { seams } from '../steps/seams.js';

export interface Mutant {
  readonly name: string;
  /** What the mutant breaks. */
  readonly about: string;
  /** The protocol in which it shows. */
  readonly protocol: string;
  apply(): void;
}

const LOG_OFFSET = 2 ** 21;
const LOG_HEADER = 48;

/** The acts of an append, so that mutants can do them in another order. */
class Acts {
  constructor(readonly log: Log) {}

  storeIndex(at: number, value: number): void {
    const { buffer, byteOffset } = this.log.bytes;
    Atomics.store(new Uint32Array(buffer, byteOffset, LOG_HEADER / 4), at / 4, value);
  }

  flush(at: number, length: number): void {
    this.log.media.flush(this.log.offset + at, length);
    this.log.media.fence();
  }
}

function appendAs(order: (acts: Acts, entry: Uint8Array, index: number) => void): void {
  LogAppender.prototype.append = function (this: LogAppender, entry: NewLogEntry): number {
    const { index } = this.log.loadIndices();
    const bytes = new Uint8Array(ENTRY_SIZE);
    encodeEntry(bytes, viewOf(bytes), entry, index);
    order(new Acts(this.log), bytes, index);
    return index;
  };
}

const NEXT_SEQNUM = 32;
const NEXT_INDEX = 40;

let logLock: number | undefined;

export const mutants: readonly Mutant[] = [
  {
    name: 'no-log-lock',
    about: 'the log is not locked',
    protocol: 'append-append',
    apply() {
      seams.isLockGranted = ({ start, length }) => start === LOG_OFFSET && length === LOG_HEADER;
    },
  },
  {
    name: 'trusting-refresh',
    about: 'entries are read through the cache, and believed without looking at their crc and number',
    protocol: 'hosts-refresh',
    apply() {
      Replay.prototype.isGoodNow = () => true;
      // The lines of the log's header are dropped from the cache, those of its entries are not.
      Log.prototype.entryOffset = function (this: Log) {
        return this.offset;
      };
    },
  },
  {
    name: 'index-early',
    about: 'next_index is stored before the entry',
    protocol: 'append-refresh',
    apply() {
      appendAs((appender, entry, index) => {
        appender.storeIndex(NEXT_SEQNUM, index + 1);
        appender.storeIndex(NEXT_INDEX, index + 1);
        appender.flush(0, LOG_HEADER);
        appender.log.bytes.set(entry, slotOffset(index));
        appender.flush(slotOffset(index), entry.length);
      });
    },
  },
  {
    name: 'annex-early',
    about: "an annex's next_index is stored before the record",
    protocol: 'rename-refresh',
    apply() {
      AnnexAppender.prototype.append = function (
        this: AnnexAppender,
        record: Uint8Array,
        seqnum: number,
      ): void {
        const { media, offset, bytes, words } = this.file;
        const index = this.file.nextIndex();
        const { nextSeqnum, nextIndex } = annexHeaderLayout.fields;
        Atomics.store(words, nextSeqnum.offset / 4, seqnum + 1);
        Atomics.store(words, nextIndex.offset / 4, index + record.length / ANNEX_SLOT_BYTES);
        media.fence();
        bytes.set(record, annexSlotOffset(index));
        media.flush(offset + annexSlotOffset(index), record.length);
        media.fence();
      };
    },
  },
  {
    name: 'no-annex-replay',
    about: 'a writer does not take in what others said of names before it looks for one',
    protocol: 'rename-rename',
    apply() {
      const { replay } = FileTree.prototype;
      let isMounting = true;
      FileTree.prototype.replay = function (this: FileTree, options) {
        if (!isMounting) return 0;
        isMounting = false;
        return replay.call(this, options);
      };
    },
  },
  {
    name: 'lock-early',
    about: 'the log is given back before the index is stored',
    protocol: 'append-append',
    apply() {
      seams.isLockGranted = (lock) => {
        if (lock.start === LOG_OFFSET && lock.length === LOG_HEADER) logLock = lock.fd;
        return false;
      };
      appendAs((appender, entry, index) => {
        appender.log.bytes.set(entry, slotOffset(index));
        appender.flush(slotOffset(index), entry.length);
        ofdLock(logLock!, 'unlock', { start: LOG_OFFSET, length: LOG_HEADER });
        appender.storeIndex(NEXT_SEQNUM, index + 1);
        appender.storeIndex(NEXT_INDEX, index + 1);
        appender.flush(0, LOG_HEADER);
      });
    },
  },
  {
    name: 'no-replay',
    about: 'a writer does not take in what others appended before it looks for a name and for space',
    protocol: 'create-same-name',
    apply() {
      const { replay } = FileTree.prototype;
      let isMounting = true;
      FileTree.prototype.replay = function (this: FileTree, options) {
        if (!isMounting) return 0;
        isMounting = false;
        return replay.call(this, options);
      };
    },
  },
  {
    name: 'no-reload',
    about: 'a change of the machine is written over what others changed meanwhile',
    protocol: 'state-modes',
    apply() {
      SharedBus.prototype.reloadIfMoved = () => {};
    },
  },
  {
    name: 'never-stale',
    about: 'a reader does not ask whether its file system is still there',
    protocol: 'rewrite-hosts',
    apply() {
      Identity.prototype.isSame = () => true;
    },
  },
  {
    name: 'no-machine-lock',
    about: 'machine.lock is not taken',
    protocol: 'state-modes',
    apply() {
      seams.isLockGranted = ({ start, length }) => start === 0 && length === 0;
    },
  },
  {
    name: 'arena-blind-free',
    about: 'the memory of an object is free although somebody has it pinned',
    protocol: 'arena',
    apply() {
      Members.prototype.isPinned = () => false;
    },
  },
  {
    name: 'arena-no-lock',
    about: 'the writers of an arena do not exclude each other',
    protocol: 'arena',
    apply() {
      Writer.prototype.take = () => {};
    },
  },
];

export function applyMutant(name: string): void {
  const mutant = mutants.find((one) => one.name === name);
  if (!mutant) throw new Error(`no mutant is called ${name}`);
  mutant.apply();
}
