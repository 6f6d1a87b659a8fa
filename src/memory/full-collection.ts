import v8 from 'node:v8';
import vm from 'node:vm';

let collect: (() => void) | null | undefined;

/** Runs a full garbage collection now. @returns false where the engine does not allow it */
export function collectNow(): boolean {
  if (collect === undefined) collect = exposed();
  if (collect === null) return false;
  collect();
  return true;
}

/** The engine's gc(). It exists in contexts that are made while the flag --expose-gc is set. */
function exposed(): (() => void) | null {
  const known = (globalThis as { gc?: unknown }).gc;
  if (typeof known === 'function') return () => void known();
  try {
    v8.setFlagsFromString('--expose-gc');
    const found: unknown = vm.runInNewContext('gc');
    v8.setFlagsFromString('--no-expose-gc');
    return typeof found === 'function' ? () => void found() : null;
  } catch {
    return null;
  }
}
