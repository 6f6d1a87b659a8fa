import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bufferMedia,
  formatMedia,
  fsckMedia,
  interruptedTakeOver,
  type Media,
  readSuperblock,
  takeOver,
} from '../../src/famfs/index.js';
import { CrashMedia } from './crash-media.js';

const MIB = 2 ** 20;
const DEVICE = 64 * MIB;
const OLD = '11111111-2222-4333-8444-555555555555';
const NEW = '99999999-2222-4333-8444-555555555555';
const THIRD = '77777777-2222-4333-8444-555555555555';
/** Superblock, record and log header: what lies behind reads as zero. */
const IMAGE = 2 * MIB + 4096;

function freshImage(): Uint8Array {
  const whole = new Uint8Array(10 * MIB);
  formatMedia(bufferMedia(whole, { size: DEVICE }), { systemUuid: OLD });
  return whole.slice(0, IMAGE);
}
const fresh = freshImage();
const media = (bytes = fresh.slice()): Media => bufferMedia(bytes, { name: 'pool', size: DEVICE });
const code = (error: string) => expect.objectContaining({ code: error });

describe('taking a file system over', () => {
  it('changes the owner and its crc, and nothing else', () => {
    const bytes = fresh.slice();
    const result = takeOver(media(bytes), { systemUuid: NEW, from: OLD });
    expect(result).toMatchObject({ from: OLD, to: NEW, changed: true, completed: false });
    expect(readSuperblock(media(bytes)).systemUuid).toBe(NEW);
    const changed = [...bytes.keys()].filter((at) => bytes[at] !== fresh[at]);
    expect(changed.every((at) => at >= 80 && at < 104)).toBe(true);
    expect(fsckMedia(bufferMedia(padded(bytes), { size: DEVICE }), { systemUuid: NEW })).toMatchObject({
      ok: true,
      superblock: { role: 'master' },
    });
  });

  it('wants the old owner named, or force', () => {
    const bytes = fresh.slice();
    expect(() => takeOver(media(bytes), { systemUuid: NEW })).toThrow(code('EPERM'));
    expect(() => takeOver(media(bytes), { systemUuid: NEW, from: THIRD })).toThrow(code('EINVAL'));
    expect(() => takeOver(media(bytes), { systemUuid: NEW, from: 'nonsense' })).toThrow(code('EINVAL'));
    expect(Buffer.compare(bytes, fresh)).toBe(0);
    expect(takeOver(media(bytes), { systemUuid: NEW, force: true }).changed).toBe(true);
  });

  it('writes nothing when it is ours already', () => {
    const bytes = fresh.slice();
    expect(takeOver(media(bytes), { systemUuid: OLD })).toMatchObject({ changed: false });
    expect(Buffer.compare(bytes, fresh)).toBe(0);
  });

  it('refuses a superblock that is damaged in another way', () => {
    const bytes = fresh.slice();
    bytes[60]! ^= 1;
    expect(() => takeOver(media(bytes), { systemUuid: NEW, force: true })).toThrow(code('EBADMSG'));
    expect(interruptedTakeOver(media(bytes))).toBeNull();
  });

  /** Every crash leaves the old owner, the new one, or a state that running it again completes. */
  function checkCrash(crashed: Media): void {
    const torn = interruptedTakeOver(crashed);
    if (torn === null) expect([OLD, NEW]).toContain(readSuperblock(crashed).systemUuid);
    else {
      expect(torn).toEqual({ from: OLD, to: NEW });
      const report = fsckMedia(crashed);
      expect(report.ok).toBe(false);
      expect(report.notes).toEqual([expect.objectContaining({ code: 'torn-take-over' })]);
    }
    const again = takeOver(crashed, { systemUuid: NEW, force: true });
    expect(again.superblock).toMatchObject({
      ...readSuperblock(media()),
      systemUuid: NEW,
      crc: again.superblock.crc,
    });
    expect(interruptedTakeOver(crashed)).toBeNull();
  }

  it('is completed by running it again, killed at any store and any word of it', () => {
    const crash = new CrashMedia(fresh.slice(), DEVICE);
    takeOver(crash, { systemUuid: NEW, from: OLD });
    let states = 0;
    crash.eachKill(
      (words) => Array.from({ length: words }, (_, i) => i),
      (crashed) => {
        states++;
        checkCrash(crashed);
      },
    );
    expect(states).toBeGreaterThan(10);
  });

  it('survives the loss of power at any point', () => {
    const crash = new CrashMedia(fresh.slice(), DEVICE);
    takeOver(crash, { systemUuid: NEW, from: OLD });
    const random = fc.sample(fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), 400);
    let at = 0;
    for (let run = 0; run < 8; run++) crash.eachPowerCut(() => random[at++ % random.length]!, checkCrash);
  });

  it('can be finished by a third host, which dies in the middle as well', () => {
    const first = new CrashMedia(fresh.slice(), DEVICE);
    takeOver(first, { systemUuid: NEW, from: OLD });
    first.eachKill(
      () => [1],
      (crashed) => {
        if (interruptedTakeOver(crashed) === null) return;
        const second = new CrashMedia(crashed.bytes(0, IMAGE).slice(), DEVICE);
        takeOver(second, { systemUuid: THIRD, force: true });
        second.eachKill(
          (words) => Array.from({ length: words }, (_, i) => i),
          (twice) => {
            takeOver(twice, { systemUuid: THIRD, force: true });
            expect(readSuperblock(twice).systemUuid).toBe(THIRD);
          },
        );
      },
    );
  });
});

function padded(bytes: Uint8Array): Uint8Array {
  const whole = new Uint8Array(10 * MIB);
  whole.set(bytes);
  return whole;
}
