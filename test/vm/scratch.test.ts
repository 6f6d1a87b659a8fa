import fs from 'node:fs';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { assets, MIB, noVms, SharedMemoryFile, VirtualMachine } from './support/index.js';

describe.skipIf(noVms)('scratch', () => {
  let memory: SharedMemoryFile;
  let vm: VirtualMachine;
  beforeAll(async () => {
    memory = new SharedMemoryFile(512 * MIB);
    vm = await VirtualMachine.start(assets, memory, { name: 'k' });
  });
  afterAll(async () => {
    await vm?.kill();
    memory?.close();
  });
  it('runs', async () => {
    for (const line of fs.readFileSync('/tmp/kb-lines', 'utf8').split('\n').filter(Boolean)) {
      const t = performance.now();
      const r = await vm.run(line, { timeoutMs: 60000 });
      console.log(
        `$ ${line}   [${r.signal ?? r.code}] ${Math.round(performance.now() - t)}ms\n${r.stdout}${r.stderr}`,
      );
    }
  }, 400000);
});
