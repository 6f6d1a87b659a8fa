// What went wrong: when a region's file was cut during use, read() ("always safe"), write(), refresh(), create(), watch() and the
// queues ended the process by SIGBUS, and flush() and publish() reported success. Right: each access first checks that its memory
// is there. The error is EIO and names the file, its end and the range. Nothing makes the file longer again.
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { MIB, Pool, THIS_HOST } from './support.js';

const child = path.join(import.meta.dirname, 'cut-child.mjs');

type Answers = Record<string, string> & {
  message: string;
  walk: number | string;
  sizeAfter: number;
  fsck: string[];
  fsckSays: string[];
};

function useWhileCutTo(bytes: number): { answers: Answers; file: string } {
  const pool = new Pool();
  try {
    const { status, signal, stdout, stderr } = spawnSync(
      process.execPath,
      [child, pool.file, THIS_HOST, String(bytes)],
      {
        encoding: 'utf8',
        timeout: 150_000,
      },
    );
    expect({ status, signal, stderr }).toEqual({ status: 0, signal: null, stderr: '' });
    return { answers: JSON.parse(stdout), file: pool.file };
  } finally {
    pool.close();
  }
}

describe('a pool whose file is cut while it is in use', () => {
  it('to nothing: every access is EIO, the process lives, the file stays as it is', {
    timeout: 150_000,
  }, () => {
    const { answers, file } = useWhileCutTo(0);
    const { message, walk, sizeAfter, fsck, fsckSays, spans, ...codes } = answers;
    const others = Object.entries(codes).filter(([, code]) => code !== 'EIO');
    expect(others).toEqual([]);
    expect(Object.keys(codes).length).toBeGreaterThan(20);
    expect(message).toContain(`${file} ends at byte 0`);
    expect([4, 'EIO']).toContain(walk); // names are what was replayed, until the volume looks at its memory again
    expect(sizeAfter).toBe(0);
    expect(fsck).toEqual(['superblock-memory']);
    expect(fsckSays[0]).toContain(`${file} ends at byte 0`);
  });

  it('inside its log: metadata that is left is read, data is EIO, nothing is appended', {
    timeout: 150_000,
  }, () => {
    const { answers } = useWhileCutTo(3 * MIB);
    const { read, write, put, get, flush, publish, mkdir, create, refresh, getmap } = answers;
    expect({ read, write, put, get, flush, publish, mkdir, create }).toEqual({
      read: 'EIO',
      write: 'EIO',
      put: 'EIO',
      get: 'EIO',
      flush: 'EIO',
      publish: 'EIO',
      mkdir: 'EIO',
      create: 'EIO',
    });
    expect({ refresh, getmap }).toEqual({ refresh: 'ok', getmap: 'ok' });
    expect(answers.sizeAfter).toBe(3 * MIB);
    expect(answers.fsck).toContain('metadata-memory');
  });

  it('inside its data: what is left is read and written, fsck names the files that lost bytes', {
    timeout: 150_000,
  }, () => {
    // The queue is at 10 MiB and 12 MiB, /same at 16 MiB, /file from 18 MiB to 22 MiB.
    const { answers } = useWhileCutTo(21 * MIB);
    const { read, write, refresh, put, get, mkdir, publish } = answers;
    expect({ read, write, refresh, put, get, mkdir, publish }).toEqual({
      read: 'ok',
      write: 'ok',
      refresh: 'ok',
      put: 'ok',
      get: 'ok',
      mkdir: 'ok',
      publish: 'ok',
    });
    expect(answers['read at the end']).toBe('EIO');
    expect(answers.flush).toBe('EIO');
    expect(answers.checkMemory).toBe('EIO');
    expect(answers.create).toBe('EIO');
    expect(answers.copyIn).toBe('EIO');
    expect(answers['copyIn over']).toBe('ok');
    expect(answers.sizeAfter).toBe(21 * MIB);
    expect(answers.fsck).toEqual(['file-memory']);
    expect(answers.fsckSays[0]).toContain(`('file'): ${MIB} of its ${4 * MIB} bytes are lost`);
  });
});
