/**
 * A program that uses a mount, in a process of its own: a process that has files of a mount open which it serves itself cannot
 * always be killed. It takes requests and sends answers over Node's channel to its parent, and ends with it.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

export interface Request {
  readonly act: 'make' | 'write' | 'read';
  readonly mountpoint: string;
}

type Answer = { errno?: number | undefined; message?: string | undefined };

const BYTES = 300 * 1024;
export const CONTENT = new Uint8Array(BYTES).fill(9);
const none = () => {};

const acts = {
  /** As a program does: what it could not write whole it removes. */
  async make(mountpoint: string): Promise<void> {
    const file = `${mountpoint}/n`;
    const isThere = await fs.stat(file).then(
      ({ size }) => size === BYTES,
      () => false,
    );
    if (isThere) return;
    const handle = await fs.open(file, 'w');
    try {
      for (let done = 0; done < BYTES; )
        done += (await handle.write(CONTENT, done, BYTES - done)).bytesWritten;
      await handle.sync();
    } catch (error) {
      await handle.close().catch(none);
      await fs.rm(file, { force: true }).catch(none);
      throw error;
    }
    await handle.close();
  },
  async write(mountpoint: string): Promise<void> {
    await fs.writeFile(`${mountpoint}/n`, CONTENT);
  },
  async read(mountpoint: string): Promise<void> {
    const names = await fs.readdir(mountpoint, { recursive: true });
    if (!names.includes('d/a')) throw new Error(`listed: ${names.join(' ')}`);
    const bytes = await fs.readFile(`${mountpoint}/d/a`);
    if (bytes.length !== 3 * 2 ** 20 || bytes.some((byte) => byte !== 7))
      throw new Error('it reads otherwise');
    await fs.statfs(mountpoint);
  },
};

let program: ChildProcess | undefined;

/** Has the program do something. @throws Error with the errno that the program got */
export async function use(act: Request['act'], mountpoint: string): Promise<void> {
  program ??= fork(fileURLToPath(import.meta.url), [], {
    execArgv: [],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  program.unref();
  const answered = once(program, 'message');
  program.channel?.ref();
  program.send({ act, mountpoint } satisfies Request);
  const [{ errno, message }] = (await answered) as [Answer];
  program.channel?.unref();
  if (message !== undefined) throw Object.assign(new Error(message), { errno });
}

if (process.argv[1] === fileURLToPath(import.meta.url) && process.send !== undefined) {
  process.on('message', ({ act, mountpoint }: Request) => {
    // The kernel sends RELEASE without waiting for the answer. It is answered when a later request is.
    const settled = () => fs.statfs(mountpoint).catch(none);
    acts[act](mountpoint)
      .finally(settled)
      .then(
        () => process.send!({}),
        ({ errno, message }: NodeJS.ErrnoException) => process.send!({ errno, message }),
      );
  });
  process.on('disconnect', () => process.exit());
}
