import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { AptSuite, quietly } from './apt-suite.js';

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
/** The kernels of a suite: two or three numbers, whatever the suite adds to them, the flavour for VMs. */
const CLOUD_KERNEL = /^linux-image-(\d+\.\d+(?:\.\d+)?)[^-]*-cloud-amd64$/;
/** Modules that the tests need, built in or loadable. */
const NEEDED_MODULES = [
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
/** Modules that a VM loads: those, and what only newer kernels have. */
export const LOADED_MODULES = [...NEEDED_MODULES, 'fsdev_dax'] as const;

/** Where kernels and archives are kept between runs. */
export function cacheDirectory(): string {
  const { XDG_CACHE_HOME } = process.env;
  return path.join(XDG_CACHE_HOME || path.join(os.homedir(), '.cache'), 'udax-test-vm');
}

/**
 * Finds the newest unpacked kernel of this machine's distribution, else downloads one with apt-get.
 * @throws Error that says why there is none
 */
export function findKernel(cache = cacheDirectory()): PackagedKernel {
  fs.mkdirSync(cache, { recursive: true });
  const unpacked = newestIn(cache);
  if (unpacked) return unpacked;
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

/**
 * Finds the newest kernel of another suite of Debian. What is in the cache is used when the suite cannot be read.
 * @throws Error that says why there is none
 */
export function findKernelOf(suite: string, atLeast: string, cache = cacheDirectory()): PackagedKernel {
  const directory = path.join(cache, 'suites', suite);
  fs.mkdirSync(directory, { recursive: true });
  let apt: AptSuite;
  try {
    apt = new AptSuite(suite, path.join(cache, 'apt', suite));
  } catch (error) {
    const unpacked = newestIn(directory);
    if (unpacked && byVersion(unpacked.release, atLeast) >= 0) return unpacked;
    throw error;
  }
  const newest = apt.names(CLOUD_KERNEL).sort(byVersion).at(-1);
  const version = newest && CLOUD_KERNEL.exec(newest)![1]!;
  if (version === undefined || byVersion(version, atLeast) < 0)
    throw new Error(`the newest kernel of ${suite} is ${version ?? 'none'}, not ${atLeast} or later`);
  return kernelIn(path.join(directory, newest!)) ?? downloadFrom(apt, newest!, directory);
}

function byVersion(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}

function newestIn(directory: string): PackagedKernel | null {
  const names = fs.readdirSync(directory).filter((name) => !name.startsWith('.'));
  for (const name of names.sort(byVersion).reverse()) {
    const kernel = kernelIn(path.join(directory, name));
    if (kernel) return kernel;
  }
  return null;
}

/** The kernel of an unpacked package, when all modules are there. Newer packages have its image beside its modules. */
function kernelIn(directory: string): PackagedKernel | null {
  const modulesOf = ['usr/lib/modules', 'lib/modules']
    .map((name) => path.join(directory, name))
    .find((name) => fs.existsSync(name));
  if (modulesOf === undefined) return null;
  for (const release of fs.readdirSync(modulesOf)) {
    const modules = path.join(modulesOf, release);
    const images = [path.join(directory, 'boot', `vmlinuz-${release}`), path.join(modules, 'vmlinuz')];
    const image = images.find((name) => fs.existsSync(name));
    if (image !== undefined && missingModules(modules).length === 0) return { release, image, modules };
  }
  return null;
}

function missingModules(modules: string): string[] {
  const known = ['modules.dep', 'modules.builtin']
    .map((name) => path.join(modules, name))
    .map((file) => (fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : ''))
    .join('\n');
  return NEEDED_MODULES.filter((name) => !new RegExp(`/${name}\\.ko`).test(known));
}

/** Downloads the package that a meta package names, and unpacks it under its version. */
function download(meta: string, cache: string): PackagedKernel {
  const package_ = realPackage(meta);
  return whole(package_, cache, (part) => {
    quietly('apt-get', ['download', package_], part);
    const archive = fs.readdirSync(part).find((name) => name.endsWith('.deb'));
    if (archive === undefined) throw new Error(`apt-get download ${package_} brought nothing`);
    const file = path.join(part, archive);
    quietly('sh', ['-c', `dpkg-deb --fsys-tarfile '${file}' | tar -x ./boot ./lib/modules`], part);
    fs.rmSync(file);
    return path.basename(archive, '.deb');
  });
}

/** Newer packages are split: the image, the modules, and the lists of what is built in. */
function downloadFrom(apt: AptSuite, name: string, directory: string): PackagedKernel {
  return whole(name, directory, (part) => {
    const split = ['linux-base', 'linux-binary', 'linux-modules'].map((kind) =>
      name.replace('linux-image', kind),
    );
    const names = split.filter(
      (each) => apt.names(new RegExp(`^${each.replaceAll(/[.+]/g, '\\$&')}$`)).length > 0,
    );
    apt.unpack(names.length > 0 ? names : [name], '"./boot/*" "*/lib/modules/*"', part);
    return name;
  });
}

/** Makes a directory of the cache whole or not at all: a killed run leaves only a `.part`. */
function whole(what: string, cache: string, fill: (part: string) => string): PackagedKernel {
  const part = fs.mkdtempSync(path.join(cache, '.part-'));
  try {
    const target = path.join(cache, fill(part));
    for (const base of ['usr', '.'])
      for (const release of releasesIn(path.join(part, base, 'lib/modules')))
        quietly('depmod', ['-b', path.join(part, base), release], part);
    fs.rmSync(target, { recursive: true, force: true });
    fs.renameSync(part, target);
    const kernel = kernelIn(target);
    if (kernel === null) throw new Error(`${what} lacks modules that the tests need`);
    return kernel;
  } finally {
    fs.rmSync(part, { recursive: true, force: true });
  }
}

function releasesIn(directory: string): string[] {
  return fs.existsSync(directory) ? fs.readdirSync(directory) : [];
}

/** The package in `Depends: linux-image-6.1.0-1-cloud-amd64` of a meta package. */
function realPackage(meta: string): string {
  const { stdout } = spawnSync('apt-cache', ['depends', meta], { encoding: 'utf8' });
  const name = /Depends: (linux-image-\d\S+)/.exec(stdout ?? '')?.[1];
  if (name === undefined) throw new Error(`apt knows no ${meta}`);
  return name;
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
