// What went wrong: a process in execve(2) closes its O_CLOEXEC files with its exec lock held. Each close of a file in the making
// asked the daemon, and the daemon read the links in /proc/PID/fd, which wait for that lock: both hung for ever, and with them
// every other program that looked into /proc (ps, lsof, other daemons, a search for who holds a lock). Any node program that
// starts another while it writes a file in a mount did it. Right: nothing of /proc that waits for that lock is read.
import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { closeDescriptor, lockHolders, ofdLock } from '../../src/libc/index.js';
import { because, have, Place, until } from './support.js';

const why = because || (have('perl') ? '' : ' (skipped: perl is not installed)');

/** Makes a file (perl opens with O_CLOEXEC), and becomes another program at the end of its input. */
const MAKE_AND_EXEC = `open(F, '>', $ARGV[0]) or die $!; syswrite(F, 'written'); $| = 1; print "open\\n"; <STDIN>; exec('true')`;

describe.skipIf(why !== '')(`a process that becomes another while it has a new file open${why}`, () => {
  let place: Place;
  let at: string;
  let daemon: number;
  beforeEach(() => {
    place = new Place();
    place.makeVolume('64MiB');
    at = place.mount();
    daemon = place.daemonPid(at);
  });
  afterEach(() => place.close());

  const maker = async (name: string) => {
    const child = place.start('perl', ['-e', MAKE_AND_EXEC, path.join(at, name)]);
    await new Promise((resolve) => child.stdout!.once('data', resolve));
    return child;
  };
  /** A daemon that hangs holds everybody who looks at it. So it is ended at the end of a test that failed. */
  const endedOrKilled = async (what: string, holds: () => boolean) => {
    try {
      await until(what, holds);
    } catch (error) {
      process.kill(daemon, 'SIGKILL');
      throw error;
    }
  };

  it('goes on, and what it wrote is published by that', async () => {
    const child = await maker('f');
    child.stdin!.end();
    await endedOrKilled('the new program ends', () => child.exitCode !== null);
    expect(child.exitCode).toBe(0);
    expect(fs.readFileSync(`${at}/f`, 'utf8')).toBe('written');
    expect(place.volume().stat('/f').size).toBe(7);
  });

  it('is passed over by a search for who holds a lock, which does not wait for it', async () => {
    const child = await maker('f');
    const file = path.join(place.directory, 'locked');
    const fd = fs.openSync(file, 'w+');
    const held = fs.openSync(file, 'r+');
    ofdLock(held, 'exclusive');
    process.kill(daemon, 'SIGSTOP');
    child.stdin!.end();
    const closed = () => !fs.readdirSync(`/proc/${child.pid}/fd`).some((name) => name === '3');
    await endedOrKilled('it is in execve', () => closed() || child.exitCode !== null);
    expect(child.exitCode).toBeNull();
    // Where the search waits, this lets it go on.
    const release = place.start('sh', ['-c', `sleep 5; kill -CONT ${daemon}; kill -KILL ${daemon}`]);
    const found = lockHolders(fd, { kind: 'exclusive', start: 0, length: 0 }, 10_000);
    process.kill(daemon, 'SIGCONT');
    const wasInTime = release.exitCode === null && fs.existsSync(`/proc/${daemon}`);
    release.kill('SIGKILL');
    for (const open of [fd, held]) closeDescriptor(open);
    expect(wasInTime).toBe(true);
    expect(found.map(({ pid }) => pid)).toEqual([process.pid]);
    await endedOrKilled('the new program ends', () => child.exitCode !== null);
    expect(place.udax('umount', at).status).toBe(0);
  });
});
