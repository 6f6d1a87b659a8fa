import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

/** The state that a row leaves behind: a line a file, with what others will see of it. */
export function stateOf(directory: string, withTimes: boolean): string[] {
  const lines: string[] = [];
  const seen = new Map<number, string>();
  const visit = (at: string, name: string): void => {
    const stat = fs.lstatSync(at);
    const mode = (stat.mode & 0o7777).toString(8);
    const facts = [name, mode];
    if (stat.isSymbolicLink()) facts.push(`-> ${fs.readlinkSync(at)}`);
    else if (stat.isFile()) {
      const first = seen.get(stat.ino);
      seen.set(stat.ino, first ?? name);
      facts.push(`${stat.nlink} names`, first === undefined ? digest(at) : `is ${first}`);
    }
    if (withTimes && !stat.isDirectory()) facts.push(new Date(stat.mtimeMs).toISOString());
    lines.push(facts.join(' '));
    if (stat.isDirectory())
      for (const inside of fs.readdirSync(at).sort()) visit(path.join(at, inside), `${name}/${inside}`);
  };
  for (const name of fs.readdirSync(directory).sort()) visit(path.join(directory, name), name);
  return lines;
}

function digest(file: string): string {
  const { stdout, status, stderr } = spawnSync('sha256sum', ['--', file], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`sha256sum ${file}: ${stderr}`);
  return `${fs.statSync(file).size} bytes ${stdout.replace(/^\\/, '').slice(0, 12)}`;
}

/** A tree with all that a copy must keep: modes, times, empty files, long names, symbolic and hard links. */
export function makeSource(at: string): void {
  const put = (name: string, text: string, mode: number, day: number): void => {
    const file = path.join(at, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, text);
    fs.chmodSync(file, mode);
    fs.utimesSync(file, day * 86_400, day * 86_400);
  };
  put('readme', 'hello\nworld\n', 0o644, 10_000);
  put('bin/run', '#!/bin/sh\necho ran\n', 0o755, 10_001);
  put('package/__init__.py', '', 0o644, 10_002);
  put('package/data.bin', 'x'.repeat(300_000), 0o600, 10_003);
  put(`deep/${'d'.repeat(60)}/${'long-name-'.repeat(12)}`, 'far down\n', 0o444, 10_004);
  put('with blank/\u00e4\u00f6\u00fc', 'umlauts\n', 0o640, 10_005);
  fs.mkdirSync(path.join(at, 'empty-directory'));
  fs.linkSync(path.join(at, 'readme'), path.join(at, 'second-name'));
  fs.symlinkSync('../readme', path.join(at, 'bin/link'));
  fs.symlinkSync('nowhere/at/all', path.join(at, 'dangling'));
}
