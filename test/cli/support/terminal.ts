import { spawn } from 'node:child_process';
import { have } from '../../mounts/support.js';

/** Why programs cannot be run on a terminal here; '' when they can. */
export const noTerminal = have('script') ? '' : 'script(1) is not installed';

/** A program on a terminal of its own. */
export interface OnTerminal {
  /** All that it has written to the terminal so far. */
  readonly text: () => string;
  /** Types. */
  type(keys: string): void;
  /** Waits until the text has it. @throws Error when the program ended without it, or after 20 s */
  shows(wanted: string | RegExp): Promise<void>;
  readonly ended: Promise<void>;
}

/** Runs a shell command on a terminal of a given size. */
export function onTerminal(
  command: string,
  { columns = 100, rows = 40, env = {} }: { columns?: number; rows?: number; env?: NodeJS.ProcessEnv } = {},
): OnTerminal {
  const { NO_COLOR: _noColor, COLUMNS: _columns, ...own } = process.env;
  const child = spawn('script', ['-qec', `stty cols ${columns} rows ${rows}; ${command}`, '/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...own, TERM: 'xterm', ...env },
  });
  let text = '';
  let hasEnded = false;
  child.stdout.on('data', (piece) => {
    text += piece;
  });
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => {
      hasEnded = true;
      resolve();
    });
  });
  const has = (wanted: string | RegExp) =>
    typeof wanted === 'string' ? text.includes(wanted) : wanted.test(text);
  return {
    text: () => text,
    type: (keys) => void child.stdin.write(keys),
    ended,
    async shows(wanted) {
      for (let waited = 0; !has(wanted); waited += 50) {
        if (hasEnded || waited > 20_000) throw new Error(`the terminal never showed ${wanted}:\n${text}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
  };
}
