// One file operation. In a process of its own: argv[2] is {op, args}; prints {value} or {code}. Or as a module, in a VM.
import fs from 'node:fs';
import { fileURLToPath } from 'node:url';

const operations = {
  write({ path, text, position = 0, flags = 'wx', mode = 0o644 }) {
    const fd = fs.openSync(path, flags, mode);
    try {
      fs.writeSync(fd, Buffer.from(text, 'latin1'), 0, text.length, position);
    } finally {
      fs.closeSync(fd);
    }
  },
  touch: ({ path }) => fs.closeSync(fs.openSync(path, 'wx')),
  read({ path, position = 0, length = 1 << 20 }) {
    const fd = fs.openSync(path, 'r');
    try {
      const into = Buffer.alloc(length);
      return into.toString('latin1', 0, fs.readSync(fd, into, 0, length, position));
    } finally {
      fs.closeSync(fd);
    }
  },
  stat({ path }) {
    const stat = fs.lstatSync(path);
    const type = stat.isDirectory() ? 'directory' : stat.isFile() ? 'file' : 'other';
    return { size: type === 'file' ? stat.size : 0, mode: stat.mode & 0o7777, type };
  },
  mkdir: ({ path, mode = 0o755 }) => fs.mkdirSync(path, { mode }),
  readdir: ({ path }) => fs.readdirSync(path),
  unlink: ({ path }) => fs.unlinkSync(path),
  rmdir: ({ path }) => fs.rmdirSync(path),
  rename: ({ path, to }) => fs.renameSync(path, to),
  link: ({ path, to }) => fs.linkSync(path, to),
  symlink: ({ path }) => fs.symlinkSync('target', path),
  truncate: ({ path, size }) => fs.truncateSync(path, size),
  chmod: ({ path, mode }) => fs.chmodSync(path, mode),
  utimes: ({ path, time }) => fs.utimesSync(path, time, time),
  times: ({ path }) => fs.statSync(path).mtimeMs,
};

/** Does {op, args}; an operation that fails answers {code}. */
export function perform({ op, args }) {
  const umask = process.umask(0);
  try {
    return { value: operations[op](args) ?? null };
  } catch (error) {
    return { code: error.code ?? String(error) };
  } finally {
    process.umask(umask);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.stdout.write(JSON.stringify(perform(JSON.parse(process.argv[2]))));
}
