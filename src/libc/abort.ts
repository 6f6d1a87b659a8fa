/**
 * Work that was aborted ends with one kind of error, whatever the signal was aborted with, as Node's own functions do: `name`
 * AbortError, `code` ABORT_ERR, and the signal's reason as its `cause`.
 */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortError(signal);
}

export function abortError(signal: AbortSignal): Error {
  return Object.assign(new Error('The operation was aborted', { cause: signal.reason }), {
    name: 'AbortError',
    code: 'ABORT_ERR',
  });
}
