import fs from 'node:fs';
import path from 'node:path';
import { AptSuite } from './apt-suite.js';
import { cacheDirectory } from './kernel.js';

/** Where the newer tools are in a VM: a root of their own, since they need newer libraries than this machine has. */
const ROOT = 'newer';
const LIBRARIES = 'usr/lib/x86_64-linux-gnu';
const PROGRAM = 'usr/bin/daxctl';

/** A newer daxctl for a VM. */
export interface NewerTools {
  /** Destination and source of its files. */
  readonly files: ReadonlyMap<string, string>;
}

/** The command that runs it in a VM: the newer loader, with the newer libraries. */
export const NEWER_DAXCTL = `/${ROOT}/loader --library-path /${ROOT}/lib /${ROOT}/bin/daxctl`;

/** daxctl of sid and the libraries that it needs. Downloads 10 MB the first time on a machine. */
export function newerTools(): NewerTools {
  const cache = path.join(cacheDirectory(), 'newer-tools');
  if (!fs.existsSync(path.join(cache, PROGRAM))) {
    const part = `${cache}.part-${process.pid}`;
    fs.mkdirSync(part, { recursive: true });
    try {
      const apt = new AptSuite('sid', path.join(cacheDirectory(), 'apt/sid'));
      apt.unpack(apt.withDependencies('daxctl'), `"./${LIBRARIES}/*" "./${PROGRAM}"`, part);
      fs.renameSync(part, cache);
    } finally {
      fs.rmSync(part, { recursive: true, force: true });
    }
  }
  const libraries = path.join(cache, LIBRARIES);
  const files = new Map([[`${ROOT}/bin/daxctl`, path.join(cache, PROGRAM)]]);
  for (const name of fs.readdirSync(libraries)) {
    const file = fs.realpathSync(path.join(libraries, name));
    if (!/\.so(\.|$)/.test(name) || !fs.statSync(file).isFile()) continue;
    files.set(name.startsWith('ld-linux') ? `${ROOT}/loader` : `${ROOT}/lib/${name}`, file);
  }
  return { files };
}
