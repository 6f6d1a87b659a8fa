/**
 * Builds the preload library of `udax run` from native/udax-run.c.
 *
 *     node native/build.mjs              for this host, into dist/native/ (npm run build). No compiler: says so, and is no error
 *     node native/build.mjs --prebuilt   for x64 and arm64, into native/prebuilt/ (npm run prebuild-native): needs gcc and
 *                                        aarch64-linux-gnu-gcc (Debian: gcc-aarch64-linux-gnu, libc6-dev-arm64-cross)
 *
 * Next to the libraries it writes SHA256SUMS, which is checked at each use.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
/** No library is linked: one binary serves glibc (of any age) and musl. */
const FLAGS = [
  '-std=gnu11',
  '-Os',
  '-Wall',
  '-Wextra',
  '-Werror',
  '-ffreestanding',
  '-fPIC',
  '-fvisibility=hidden',
  '-fno-stack-protector',
  '-fno-asynchronous-unwind-tables',
  '-nostdlib',
  '-shared',
  '-s',
  '-Wl,-z,norelro,-z,now,-z,noexecstack,-z,noseparate-code,--hash-style=both,--build-id=none,-soname,udax-run.so',
];
const MACHINE_FLAGS = { x64: [], arm64: ['-mno-outline-atomics'] };
const isPrebuilt = process.argv.includes('--prebuilt');
const targets = isPrebuilt
  ? { x64: 'x86_64-linux-gnu-gcc', arm64: 'aarch64-linux-gnu-gcc' }
  : { [process.arch]: process.env.CC || 'cc' };

const directory = isPrebuilt ? join(here, 'prebuilt') : join(here, '../dist/native');
rmSync(directory, { recursive: true, force: true });
const sums = Object.entries(targets).flatMap(([arch, compiler]) => build(arch, compiler));
if (sums.length > 0) writeFileSync(join(directory, 'SHA256SUMS'), sums.join(''));
if (isPrebuilt) {
  // Compilers differ from host to host, so a binary cannot be compared with what another host builds. Its source can.
  const source = createHash('sha256');
  for (const name of ['udax-run.c', 'udax-run.h']) source.update(readFileSync(join(here, name)));
  writeFileSync(join(directory, 'built-from.json'), `{ "udaxRunSource": "${source.digest('hex')}" }\n`);
}

function build(arch, compiler) {
  if (MACHINE_FLAGS[arch] === undefined) return [];
  const name = join(`linux-${arch}`, 'udax-run.so');
  const work = mkdtempSync(join(here, '.build-'));
  try {
    const made = join(work, 'udax-run.so');
    const words = [...FLAGS, ...MACHINE_FLAGS[arch], '-o', made, 'udax-run.c'];
    // In its directory and by its bare name: nothing of this host gets into the library.
    const { status, error, stderr } = spawnSync(compiler, words, { cwd: here, encoding: 'utf8' });
    if (status !== 0) return failed(compiler, error ? `${error.message}` : stderr);
    mkdirSync(join(directory, `linux-${arch}`), { recursive: true });
    renameSync(made, join(directory, name));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  const sum = createHash('sha256')
    .update(readFileSync(join(directory, name)))
    .digest('hex');
  return [`${sum}  ${name}\n`];
}

/** Without a compiler the prebuilt library is used. A prebuilt library that cannot be built is an error. */
function failed(compiler, why) {
  const line = `native: ${compiler} cannot build udax-run.c: ${why.trim()}\n`;
  if (isPrebuilt) throw new Error(line);
  process.stderr.write(`${line}native: udax run uses the library of native/prebuilt\n`);
  return [];
}
