import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { binary, have, noMounts, type Outcome } from './support.js';

/** A user who owns nothing and has no rights. */
export const NOBODY = 65534;
const OTHER_USER = 65533;

/** A mount namespace in which /dev/fuse has mode 0666, as in distributions. It exists until it is closed. */
const NAMESPACE = `
set -e
dev=$1
mount -t tmpfs -o mode=0755,dev none "$dev"
mknod -m 0666 "$dev/fuse" c 10 229
mount --bind "$dev/fuse" /dev/fuse
cp /etc/fuse.conf "$dev/fuse.conf" 2>/dev/null || : > "$dev/fuse.conf"
echo ready
read -r end || :
`;

/** A plain user with a home directory and a shell in that namespace. */
export class PlainUser {
  readonly home: string;
  readonly #directory = fs.mkdtempSync(path.join(os.tmpdir(), 'udax-user-'));
  readonly #device = path.join(this.#directory, 'dev');
  readonly #namespace: ChildProcess;

  private constructor(namespaceOf: (device: string) => ChildProcess) {
    fs.chmodSync(this.#directory, 0o755);
    fs.mkdirSync(this.#device);
    this.home = path.join(this.#directory, 'home');
    fs.mkdirSync(this.home, { mode: 0o700 });
    fs.chownSync(this.home, NOBODY, NOBODY);
    this.#namespace = namespaceOf(this.#device);
  }

  static async enter(): Promise<PlainUser> {
    const user = new PlainUser((device) =>
      spawn('unshare', ['-m', '--propagation', 'private', 'sh', '-c', NAMESPACE, 'sh', device], {
        stdio: ['pipe', 'pipe', 'inherit'],
      }),
    );
    await new Promise<void>((resolve, reject) => {
      user.#namespace.stdout!.once('data', () => resolve());
      user.#namespace.once('exit', (code) => reject(new Error(`no namespace: exit ${code}`)));
    });
    return user;
  }

  /** Runs a command in the user's shell, where `udax` is available. */
  sh(command: string, uid = NOBODY): Outcome {
    const shell = `cd '${this.home}'; udax() { '${process.execPath}' '${binary}' "$@"; }; ${command}`;
    const drop = ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', 'sh', '-c', shell];
    return this.#inside(['env', '-u', 'UDAX_ROOT', '-u', 'XDG_STATE_HOME', `HOME=${this.home}`, ...drop]);
  }

  /** The stdout of a command that must succeed. */
  output(command: string): string {
    const { status, stdout, stderr } = this.sh(command);
    if (status !== 0) throw new Error(`${command}: exit ${status}\n${stdout}\n${stderr}`);
    return stdout;
  }

  /** Like sh(), as another user, who is not root and may enter the home directory. */
  otherSh(command: string): Outcome {
    fs.chmodSync(this.home, 0o755);
    return this.sh(command, OTHER_USER);
  }

  /** Sets user_allow_other in /etc/fuse.conf, in the namespace only. */
  allowOther(): void {
    this.asRoot(
      `echo user_allow_other > '${this.#device}/fuse.conf' && mount --bind '${this.#device}/fuse.conf' /etc/fuse.conf`,
    );
  }

  asRoot(command: string): void {
    const { status, stderr } = this.#inside(['sh', '-c', command]);
    if (status !== 0) throw new Error(`${command}: exit ${status} ${stderr}`);
  }

  #inside(words: string[]): Outcome {
    const enter = ['-k', '1', '30', 'nsenter', '-m', '-t', String(this.#namespace.pid), ...words];
    const { status, stdout, stderr } = spawnSync('timeout', enter, { encoding: 'utf8' });
    return { status, stdout, stderr };
  }

  /** Ends everything that the user started, including mounts. */
  close(): void {
    this.sh(`for at in m*; do udax umount -f "$at"; done`);
    this.#namespace.kill('SIGKILL');
    fs.rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** Why no plain user can be tried here; '' when one can. */
export function noPlainUser(): string {
  if (noMounts !== '') return noMounts;
  for (const program of ['fusermount3', 'nsenter', 'setpriv'])
    if (!have(program)) return `${program} is not installed`;
  const reads = spawnSync('setpriv', [
    `--reuid=${NOBODY}`,
    `--regid=${NOBODY}`,
    '--clear-groups',
    process.execPath,
    binary,
    '--version',
  ]);
  if (reads.status !== 0) return 'a plain user cannot run node and this checkout';
  const place = fs.mkdtempSync(path.join(os.tmpdir(), 'udax-user-'));
  try {
    const words = ['-m', '--propagation', 'private', 'sh', '-c', NAMESPACE, 'sh', place];
    return spawnSync('unshare', words, { input: '\n' }).status === 0 ? '' : 'no /dev/fuse can be made here';
  } finally {
    fs.rmdirSync(place);
  }
}
