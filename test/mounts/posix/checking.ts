import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { alike, changes, clientOnly, famfsOnly, mountChanges, reading } from './checks.mjs';
import type { DirectoryFace } from './faces.js';

const runCheck = join(import.meta.dirname, 'run-check.mjs');

const checks = { reading, alike, changes, mountChanges, famfsOnly, clientOnly };

export type ListName = keyof typeof checks;

/** Runs check `number` of a list in a directory. @returns what does not hold, or '' */
export type CheckIn = (list: ListName, number: number, directory: string) => string;

/** Runs checks on a directory of this host, or of another one that `checkIn` reaches. */
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

/** Runs a check in a child process with a time limit. */
export function checkInOwnProcess(list: ListName, number: number, directory: string): string {
  const words = ['-k', '1', '20', process.execPath, runCheck, list, String(number), directory];
  const { status, stdout, stderr } = spawnSync('timeout', words, { encoding: 'utf8' });
  return status === 0 ? stdout : `exit ${status} ${stderr}`;
}
