import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import type { VmAssets } from './assets.js';
import { CpioWriter } from './cpio.js';
import { addTree, librariesOf } from './initramfs.js';

const repository = process.cwd();
const PACKAGE = 'clients/python/src';

/** Prints where Python is, and every file that it loads for the client and for what the tests do with it. */
const FACTS = `
import ctypes, encodings.ascii, encodings.latin_1, hashlib, json, mmap, os, sys, sysconfig, udax
files = {m.__file__ for m in list(sys.modules.values()) if getattr(m, "__file__", None)}
print(json.dumps({"program": os.path.realpath(sys.executable), "home": sys.base_prefix, "files": sorted(files)}))
`;

interface PythonFacts {
  program: string;
  home: string;
  files: string[];
}

/** Python of this machine for a VM. */
export interface GuestPython {
  readonly assets: VmAssets;
  /** The command that runs it in the VM; the client is on its path. */
  readonly command: string;
}

/** Why there is no Python to be had for a VM; '' when there is one. */
export function whyNoPython(): string {
  try {
    pythonFacts();
    return '';
  } catch (error) {
    return `no python3 that runs the client: ${error instanceof Error ? error.message.split('\n')[0] : error}`;
  }
}

/** The assets with Python and the client added. @param directory for the larger archive */
export function withPython(assets: VmAssets, directory: string): GuestPython {
  const { program, home, files } = pythonFacts();
  const initramfs = path.join(directory, 'initramfs-python.cpio');
  const part = path.join(directory, 'python.cpio');
  const cpio = new CpioWriter(part);
  const source = path.join(repository, PACKAGE);
  const needed = new Set([program, ...files.filter((file) => !file.startsWith(source))]);
  for (const binary of [...needed]) {
    if (binary === program || binary.includes('.so')) for (const one of librariesOf(binary)) needed.add(one);
  }
  for (const file of needed) cpio.file(file.slice(1), fs.readFileSync(file), 0o755);
  // Python looks for this directory to know its home.
  cpio.directory(
    path.join(path.dirname(files.find((file) => path.basename(file) === 'os.py')!), 'lib-dynload').slice(1),
  );
  addTree(cpio, source, 'udax/python');
  cpio.close();
  fs.copyFileSync(assets.initramfs, initramfs);
  fs.appendFileSync(initramfs, fs.readFileSync(part));
  fs.rmSync(part);
  const environment = `PYTHONHOME=${home} PYTHONPATH=/udax/python PYTHONDONTWRITEBYTECODE=1`;
  return { assets: { ...assets, initramfs }, command: `${environment} ${program}` };
}

function pythonFacts(): PythonFacts {
  const env = { ...process.env, PYTHONPATH: path.join(repository, PACKAGE), PYTHONDONTWRITEBYTECODE: '1' };
  return JSON.parse(execFileSync('python3', ['-c', FACTS], { encoding: 'utf8', env })) as PythonFacts;
}
