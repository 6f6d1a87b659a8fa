// What went wrong: records were made, locked and renamed in two places of the code. On a full disk one of them left its
// half-written file and its descriptor behind. Right: a reader sees a record with its lock and its text, or no record, and a
// failure leaves nothing.
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { makeRecordFile, readRecordFile } from '../../src/libc/index.js';
import { errorOf, temporaryDirectory } from '../memory/support.js';

const descriptors = () => fs.readdirSync('/proc/self/fd').length;

describe('a record file', () => {
  it('is alive with its text until its descriptor is closed', () => {
    const file = path.join(temporaryDirectory(), 'record');
    const fd = makeRecordFile(file, 0o640, { pid: 7 });
    expect(fs.statSync(file).mode & 0o777).toBe(0o640);
    expect(readRecordFile(file)).toEqual({ text: '{"pid":7}\n', isAlive: true });
    fs.closeSync(fd);
    expect(readRecordFile(file)).toEqual({ text: '{"pid":7}\n', isAlive: false });
  });

  it('is locked and whole before it can be seen, and takes the name last', () => {
    const directory = temporaryDirectory();
    const file = path.join(directory, 'record');
    const seen: unknown[] = [];
    const look = () => {
      const [born] = fs.readdirSync(directory);
      seen.push(born!.startsWith('.'), readRecordFile(path.join(directory, born!)));
    };
    fs.closeSync(makeRecordFile(file, 0o600, { pid: 7 }, look));
    expect(seen).toEqual([true, { text: '{"pid":7}\n', isAlive: true }]);
    expect(fs.readdirSync(directory)).toEqual(['record']);
  });

  it('that cannot take its name leaves neither file nor descriptor', () => {
    const directory = temporaryDirectory();
    fs.mkdirSync(path.join(directory, 'record', 'full'), { recursive: true });
    const before = descriptors();
    expect(errorOf(() => makeRecordFile(path.join(directory, 'record'), 0o600, {})).code).toMatch(
      /EISDIR|ENOTEMPTY/,
    );
    expect(fs.readdirSync(directory)).toEqual(['record']);
    expect(descriptors()).toBe(before);
  });

  it('is none of ours where something else has the name', () => {
    const directory = temporaryDirectory();
    fs.symlinkSync('/dev/zero', path.join(directory, 'link'));
    expect(['link', 'nothing', '.'].map((name) => readRecordFile(path.join(directory, name)))).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });
});
