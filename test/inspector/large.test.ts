/** 1 TiB and 100,000 files: what a look costs. Times are printed, and are no test. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mkfs, type Volume } from '../../src/index.js';
import type { MapView, PlaceView, VolumeView } from '../../src/inspector/wire.js';
import { goTo, noBrowser, openPage, SCREENSHOTS, startBrowser } from './browser-support.js';
import { MIB, makeScene, type Scene } from './support.js';

const FILES = 100_000;
const DIRECTORIES = 100;
let scene: Scene;
let volume: Volume;

beforeAll(async () => {
  scene = await makeScene({ size: '1TiB' });
  mkfs(scene.machine.device('dax0.0'), { force: true, logLength: 64 * MIB });
  volume = scene.mount();
  for (let directory = 0; directory < DIRECTORIES; directory++) volume.mkdir(`/d${directory}`);
  for (let file = 0; file < FILES; file++)
    volume
      .create(`/d${file % DIRECTORIES}/f${file}`, { size: ((file % 4) + 1) * 2 * MIB - 5, zero: false })
      .close();
}, 600_000);
afterAll(async () => {
  volume.close();
  await scene.close();
});

async function timed<T>(what: string, act: () => Promise<T>): Promise<T> {
  const started = performance.now();
  const result = await act();
  console.log(`${what}: ${(performance.now() - started).toFixed(1)} ms`);
  return result;
}

describe('1 TiB with 100,000 files', () => {
  it('is mapped whole, in parts and page by page', async () => {
    const first = await timed('first map, which reads the log', () =>
      scene.get<MapView>('devices/dax0.0/map?cells=8000'),
    );
    const whole = await timed('map of 1 TiB in 8,000 cells', () =>
      scene.get<MapView>('devices/dax0.0/map?cells=8000'),
    );
    expect(whole).toEqual(first);
    expect(whole.to).toBe(2 ** 40);
    expect(whole.kinds.length).toBeLessThanOrEqual(8000);
    const taken = whole.fills.reduce((sum, fill) => sum + fill, 0) / 255 / whole.fills.length;
    expect(taken).toBeCloseTo(volume.statfs().used / 2 ** 40, 1);
    const { offset } = volume.getmap('/d99/f99999').extents[0]!;
    const near = await timed('map of 32 MiB in pages', () =>
      scene.get<MapView>(`devices/dax0.0/map?from=${offset}&to=${offset + 32 * MIB}&cells=8192`),
    );
    expect(near.cellBytes).toBe(4096);
    expect(near.owners[0]).toBe(volume.stat('/d99/f99999').ino);
    const place = await timed('what is at a byte', () =>
      scene.get<PlaceView>(`devices/dax0.0/at?offset=${offset + 7}`),
    );
    expect(place).toMatchObject({ path: '/d99/f99999', fileOffset: 7 });
  });

  it('is summed up, listed and searched', async () => {
    const { space } = await timed('figures', () => scene.get<VolumeView>('volumes/dax0.0'));
    expect(space.files).toBe(FILES);
    await timed('a directory of 1,000', () => scene.get('volumes/dax0.0/tree?path=/d7'));
    const found = await timed('search for the last file', () =>
      scene.get<string[]>('volumes/dax0.0/search?q=f99999'),
    );
    expect(found).toEqual(['/d99/f99999']);
    await timed('a hundred log entries', () => scene.get('volumes/dax0.0/log'));
  });

  it.skipIf(noBrowser !== '')(`is drawn in the page${noBrowser}`, async () => {
    const browser = await startBrowser();
    try {
      for (const [width, height] of [
        [1280, 900],
        [3840, 2160],
      ] as const) {
        const { page, problems } = await openPage(browser, scene.inspector.url, { width, height });
        await goTo(page, 'Memory map');
        const map = page.locator('canvas.map[data-cells]');
        await map.waitFor();
        const took: number[] = [];
        for (let i = 0; i < 20; i++) {
          await map.press(i % 2 === 0 ? 'ArrowRight' : 'ArrowDown');
          took.push(Number(await map.getAttribute('data-draw-milliseconds')));
        }
        took.sort((a, b) => a - b);
        const cells = Number(await map.getAttribute('data-cells'));
        console.log(
          `draw at ${width} x ${height}: ${cells} cells, median ${took[10]} ms, most ${took.at(-1)} ms`,
        );
        expect(cells).toBeGreaterThan(1000);
        if (width === 1280) await page.screenshot({ path: `${SCREENSHOTS}/1-tib.png` });
        expect(problems).toEqual([]);
        await page.close();
      }
    } finally {
      await browser.close();
    }
  });
});
