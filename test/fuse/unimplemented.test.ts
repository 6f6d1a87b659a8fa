import { describe, expect, it } from 'vitest';
import {
  type FileHandle,
  type FuseFileSystem,
  type FuseSettledConnection,
  negativeEntry,
  type OptionalOperation,
} from '../../src/fuse/index.js';
import { cleanUpAfterEachTest, mountSample, noMounts, run } from './support/mounts.js';
import { bytesOf, initRequest, request, Wire } from './support/wire.js';

// What went wrong: to report that a file system did not implement an operation on one connection, its method was overwritten.
// That lasted for the lifetime of the object and was visible nowhere, and the worker overwrote init() to learn of it. Right:
// init() returns the list, the dispatcher answers ENOSYS, and the session's connection shows it.
const ENOSYS = -38;
const opendir = request(27, 4n, 1n, ['u32', 0], ['u32', 0]);
const getxattr = request(22, 4n, 5n, ['u32', 8], ['u32', 0], ['text', 'user.a\0']);
const listxattr = request(23, 4n, 5n, ['u32', 8], ['u32', 0]);
const errorReply = (error: number) => bytesOf(['u32', 16], ['i32', error], ['u64', 4n]);

/** A file system with all methods. `asked` lists the calls that reach them. */
class Whole {
  asked: string[] = [];
  constructor(readonly unimplemented?: readonly OptionalOperation[]) {}
  init() {
    return this.unimplemented && { unimplemented: this.unimplemented };
  }
  lookup() {
    return negativeEntry(1);
  }
  opendir() {
    this.asked.push('opendir');
    return { handle: 9 as FileHandle };
  }
  getxattr() {
    this.asked.push('getxattr');
    return Buffer.from('abc');
  }
  listxattr() {
    this.asked.push('listxattr');
    return ['a'];
  }
}

const wireOf = (fileSystem: Whole) => new Wire(fileSystem as unknown as FuseFileSystem);

describe('what init() says is not implemented', () => {
  it('is ENOSYS on the wire and reaches no method; the rest is served', () => {
    const whole = new Whole(['OPENDIR', 'GETXATTR']);
    const wire = wireOf(whole);
    expect(wire.send(opendir)).toEqual(errorReply(ENOSYS));
    expect(wire.send(getxattr)).toEqual(errorReply(ENOSYS));
    expect(wire.send(listxattr)).toEqual(bytesOf(['u32', 18], ['i32', 0], ['u64', 4n], ['text', 'a\0']));
    expect(whole.asked).toEqual(['listxattr']);
    expect(wire.dispatcher.connection?.unimplemented).toEqual(['OPENDIR', 'GETXATTR']);
    expect(wire.reports).toEqual([]);
  });

  it('is so for this connection only: the object keeps its methods, and the next connection has them', () => {
    const whole = new Whole(['OPENDIR']);
    wireOf(whole);
    const next = wireOf(Object.assign(whole, { init: () => undefined }));
    expect(next.send(opendir)).toEqual(
      bytesOf(['u32', 32], ['i32', 0], ['u64', 4n], ['u64', 9n], ['u32', 0], ['i32', 0]),
    );
    expect(next.dispatcher.connection?.unimplemented).toEqual([]);
  });

  it('can only be what the kernel does without: a name beyond is EINVAL to INIT, and nothing is served', () => {
    const wire = wireOf(new Whole(['LOOKUP' as OptionalOperation]));
    expect(wire.dispatcher.connection).toBeNull();
    expect(wire.send(initRequest)?.subarray(0, 16)).toEqual(bytesOf(['u32', 16], ['i32', -22], ['u64', 2n]));
    expect(wire.send(opendir)).toEqual(errorReply(-5));
  });
});

cleanUpAfterEachTest();
describe.skipIf(noMounts !== '')(`a mounted one${noMounts && ` (skipped: ${noMounts})`}`, () => {
  it('tells by its connection what was not implemented, and the kernel asks each thing once', async () => {
    const lines: string[] = [];
    const unimplemented = ['OPENDIR', 'GETXATTR', 'LISTXATTR'];
    const { directory, session } = await mountSample(
      { files: { a: 'abc' }, unimplemented },
      { onWire: (line) => lines.push(line) },
    );
    const connection: FuseSettledConnection = session.connection;
    expect(connection.unimplemented).toEqual(unimplemented);
    const script = `import errno, os
for _ in range(3):
    print(os.listdir('${directory}'))
    for call in (lambda: os.getxattr('${directory}/a', 'user.x'), lambda: os.listxattr('${directory}/a')):
        try: print(call())
        except OSError as error: print(errno.errorcode[error.errno])`;
    const one = "['a']\nENOTSUP\nENOTSUP\n";
    expect((await run('python3', '-c', script)).stdout).toBe(one.repeat(3));
    for (const operation of unimplemented) {
      expect([
        operation,
        lines.filter((line) => / ENOSYS$/.test(line) && line.includes(` ${operation} `)).length,
      ]).toEqual([operation, 1]);
    }
  });
});
