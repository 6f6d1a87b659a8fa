import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** A packaged kernel that is unpacked but never installed. */
export interface PackagedKernel {
  /** `uname -r`. */
  readonly release: string;
  /** The bzImage. */
  readonly image: string;
  /** Its lib/modules/RELEASE, with modules.dep. */
  readonly modules: string;
}

/** Prefers the small one for VMs. Both name the distribution's newest kernel. */
const META_PACKAGES = ['linux-image-cloud-amd64', 'linux-image-amd64'];
const DOWNLOAD_SECONDS = 240;
/** Modules that the tests need, built in or loadable. */
export const NEEDED_MODULES = [
  'virtio_pci',
  'virtio_console',
  'nfit',
  'nd_pmem',
  'device_dax',
  'dax_pmem',
  'kmem',
  'dax_hmem',
  'fuse',
] as const;

/** Where kernels and archives are kept between runs. */
export function cacheDirectory(): string {
  const { XDG_CACHE_HOME } = process.env;
  return path.join(XDG_CACHE_HOME || path.join(os.homedir(), '.cache'), 'udax-test-vm');
}

/**
 * Finds the newest unpacked kernel, else downloads one with apt-get.
 * @throws Error that says why there is none
 */
export function findKernel(cache = cacheDirectory()): PackagedKernel {
  fs.mkdirSync(cache, { recursive: true });
  const unpacked = fs.readdirSync(cache).filter((name) => !name.startsWith('.'));
  for (const name of unpacked.sort((a, b) => b.localeCompare(a, 'en', { numeric: true }))) {
    const kernel = kernelIn(path.join(cache, name));
    if (kernel) return kernel;
  }
  const faults: string[] = [];
  for (const meta of META_PACKAGES) {
    try {
      return download(meta, cache);
    } catch (error) {
      faults.push(error instanceof Error ? error.message : String(error));
    }
  }
  throw new Error(faults.join('; '));
}

/** The kernel of an unpacked package, when all modules are there. */
function kernelIn(directory: string): PackagedKernel | null {
  const boot = path.join(directory, 'boot');
  if (!fs.existsSync(boot)) return null;
  const image = fs.readdirSync(boot).find((name) => name.startsWith('vmlinuz-'));
  if (image === undefined) return null;
  const release = image.slice('vmlinuz-'.length);
  const modules = path.join(directory, 'lib/modules', release);
  const missing = missingModules(modules);
  return missing.length > 0 ? null : { release, image: path.join(boot, image), modules };
}

function missingModules(modules: string): string[] {
  const known = ['modules.dep', 'modules.builtin']
    .map((name) => path.join(modules, name))
    .map((file) => (fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : ''))
    .join('\n');
  return NEEDED_MODULES.filter((name) => !new RegExp(`/${name}\\.ko`).test(known));
}

/** Downloads the package that a meta package names, and unpacks it under its version. A killed run leaves only a `.part`. */
function download(meta: string, cache: string): PackagedKernel {
  const package_ = realPackage(meta);
  const part = fs.mkdtempSync(path.join(cache, '.part-'));
  try {
    quietly('apt-get', ['download', package_], part);
    const archive = fs.readdirSync(part).find((name) => name.endsWith('.deb'));
    if (archive === undefined) throw new Error(`apt-get download ${package_} brought nothing`);
    unpack(path.join(part, archive), part);
    const target = path.join(cache, path.basename(archive, '.deb'));
    fs.rmSync(path.join(part, archive));
    fs.rmSync(target, { recursive: true, force: true });
    fs.renameSync(part, target);
    const kernel = kernelIn(target);
    if (kernel === null) throw new Error(`${package_} lacks modules that the tests need`);
    return kernel;
  } finally {
    fs.rmSync(part, { recursive: true, force: true });
  }
}

/** The package in `Depends: linux-image-6.1.0-1-cloud-amd64` of a meta package. */
function realPackage(meta: string): string {
  const { stdout } = spawnSync('apt-cache', ['depends', meta], { encoding: 'utf8' });
  const name = /Depends: (linux-image-\d\S+)/.exec(stdout ?? '')?.[1];
  if (name === undefined) throw new Error(`apt knows no ${meta}`);
  return name;
}

/** Kernel and modules of a package, and the modules.dep that installing it would make. */
function unpack(archive: string, directory: string): void {
  quietly('sh', ['-c', `dpkg-deb --fsys-tarfile '${archive}' | tar -x ./boot ./lib/modules`], directory);
  for (const release of fs.readdirSync(path.join(directory, 'lib/modules'))) {
    quietly('depmod', ['-b', directory, release], directory);
  }
}

function quietly(program: string, args: string[], cwd: string): void {
  try {
    execFileSync('timeout', [String(DOWNLOAD_SECONDS), program, ...args], { cwd, stdio: 'pipe' });
  } catch (error) {
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : String(error);
    throw new Error(`${program} ${args[0]} failed: ${said.split('\n').at(-1)}`);
  }
}

/**
 * Files of the kernel modules to load, each after those it depends on. Modules that are built in are left out.
 * @param wanted module names
 */
export function modulesInOrder({ modules }: PackagedKernel, wanted: readonly string[]): string[] {
  const dependencies = new Map<string, string[]>();
  for (const line of fs.readFileSync(path.join(modules, 'modules.dep'), 'utf8').split('\n')) {
    const [file, rest] = line.split(':');
    if (file && rest !== undefined) dependencies.set(file, rest.trim().split(' ').filter(Boolean));
  }
  const ordered: string[] = [];
  const add = (file: string): void => {
    if (ordered.includes(file)) return;
    for (const needed of dependencies.get(file) ?? []) add(needed);
    ordered.push(file);
  };
  for (const name of wanted) {
    const file = [...dependencies.keys()].find((each) => path.basename(each).split('.')[0] === name);
    if (file !== undefined) add(file);
  }
  return ordered.map((file) => path.join(modules, file));
}
