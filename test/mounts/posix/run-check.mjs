// One check in a process of its own: argv is LIST NUMBER DIRECTORY. Prints nothing, or what does not hold.
import fs from 'node:fs';
import { alike, changes, clientOnly, famfsOnly, mountChanges, reading } from './checks.mjs';

const lists = { reading, alike, changes, mountChanges, famfsOnly, clientOnly };
process.umask(0);
const [list, number, at] = process.argv.slice(2);
try {
  lists[list][Number(number)].check(fs, at);
} catch (error) {
  process.stdout.write(String(error.stack ?? error));
}
