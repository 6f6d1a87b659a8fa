import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { replayCommand } from '../../src/lab/replay/index.js';
import { conformance, kitJson } from '../support/conformance.js';

describe('udax replay', () => {
  let directory = '';
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'udax-replay-'));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  function file(content: unknown): string {
    const path = join(directory, 'transcript.json');
    writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
    return path;
  }

  const scenario = (steps: unknown[]) => [
    { name: 'test.one', group: 'test', setup: { machine: 'pmem' }, steps },
  ];

  it('ends with the score and exits 0 when every answer is the kernel one', () => {
    const { exitCode, output } = replayCommand([`${conformance}/dax/perm.json.gz`]);
    expect(exitCode).toBe(0);
    expect(output.split('\n').at(-1)).toMatch(/^\d+ passed, 0 failed, \d+ skipped$/);
  });

  it('runs the whole kit when no file is named', () => {
    const { exitCode, output } = replayCommand([]);
    expect(exitCode).toBe(0);
    expect(Number(/^(\d+) passed, 0 failed/m.exec(output)?.[1])).toBeGreaterThan(6700);
  });

  it('reads plain and compressed transcripts alike', () => {
    const plain = file(kitJson('dax', 'perm.json.gz'));
    expect(replayCommand([plain])).toEqual(replayCommand([`${conformance}/dax/perm.json.gz`]));
  });

  it('prints each difference where it is and exits 1', () => {
    const steps = [
      { op: 'attach', source: 'pmem', result: { ok: true } },
      { op: 'driver', device: 'dax0.0', result: { ok: true, value: 'device_dax' } },
      { op: 'driver', device: 'dax7.7', result: { ok: true, value: null } },
    ];
    const { exitCode, output } = replayCommand([file(scenario(steps))]);
    expect(exitCode).toBe(1);
    expect(output).toContain('test.one, step 1: driver {"device":"dax0.0"}');
    expect(output).toContain('value: kernel "device_dax"');
    expect(output).toContain('errno: kernel nothing');
    expect(output.split('\n').at(-1)).toBe('1 passed, 2 failed, 0 skipped');
  });

  it('prints one JSON document with --json', () => {
    const { output } = replayCommand([`${conformance}/dax/hazard/region.json.gz`], { json: true });
    expect(JSON.parse(output)).toMatchObject({
      scenarios: 2,
      failed: 0,
      skippedByReason: { hazard: 45, dmesg: 1 },
    });
  });

  it('skips what follows a foreign program as depending on it', () => {
    const steps = [
      { op: 'exec', argv: ['ndctl', 'list'], result: { ok: true, exit: 0, stdout: '', stderr: '' } },
      { op: 'modules', result: { ok: true, value: ['anything'] } },
      { op: 'dmesg', result: { ok: true, value: [] } },
    ];
    const { exitCode, output } = replayCommand([file(scenario(steps))]);
    expect(exitCode).toBe(0);
    expect(output).toContain('skipped 2: depends on');
  });

  it('tells a file that is not a transcript by name before anything runs', () => {
    const bad = (content: unknown) => () => replayCommand([file(content)]);
    const named = expect.objectContaining({
      code: 'EINVAL',
      message: expect.stringContaining('transcript.json'),
    });
    expect(bad('not json')).toThrowError(named);
    expect(bad({})).toThrowError(named);
    expect(bad([{ name: 'x' }])).toThrowError(named);
    expect(bad([{ name: 'x', setup: { machine: 'pmem' }, steps: [{ op: 'read' }] }])).toThrowError(named);
    expect(bad([{ name: 'x', setup: { machine: 'none' }, steps: [] }])).toThrowError(named);
    expect(() => replayCommand([join(directory, 'none.json')])).toThrowError(
      expect.objectContaining({ code: 'ENOENT' }),
    );
  });

  it('counts an operation or an argument it does not know as a difference', () => {
    const steps = [
      { op: 'juggle', result: { ok: true } },
      { op: 'attach', result: { ok: true } },
      { op: 'ls', path: 5, result: { ok: true } },
      { op: 'exec', result: { ok: true } },
    ];
    const { exitCode, output } = replayCommand([file(scenario(steps))]);
    expect(exitCode).toBe(1);
    expect(output).toContain('ENOSYS');
    expect(output.split('\n').at(-1)).toBe('0 passed, 4 failed, 0 skipped');
    expect(readFileSync(join(directory, 'transcript.json'), 'utf8')).toContain('juggle');
  });

  it('keeps memory that kmem could not take offline when its provider goes and comes back', () => {
    const ok = { result: { ok: true } };
    const steps = [
      { op: 'attach', source: 'pmem', ...ok },
      { op: 'insmod', module: 'kmem', ...ok },
      { op: 'write', path: 'bus/dax/drivers/kmem/new_id', data: 'dax0.0', result: { ok: true, value: 6 } },
      { op: 'detach', source: 'pmem', ...ok },
      {
        op: 'iomem',
        result: {
          ok: true,
          value: ['188000000-19fffffff : dax0.0', '  188000000-19fffffff : System RAM (kmem)'],
        },
      },
      { op: 'attach', source: 'pmem', ...ok },
      { op: 'driver', device: 'dax0.0', result: { ok: true, value: null } },
      { op: 'insmod', module: 'device_dax', ...ok },
      { op: 'driver', device: 'dax0.0', result: { ok: true, value: null } },
    ];
    const { output } = replayCommand([file(scenario(steps))]);
    expect(output).toBe('9 passed, 0 failed, 0 skipped');
  });

  it('knows who asks: modules, pages and daxctl of a process that is not root', () => {
    const steps = [
      { op: 'attach', source: 'pmem', result: { ok: true } },
      { op: 'insmod', module: 'device_dax', result: { ok: true } },
      { op: 'setuid', proc: 'u', uid: 1000, result: { ok: true } },
      { op: 'rmmod', proc: 'u', module: 'device_dax', result: { ok: false, errno: 'EPERM' } },
      {
        op: 'exec',
        proc: 'u',
        argv: ['daxctl85', 'disable-device', 'dax0.0'],
        result: { ok: false, exit: 240, stdout: '' },
      },
      { op: 'insmod', module: '__proto__', result: { ok: false, errno: 'ENOENT' } },
    ];
    expect(replayCommand([file(scenario(steps))]).output).toBe('6 passed, 0 failed, 0 skipped');
  });

  it('tells pages of offline system RAM from pages nobody has', () => {
    const write = (path: string, data: string, errno?: string) => ({
      op: 'write',
      path: `devices/system/memory/${path}`,
      data,
      result: errno ? { ok: false, errno } : { ok: true, value: data.length },
    });
    const steps = [
      write('auto_online_blocks', 'offline'),
      { op: 'attach', source: 'hmem', result: { ok: true } },
      write('soft_offline_page', '0x150000000', 'ENXIO'),
      { op: 'insmod', module: 'kmem', result: { ok: true } },
      write('soft_offline_page', '0x150000000', 'EIO'),
      write('hard_offline_page', '0x150000000', 'EBUSY'),
      write('soft_offline_page', '99999999999999999999', 'EINVAL'),
      write('hard_offline_page', '99999999999999999999', 'EINVAL'),
    ];
    const [hmem] = scenario(steps);
    expect(replayCommand([file([{ ...hmem, setup: { machine: 'hmem' } }])]).output).toBe(
      '8 passed, 0 failed, 0 skipped',
    );
  });

  it('lists the files of debugfs that answer for memory failures, once their module is there', () => {
    const path = '/sys/kernel/debug/hwpoison';
    const steps = [
      { op: 'ls', path, result: { ok: false, errno: 'ENOENT' } },
      { op: 'insmod', module: 'hwpoison_inject', result: { ok: true } },
      {
        op: 'ls',
        path,
        result: {
          ok: true,
          value: [
            'corrupt-filter-dev-major',
            'corrupt-filter-dev-minor',
            'corrupt-filter-enable',
            'corrupt-filter-flags-mask',
            'corrupt-filter-flags-value',
            'corrupt-filter-memcg',
            'corrupt-pfn',
            'unpoison-pfn',
          ],
        },
      },
    ];
    expect(replayCommand([file(scenario(steps))]).output).toBe('3 passed, 0 failed, 0 skipped');
  });
});
