/** The caller of a store, flush or fence: the frames of src/ below the act, innermost first. */

/** These only move bytes for others: the frame that requested the move is the informative one. */
const CARRIERS = /^(memory|fsdax|dax|libc)\/|famfs\/volume\/(device-media|open-file-host|file|inode)[.]ts/;
/** One-line helpers that any store of their file uses. */
const GENERIC =
  / (store|storeIndex|storeU64|(?:Log|Annex)Appender[.]#?flush|(?:Log|Annex)Appender[.]#?store(?:Index)?)$/;
const FRAMES = 60;

export interface Caller {
  /** `famfs/media/append.ts LogAppender.append`, from the act outwards. */
  readonly frames: readonly string[];
  /** Line numbers of the frames. */
  readonly lines: readonly number[];
}

export function callerNow(): Caller {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = FRAMES;
  const stack = new Error().stack ?? '';
  Error.stackTraceLimit = stackTraceLimit;
  const frames: string[] = [];
  const lines: number[] = [];
  for (const text of stack.split('\n')) {
    const found =
      /^\s+at (?:async )?(?:(?:new )?(\S+) (?:\[as [^\]]*\] )?\()?(?:file:\/\/)?\S*\/src\/([^:]+)[.][jt]s(?:[?][^:]*)?:(\d+)/.exec(
        text,
      );
    if (!found) continue;
    const [, name = '(anonymous)', file, line] = found;
    frames.push(`${file}.ts ${name.replace('Function.', '')}`);
    lines.push(Number(line));
  }
  return { frames, lines };
}

/** The most informative frame, without its line number: it stays the same when lines move. */
export function nameOf(caller: Caller): string {
  const at = tellingFrame(caller);
  return at < 0 ? 'outside src' : caller.frames[at]!;
}

/** The most informative frame, with its line number. */
export function placeOf(caller: Caller): string {
  const at = tellingFrame(caller);
  if (at < 0) return 'outside src';
  const [file, name] = caller.frames[at]!.split(' ');
  return `src/${file}:${caller.lines[at]} (${name})`;
}

function tellingFrame({ frames }: Caller): number {
  const telling = frames.findIndex((frame) => !CARRIERS.test(frame) && !GENERIC.test(frame));
  return telling >= 0 ? telling : frames.length > 0 ? 0 : -1;
}

/** Whether any frame matches. Mutants select their acts this way. */
export function isFrom(caller: Caller, pattern: RegExp): boolean {
  return caller.frames.some((frame) => pattern.test(frame));
}
