// What went wrong: a file whose publishing met a lock that a stopped process had was not tried again until the mount ended.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DaxError } from '../../src/libc/index.js';
import { NewFiles, type NewNode } from '../../src/mounts/famfs/new-files.js';
import { Settling } from '../../src/mounts/famfs/settling.js';

let now = 1000;
let files: NewFiles;
let refusal: DaxError | null;
let tried: number;
let told: string[];
let settling: Settling;
let file: NewNode;

beforeEach(() => {
  now = 1000;
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  files = new NewFiles();
  refusal = null;
  tried = 0;
  told = [];
  settling = new Settling(files, 100, {
    publish(made) {
      tried++;
      if (refusal) throw refusal;
      files.published(made, 7);
    },
    isReady: () => true,
    failed: (_made, error) => told.push((error as DaxError).code),
  });
  const nothing = {} as never; // the order of publishing asks neither the content nor the name
  file = files.addFile({ parent: 1, name: 'f', kept: nothing }, nothing);
});
afterEach(() => vi.restoreAllMocks());

const wait = (milliseconds: number) => {
  now += milliseconds;
  settling.tick();
};

describe('what could not be published', () => {
  it('is tried again every five seconds while somebody else has the lock, and told once', () => {
    refusal = new DaxError('EBUSY', 'locked by a stopped process');
    wait(200);
    wait(200);
    expect({ tried, told }).toEqual({ tried: 1, told: ['EBUSY'] });
    wait(5000);
    expect({ tried, told }).toEqual({ tried: 2, told: ['EBUSY'] });
    refusal = null;
    wait(5000);
    expect({ tried, ino: file.ino, left: files.unpublishedCount }).toEqual({ tried: 3, ino: 7, left: 0 });
  });

  it('is not tried again for any other reason before something changes', () => {
    refusal = new DaxError('ENOSPC', 'the log is full');
    wait(200);
    wait(60_000);
    expect({ tried, told }).toEqual({ tried: 1, told: ['ENOSPC'] });
    files.touch(file);
    refusal = null;
    wait(200);
    expect({ tried, ino: file.ino }).toEqual({ tried: 2, ino: 7 });
  });
});
