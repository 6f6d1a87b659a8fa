import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { alike, clientOnly, famfsOnly, reading } from './checks.mjs';
import type { DirectoryFace } from './faces.js';

const runCheck = join(import.meta.dirname, 'run-check.mjs');

const checks = { reading, alike, famfsOnly, clientOnly };

export type ListName = keyof typeof checks;

/** Does check `number` of a list in a directory, somewhere. @returns what does not hold, or '' */
export type CheckIn = (list: ListName, number: number, directory: string) => string;

/** Runs checks on a directory of a host, this one unless `checkIn` reaches another. */
export function runsChecks(
  names: readonly ListName[],
  face: () => DirectoryFace,
  root: () => string,
  skip: boolean,
  checkIn: CheckIn = checkInOwnProcess,
) {
  for (const list of names)
    for (const [number, { name, files = {} }] of checks[list].entries()) {
      it.skipIf(skip)(name, () => {
        const at = `/${list}-${number}`;
        face().mkdir(at);
        for (const [file, text] of Object.entries(files)) face().write(`${at}/${file}`, text);
        expect(checkIn(list, number, root() + at)).toBe('');
      });
    }
}

/** In a child process that cannot hang us. */
export function checkInOwnProcess(list: ListName, number: number, directory: string): string {
  const words = ['-k', '1', '20', process.execPath, runCheck, list, String(number), directory];
  const { status, stdout, stderr } = spawnSync('timeout', words, { encoding: 'utf8' });
  return status === 0 ? stdout : `exit ${status} ${stderr}`;
}
