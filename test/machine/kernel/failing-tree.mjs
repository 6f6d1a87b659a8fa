// The attribute tree of an emulated machine as a FUSE file system, in which chosen stores fail: what a real kernel's stores do
// when memory is in use or a driver refuses. Runs in a session's worker.
// Data: { root, rules }: rules is a JSON file, read at each store: [{ path, text, errno, times? }]; the path is a
// regular expression, and times says after how many failures the rule is used up.
import fs from 'node:fs';

const dist = new URL('../../../dist/', import.meta.url);
const { openMachine } = await import(new URL('machine/index.js', dist));
const { sysfs } = await import(new URL('tree/index.js', dist));
const { SysfsFileSystem } = await import(new URL('mounts/sysfs/file-system.js', dist));
const { fail } = await import(new URL('libc/index.js', dist));

export function createFileSystem({ root, rules }) {
  const machine = openMachine(root, { create: true });
  const tree = sysfs(machine, { place: ({ id }) => `udax/region${id}` });
  const used = new Map();
  const refuse = (path, text) => {
    for (const [index, rule] of JSON.parse(fs.readFileSync(rules, 'utf8')).entries()) {
      const count = used.get(index) ?? 0;
      if (!new RegExp(`^${rule.path}$`).test(path) || count >= (rule.times ?? Infinity)) continue;
      if (rule.text !== text.replace(/\0$/, '')) continue;
      used.set(index, count + 1);
      fail(rule.errno, `${path} refuses ${rule.text}: the test says so`);
    }
  };
  const failing = {
    lookup: (path, options) => tree.lookup(path, options),
    readdir: (path) => tree.readdir(path),
    readlink: (path) => tree.readlink(path),
    checkOpen: (path, access, caller) => tree.checkOpen(path, access, caller),
    read: (path, caller) => tree.read(path, caller),
    write: (path, text, caller) => {
      fs.appendFileSync(`${rules}.log`, `${path} ${JSON.stringify(text)}\n`);
      refuse(tree.realpath(path), text);
      return tree.write(path, text, caller);
    },
  };
  return new SysfsFileSystem(failing, () => machine.close());
}
