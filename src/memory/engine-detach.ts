import v8 from 'node:v8';
import vm from 'node:vm';

const SOURCE = '(function detach(buffer) { %ArrayBufferDetach(buffer); })';
const ALLOW = '--allow-natives-syntax';
/** Another thread may take the flag back before the script is compiled: flags are the whole process's. */
const ATTEMPTS = 3;

type Detach = (buffer: ArrayBuffer) => void;

let compiled: Detach | null | undefined;

/**
 * Detaches a buffer by the engine's own operation, whatever Node marked it with. 1 us, and the collector counts the buffer's bytes no
 * more (a transfer counts them once again, and 64 MiB or more of them begin a collection).
 * @returns false when the engine has no such operation, or cannot detach this one: nothing was done
 */
export function detachByEngine(buffer: ArrayBuffer): boolean {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    compiled = compiled === undefined ? compile() : compiled;
    if (compiled === null) return false;
    try {
      compiled(buffer);
      return buffer.byteLength === 0;
    } catch (error) {
      // The engine drops the bytecode of what was not called for long, and compiles it again without the flag.
      if (!isSyntaxError(error)) return false;
      compiled = undefined;
    }
  }
  return false;
}

/** Null where scripts cannot name it. */
function compile(): Detach | null {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    try {
      return run();
    } catch (error) {
      if (!isSyntaxError(error)) return null;
    }
    try {
      v8.setFlagsFromString(ALLOW);
      return run();
    } catch (error) {
      if (!isSyntaxError(error)) return null;
    } finally {
      v8.setFlagsFromString(ALLOW.replace('--', '--no-'));
    }
  }
  return null;
}

/** First without the flag: who started Node with it keeps it. */
function run(): Detach {
  return new vm.Script(SOURCE).runInThisContext() as Detach;
}

function isSyntaxError(error: unknown): boolean {
  return error instanceof SyntaxError;
}
