// Files of the VM, as text (latin1).
import fs from 'node:fs';
import path from 'node:path';

export function write(name, text) {
  fs.mkdirSync(path.dirname(name), { recursive: true });
  fs.writeFileSync(name, text, 'latin1');
}

export const read = (name) => fs.readFileSync(name, 'latin1');
export const exists = (name) => fs.existsSync(name);
