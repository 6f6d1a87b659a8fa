import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const example = (name: string) => fileURLToPath(new URL(`../examples/${name}`, import.meta.url));

describe('the Arrow example', () => {
  it('shares one table between four processes without copying', () => {
    const output = execFileSync(process.execPath, [example('arrow/main.mjs'), '1000000'], {
      encoding: 'utf8',
    });
    const lines = output.split('\n');
    for (const way of ['udax', 'formats']) {
      expect(lines.find((text) => text.startsWith(way))).toMatch(/zero-copy yes/);
    }
    expect(output).toMatch(/^plain .* MB \(PSS\)/m);
  });
});

const isPythonHere = spawnSync('python3', ['-c', '']).status === 0;

describe('the KV cache', () => {
  it.skipIf(!isPythonHere)(
    `shares prefixes between four Node and four Python workers${isPythonHere ? '' : ' (skipped: no python3)'}`,
    () => {
      const output = execFileSync(process.execPath, [example('kv-cache/main.mjs'), '12'], {
        encoding: 'utf8',
      });
      expect(output).toMatch(/^8 workers, 12 requests each/m);
      for (const language of ['Node', 'Python'])
        expect(output).toMatch(
          new RegExp(`^${language} +hit rate [1-9]\\d*%  bytes copied on hits 0  wrong 0 `, 'm'),
        );
      expect(output).toMatch(/^arena +\d+ blocks, \d+ evicted, no byte lost, 1 member left/m);
    },
  );
});

describe('the model server', () => {
  const main = example('model-server/main.mjs');

  it.skipIf(!isPythonHere)(
    `serves one copy from four Node and four Python processes${isPythonHere ? '' : ' (skipped: no python3)'}`,
    () => {
      const output = execFileSync(process.execPath, [main, '--size', '64MiB'], { encoding: 'utf8' });
      expect(output).toMatch(/^64 MiB of safetensors in 64 tensors, 8 servers/m);
      const copies = (way: string) =>
        Number(new RegExp(`^${way} +all .* ([\\d.]+) copies`, 'm').exec(output)?.[1]);
      // Each has its own; the heaps around it shrink and grow by some megabytes.
      expect(copies('plain')).toBeGreaterThan(7);
      expect(copies('udax')).toBeGreaterThan(0.98);
      expect(copies('udax')).toBeLessThan(1.02);
      for (const kind of ['Node', 'Python']) {
        expect(output).toMatch(new RegExp(`^udax +${kind} +[\\d.]+ ms +[\\d.]+ ms`, 'm'));
      }
    },
  );

  it('serves until Ctrl-C, and then nothing of it is left: no process, no file', async () => {
    const temporary = fs.mkdtempSync(path.join(os.tmpdir(), 'udax-model-test-'));
    const child = spawn(process.execPath, [main, '--size', '1MiB', '--stay'], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, TMPDIR: temporary },
    });
    const ended = once(child, 'exit');
    const urls: string[] = [];
    for await (const line of createInterface({ input: child.stdout })) {
      const url = /http:\S+/.exec(line)?.[0];
      if (url) urls.push(url);
      if (line.startsWith('serving')) break;
    }
    expect(urls.length).toBe(isPythonHere ? 8 : 4);
    for (const url of urls) {
      const answer = await (await fetch(url, { headers: { connection: 'close' } })).json();
      expect(answer).toMatchObject({ first: 63.5, last: -63 });
      const none = await fetch(url.replace(/layer.*/, 'none'), { headers: { connection: 'close' } });
      expect([none.status, typeof ((await none.json()) as { error: unknown }).error]).toEqual([
        404,
        'string',
      ]);
    }
    const children = childrenOf(child.pid!);
    expect(children.length).toBe(urls.length);
    child.kill('SIGINT');
    expect(await ended).toEqual([130, null]);
    expect(children.filter((pid) => fs.existsSync(`/proc/${pid}`))).toEqual([]);
    expect(fs.readdirSync(temporary)).toEqual([]);
    fs.rmSync(temporary, { recursive: true });
  });

  it('its servers end with it even when it is killed', async () => {
    const temporary = fs.mkdtempSync(path.join(os.tmpdir(), 'udax-model-test-'));
    const child = spawn(process.execPath, [main, '--size', '1MiB', '--stay'], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, TMPDIR: temporary },
    });
    const ended = once(child, 'exit');
    for await (const line of createInterface({ input: child.stdout })) if (line.startsWith('serving')) break;
    const children = childrenOf(child.pid!);
    child.kill('SIGKILL');
    await ended;
    await expect.poll(() => children.filter(isRunning)).toEqual([]);
    fs.rmSync(temporary, { recursive: true });
  });
});

function childrenOf(pid: number): number[] {
  const text = fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return text === '' ? [] : text.split(' ').map(Number);
}

/** False for one that ended, also when nobody has waited for it yet. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(fs.readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
