/** The page in a real browser: every view, by mouse and by keyboard, in both schemes and all widths. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Volume } from '../../src/index.js';
import { pageAssets } from '../../src/inspector/http/assets.js';
import { goTo, noBrowser, openPage, SCREENSHOTS, startBrowser } from './browser-support.js';
import { fill, MIB, makeScene, type Scene } from './support.js';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const VIEWS = ['Bus', 'Memory map', 'Volume', 'Arenas', 'Events', 'Counters', 'Tour'];

interface AxeResult {
  passes: unknown[];
  violations: { id: string; impact: string; nodes: { html: string; failureSummary: string }[] }[];
}

let scene: Scene;
let volume: Volume;
let browser: Browser;
beforeAll(async () => {
  if (noBrowser !== '') return;
  scene = await makeScene();
  volume = scene.mount();
  fill(volume);
  for (let i = 0; i < 12; i++) volume.create(`/models/part${i}`, { size: ((i % 4) + 1) * MIB }).close();
  scene.machine.memoryFailure({ device: 'dax0.0', offset: 100 * MIB, length: 4096 });
  browser = await startBrowser();
});
afterAll(async () => {
  if (noBrowser !== '') return;
  await browser.close();
  volume.close();
  await scene.close();
});

const open = (options?: Parameters<typeof openPage>[2]) => openPage(browser, scene.inspector.url, options);

/** What each view shows once it has its answers. */
const SETTLED: Readonly<Record<string, (page: Page) => Promise<unknown>>> = {
  Bus: (page) => page.getByRole('article', { name: 'dax0.0' }).waitFor(),
  'Memory map': (page) => page.locator('canvas.map[data-cells]').waitFor(),
  Volume: (page) => page.getByRole('button', { name: 'models/' }).waitFor(),
  Arenas: (page) => page.getByRole('cell', { name: 'second' }).waitFor(),
  Events: (page) => page.getByRole('cell', { name: 'attach' }).first().waitFor(),
  Counters: (page) => page.getByText('udax_volume_files{dax0.0}').waitFor(),
  Tour: (page) => page.getByText('As it should be').waitFor(),
};

async function show(page: Page, view: string): Promise<void> {
  await goTo(page, view);
  await SETTLED[view]!(page);
}

/** Text of the page's place line once it matches. */
const place = (page: Page, text: RegExp) => page.locator('#place').filter({ hasText: text }).waitFor();

describe(`the page${noBrowser}`, () => {
  for (const [width, height, scheme] of [
    [1280, 900, 'light'],
    [1280, 900, 'dark'],
    [360, 740, 'light'],
    [360, 740, 'dark'],
    [3840, 2160, 'dark'],
  ] as const)
    it.skipIf(noBrowser !== '')(
      `at ${width} px, ${scheme}: every view without an error, wider than the window or a serious finding of axe`,
      async () => {
        const { page, problems } = await open({ width, height, scheme });
        const found: string[] = [];
        for (const view of VIEWS) {
          await show(page, view);
          const overflow = await page.evaluate('document.scrollingElement.scrollWidth - innerWidth');
          expect(overflow, view).toBe(0);
          await page.screenshot({
            path: join(SCREENSHOTS, `${view.replace(' ', '-').toLowerCase()}-${width}-${scheme}.png`),
          });
          await page.evaluate(AXE);
          const { passes, violations } = (await page.evaluate('axe.run()')) as AxeResult;
          expect(passes.length, 'rules that axe looked for').toBeGreaterThan(15);
          for (const { id, impact, nodes } of violations)
            if (['serious', 'critical'].includes(impact))
              found.push(`${view}: ${id}: ${nodes[0]!.html} ${nodes[0]!.failureSummary}`);
        }
        expect(found).toEqual([]);
        expect(problems).toEqual([]);
        await page.close();
      },
    );

  it.skipIf(noBrowser !== '')('does not jump while it loads and while things happen', async () => {
    for (const width of [360, 1280, 3840]) {
      const page = await browser.newPage({ viewport: { width, height: 900 } });
      await page.addInitScript(`
        window.shifts = 0;
        new PerformanceObserver((list) => {
          for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifts += entry.value;
        }).observe({ type: 'layout-shift', buffered: true });`);
      await page.goto(scene.inspector.url);
      await SETTLED.Bus!(page);
      await show(page, 'Memory map');
      volume.mkdir(`/jump${width}`);
      await page.waitForTimeout(700);
      await page.getByRole('application').hover({ position: { x: 100, y: 100 } });
      await page.waitForTimeout(300);
      // Layout shift as browsers count it: below 0.1 is good.
      expect(await page.evaluate('window.shifts'), `${width} px`).toBeLessThan(0.05);
      await page.close();
    }
  });

  it.skipIf(noBrowser !== '')(
    'is small, loads at once, and asks nobody else (times are printed, and are no test)',
    async () => {
      const bytes = [...pageAssets().values()].reduce((sum, asset) => sum + gzipSync(asset.bytes).length, 0);
      expect(bytes).toBeLessThan(150_000);
      const page = await browser.newPage();
      const asked: string[] = [];
      page.on('request', (request) => asked.push(request.url()));
      const started = performance.now();
      await page.goto(scene.inspector.url);
      await SETTLED.Bus!(page);
      console.log(
        `page: ${bytes} bytes (gzip), first view after ${(performance.now() - started).toFixed(0)} ms`,
      );
      expect(asked.filter((url) => !url.startsWith(`http://127.0.0.1:${scene.inspector.port}/`))).toEqual([]);
      expect(asked.filter((url) => url.includes('token=')).length).toBe(1);
      await page.close();
    },
  );

  it.skipIf(noBrowser !== '')('is used by keyboard alone: tabs, search, cursor, zoom', async () => {
    const { page, problems } = await open();
    await page.getByRole('tab', { name: 'Bus' }).focus();
    await page.keyboard.press('ArrowRight');
    await SETTLED['Memory map']!(page);
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Memory map');
    await page.keyboard.press('/');
    await page.keyboard.type('striped');
    await page.waitForTimeout(300);
    await page.keyboard.press('Enter');
    await page.getByText(/Chosen: \/striped, 16 MiB in 4 strips/).waitFor();
    await page.getByRole('application').focus();
    await page.keyboard.press('Home');
    await page.getByText(/0 B to 128 MiB of 128 MiB/).waitFor();
    await place(page, /\/striped; byte 0 of 16,777,216; 4 strips/);
    await page.keyboard.press('ArrowRight');
    await place(page, /\/striped; byte [1-9]/);
    for (let i = 0; i < 8; i++) await page.keyboard.press('+');
    await page.getByText(/a cell is 4 KiB/).waitFor();
    await page.keyboard.press('ArrowLeft');
    await place(page, /\/striped; byte \d/);
    await page.keyboard.press('PageDown');
    await page.keyboard.press('Home');
    await page.getByText(/0 B to 128 MiB of 128 MiB/).waitFor();
    expect(problems).toEqual([]);
    await page.close();
  });

  it.skipIf(noBrowser !== '')(
    'finds a file, marks all its strips, and goes from the tree to the map',
    async () => {
      const { page, problems } = await open();
      await show(page, 'Volume');
      await page.getByRole('button', { name: 'models/' }).click();
      await page.getByRole('button', { name: 'odd', exact: true }).click();
      await page.getByText(/Chosen: \/models\/odd, 5.0 MiB in 1 extents/).waitFor();
      await place(page, /\/models\/odd; byte 0 of 5,242,897/);
      await page.screenshot({ path: join(SCREENSHOTS, 'chosen-file.png') });
      expect(problems).toEqual([]);
      await page.close();
    },
  );

  it.skipIf(noBrowser !== '')(
    'shows what happens without being asked, and pauses and filters events',
    async () => {
      const { page, problems } = await open();
      await show(page, 'Events');
      volume.mkdir('/seen-live');
      await page.getByRole('cell', { name: '/seen-live' }).first().waitFor();
      await page.getByRole('button', { name: 'Pause' }).click();
      volume.mkdir('/seen-later');
      await page.getByText(/, [1-9]\d* since/).waitFor();
      expect(await page.getByRole('cell', { name: '/seen-later' }).count()).toBe(0);
      await page.getByRole('button', { name: 'Go on' }).click();
      await page.getByRole('cell', { name: '/seen-later' }).first().waitFor();
      await page.getByRole('searchbox', { name: 'Filter the events' }).fill('seen-live');
      await expect.poll(() => page.getByRole('cell', { name: '/seen-later' }).count()).toBe(0);
      expect(await page.getByRole('cell', { name: '/seen-live' }).count()).toBeGreaterThan(0);
      expect(problems).toEqual([]);
      await page.close();
    },
  );

  it.skipIf(noBrowser !== '')('explains why a mode is refused, and changes one that is not', async () => {
    const { page, problems } = await open();
    await page.getByLabel('New mode of dax0.0').selectOption('devdax');
    await page.getByRole('alert').filter({ hasText: `EBUSY` }).waitFor();
    expect(await page.getByRole('button', { name: 'Change dax0.0 to devdax' }).count()).toBe(0);
    await page.getByLabel('New mode of dax1.0').selectOption('famfs');
    await page.screenshot({ path: join(SCREENSHOTS, 'mode.png'), fullPage: true });
    await page.getByRole('button', { name: 'Change dax1.0 to famfs' }).click();
    await page.getByText('dax1.0 is in famfs mode now').waitFor();
    await page.getByRole('article', { name: 'dax1.0' }).getByText('fsdev_dax').waitFor();
    expect(scene.machine.deviceInfo('dax1.0').mode).toBe('famfs');
    scene.machine.reconfigure('dax1.0', 'devdax');
    await page.getByRole('article', { name: 'dax1.0' }).getByText('device_dax').waitFor();
    expect(problems).toEqual([]);
    await page.close();
  });

  it.skipIf(noBrowser !== '')('checks a volume, and lists what an arena holds by prefix', async () => {
    const { page, problems } = await open();
    await show(page, 'Volume');
    await page.getByRole('button', { name: 'Check it (fsck)' }).click();
    await page.getByText(/(sound|\d+ errors), \d+ notes, in \d+ ms/).waitFor();
    await show(page, 'Arenas');
    await page.getByRole('searchbox', { name: 'Keys that begin with' }).fill('fir');
    await expect.poll(() => page.getByRole('cell', { name: 'second' }).count()).toBe(0);
    expect(await page.getByRole('cell', { name: 'first' }).count()).toBe(1);
    expect(problems).toEqual([]);
    await page.close();
  });

  it.skipIf(noBrowser !== '')(
    'walks through the bug of version 9, and through the same events in another order',
    async () => {
      const { page, problems } = await open();
      await show(page, 'Tour');
      await page.getByText(/I4 is broken: dax0.0 is bound to fsdev_dax without its id/).waitFor();
      await page.getByRole('button', { name: 'insmod fsdev_dax; insmod device_dax' }).click();
      await page.getByText('Step 1 of 2').waitFor();
      await page.getByRole('button', { name: 'Next step' }).click();
      await page.getByText('Step 2 of 2').waitFor();
      await page.screenshot({ path: join(SCREENSHOTS, 'v9.png') });
      await page.getByRole('button', { name: 'insmod device_dax; insmod fsdev_dax' }).click();
      await page.getByText('these events break nothing').waitFor();
      await page.getByRole('combobox', { name: 'Bug' }).selectOption('pgmap-ops-left');
      await page.getByText(/the explorer found the shortest way among/).waitFor();
      expect(problems).toEqual([]);
      await page.close();
    },
  );

  it.skipIf(noBrowser !== '')('says that the inspector was ended', async () => {
    const other = await makeScene();
    const { page } = await openPage(browser, other.inspector.url);
    await other.close();
    await page.getByRole('status').filter({ hasText: 'not connected' }).waitFor();
    await page.close();
  });
});
