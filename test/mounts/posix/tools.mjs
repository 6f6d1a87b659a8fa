// What the checks are written with.
import assert from 'node:assert/strict';

/** The errno name that something fails with, or 'none'. */
export function codeOf(act) {
  try {
    act();
  } catch (error) {
    if (error.code === undefined) throw error;
    return error.code === 'ENOTSUP' ? 'EOPNOTSUPP' : error.code; // one number, two names
  }
  return 'none';
}

export function fails(code, act) {
  assert.equal(codeOf(act), code, String(act));
}

/** Every act fails with the same code. */
export const allFail = (code, acts) => {
  for (const act of acts) fails(code, act);
};

export function withOpen(fs, path, flags, use) {
  const fd = fs.openSync(path, flags);
  try {
    return use(fd);
  } finally {
    fs.closeSync(fd);
  }
}

export function pread(fs, fd, length, position) {
  const into = Buffer.alloc(length);
  return into.toString('latin1', 0, fs.readSync(fd, into, 0, length, position));
}

export const text = (fs, path) => fs.readFileSync(path, 'latin1');
export const put = (fs, path, bytes, mode) => fs.writeFileSync(path, bytes, { flag: 'wx', mode });
export const ten = '0123456789';
export const SEEK = { set: 0, current: 1, end: 2, data: 3, hole: 4 };
