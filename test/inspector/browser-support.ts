/** A browser for the tests of the page: Debian's chromium, driven by playwright-core. */
import { existsSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';

const house = resolve(import.meta.dirname, '../..');
const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(
  existsSync,
);
/** Where screenshots of the tests go. */
export const SCREENSHOTS = join(house, 'build/screenshots');

/** For titles: why tests with a browser are skipped here; empty when they run. */
export const noBrowser = CHROMIUM === undefined ? ' (skipped: chromium is not installed)' : '';

export function startBrowser(): Promise<Browser> {
  mkdirSync(SCREENSHOTS, { recursive: true });
  // Chromium's sandbox does not work for root.
  return chromium.launch({ executablePath: CHROMIUM!, args: ['--no-sandbox', '--disable-gpu'] });
}

export interface OpenPage {
  page: Page;
  /** What the console said that is no plain message, and what was thrown. */
  problems: string[];
}

export async function openPage(
  browser: Browser,
  url: string,
  options: { width?: number; height?: number; scheme?: 'light' | 'dark' } = {},
): Promise<OpenPage> {
  const { width = 1280, height = 900, scheme = 'light' } = options;
  const page = await browser.newPage({ viewport: { width, height }, colorScheme: scheme });
  const problems: string[] = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) problems.push(message.text());
  });
  page.on('pageerror', (error) => problems.push(String(error)));
  await page.goto(url);
  await page.getByRole('status').filter({ hasText: 'live' }).waitFor();
  return { page, problems };
}

/** Goes to a view by its tab. */
export async function goTo(page: Page, name: string): Promise<void> {
  await page.getByRole('tab', { name, exact: true }).click();
}
