// Claim S21 of docs/security.md: the inspector against other users of the host, other pages of the browser, and names from media.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startUdax, temporaryDirectory, udax } from '../cli/support/udax.js';
import { goTo, noBrowser, openPage, startBrowser } from '../inspector/browser-support.js';
import { MIB, makeScene, type Scene } from '../inspector/support.js';

let scene: Scene;
beforeAll(async () => {
  scene = await makeScene();
});
afterAll(() => scene.close());

/** Everything a stranger may try, without the token. */
const PATHS = [
  '/',
  '/api/bus',
  '/api/events',
  '/api/devices/dax0.0/map',
  '/api/volumes/dax0.0/tree',
  '/api/tours',
  '/?token=x',
];

describe('the inspector', () => {
  it('S21: tells nothing and changes nothing without the token', async () => {
    for (const path of PATHS) {
      const { status, text } = await scene.ask(path, { isStranger: true });
      expect([status, path]).toEqual([403, path]);
      expect(text).not.toContain(scene.root);
    }
    const { status } = await scene.ask('/api/devices/dax1.0/mode', {
      method: 'POST',
      isStranger: true,
      headers: { 'content-type': 'application/json', origin: `http://127.0.0.1:${scene.inspector.port}` },
      body: '{"mode":"famfs"}',
    });
    expect([status, scene.machine.deviceInfo('dax1.0').mode]).toEqual([403, 'devdax']);
  });

  it('S21: listens on no address but 127.0.0.1', () => {
    const { port } = scene.inspector;
    const hex = port.toString(16).toUpperCase().padStart(4, '0');
    const listening = ['/proc/net/tcp', '/proc/net/tcp6']
      .flatMap((file) => readFileSync(file, 'utf8').split('\n'))
      .map((line) => line.trim().split(/\s+/))
      .filter(([, local, , state]) => state === '0A' && local?.endsWith(`:${hex}`));
    expect(listening.map(([, local]) => local)).toEqual([`0100007F:${hex}`]);
    expect(Object.keys(networkInterfaces()).length).toBeGreaterThan(0);
  });

  it('S21: the token is in no argument and no environment of its process, and in no file of the machine', async () => {
    const directory = temporaryDirectory();
    const root = join(directory.path, 'state');
    expect(udax(root, 'create-region', '-s', '32M', '--sparse').status).toBe(0);
    const child = startUdax(root, 'inspect');
    try {
      let out = '';
      for await (const chunk of child.stdout) {
        out += String(chunk);
        if (out.includes('\n')) break;
      }
      const token = /token=([\w-]+)/.exec(out)![1]!;
      expect(token.length).toBe(32);
      for (const file of ['cmdline', 'environ'])
        expect(readFileSync(`/proc/${child.pid}/${file}`, 'latin1')).not.toContain(token);
      for (const name of readdirSync(root, { recursive: true, encoding: 'utf8' })) {
        const file = join(root, name);
        if (statSync(file).isFile() && statSync(file).size < MIB)
          expect(readFileSync(file, 'latin1'), name).not.toContain(token);
      }
      expect(execFileSync('ps', ['-ef'], { encoding: 'utf8' })).not.toContain(token);
    } finally {
      child.kill('SIGTERM');
      await new Promise((done) => child.on('exit', done));
      directory.remove();
    }
  });

  it.skipIf(noBrowser !== '')(
    `S21: names from media are text in the page, never markup${noBrowser}`,
    async () => {
      const volume = scene.mount();
      const hostile = '/<img src=x onerror="document.title=\'owned\'">';
      volume.create(hostile, { size: 2 * MIB }).close();
      volume.mkdir('/<b>bold');
      const browser = await startBrowser();
      try {
        const { page, problems } = await openPage(browser, scene.inspector.url);
        for (const view of ['Volume', 'Events']) {
          await goTo(page, view);
          await page.getByText(hostile.slice(1)).first().waitFor();
          expect(await page.locator('#panel img, #panel td > b:has-text("bold")').count()).toBe(0);
        }
        expect(await page.title()).toBe('udax inspector');
        // What a script that got into the page all the same could do: the policy refuses it.
        await page.evaluate(
          `document.body.insertAdjacentHTML('beforeend', '<img src="data:," onerror="document.title=1">')`,
        );
        await page.waitForTimeout(200);
        expect(await page.title()).toBe('udax inspector');
        expect(problems.every((problem) => problem.includes('Content Security Policy'))).toBe(true);
      } finally {
        await browser.close();
        volume.close();
      }
    },
  );

  it.skipIf(noBrowser !== '')(
    `S21: a page of another origin gets nothing, with the token too${noBrowser}`,
    async () => {
      const browser = await startBrowser();
      try {
        // Without a policy of its own that would keep it from asking.
        const attacker = createServer((_request, response) => {
          response.writeHead(200, { 'content-type': 'text/html' });
          response.end('<title>attacker</title>');
        }).listen(0, '127.0.0.1');
        await once(attacker, 'listening');
        const page = await browser.newPage();
        await page.goto(`http://127.0.0.1:${(attacker.address() as { port: number }).port}/`);
        const { port, token } = scene.inspector;
        const attempt = (init: string) =>
          page.evaluate(
            `fetch('http://127.0.0.1:${port}/api/bus', ${init}).then((r) => r.type + ' ' + r.status, () => 'refused')`,
          );
        expect(await attempt('{}')).toBe('refused');
        expect(await attempt(`{ headers: { 'x-udax-token': '${token}' } }`)).toBe('refused');
        for (const init of [
          `{ mode: 'no-cors' }`,
          `{ mode: 'no-cors', method: 'POST', body: '{"mode":"famfs"}' }`,
        ])
          expect(['refused', 'opaque 0']).toContain(await attempt(init));
        const framed = await page.evaluate(`new Promise((done) => {
          const frame = document.createElement('iframe');
          frame.src = 'http://127.0.0.1:${port}/?token=${token}';
          frame.onload = () => {
            try { done(String(frame.contentDocument)); } catch (error) { done(error.name); }
          };
          document.body.append(frame);
        })`);
        expect(framed).toBe('null');
        expect(page.frames()[1]!.url()).toMatch(/^chrome-error:/);
        expect(scene.machine.deviceInfo('dax1.0').mode).toBe('devdax');
        attacker.closeAllConnections();
        attacker.close();
      } finally {
        await browser.close();
      }
    },
  );
});
