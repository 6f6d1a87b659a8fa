import type { ReadStream, WriteStream } from 'node:tty';

const ENTER = '\x1b[?1049h\x1b[?25l';
const LEAVE = '\x1b[?25h\x1b[?1049l';
const HOME = '\x1b[H';
const TO_LINE_END = '\x1b[K';
/** In raw mode it comes as a key. */
const CTRL_C = '\x03';
const TO_SCREEN_END = '\x1b[J';

/**
 * The alternate screen of a terminal, without a cursor. Frames are written over each other, one write each and without clearing the
 * screen first, so that nothing flickers. The terminal is as before after close(), which runs at the end of the process in any case.
 */
export class Screen {
  readonly #out: WriteStream;
  readonly #keys: ReadStream;
  #isOpen = false;
  #wake: (() => void) | undefined;
  readonly #leave = () => this.close();
  readonly #redraw = () => this.#wake?.();

  /** @param onEnd called at `q` and Ctrl-C */
  constructor(out: WriteStream, keys: ReadStream, onEnd: () => void) {
    this.#out = out;
    this.#keys = keys;
    this.#onKeys = (pressed) => {
      if (['q', 'Q', CTRL_C].some((key) => pressed.includes(key))) onEnd();
      this.#wake?.();
    };
  }

  readonly #onKeys: (pressed: Buffer) => void;

  get width(): number {
    return this.#out.columns;
  }

  open(): void {
    this.#isOpen = true;
    process.on('exit', this.#leave);
    this.#out.on('resize', this.#redraw);
    this.#out.write(ENTER);
    if (!this.#keys.isTTY) return;
    this.#keys.setRawMode(true);
    this.#keys.on('data', this.#onKeys);
    this.#keys.resume();
  }

  /** Draws lines from the top. Those that do not fit are left out, and the last one says so. */
  draw(lines: readonly string[]): void {
    const { rows } = this.#out;
    const more = lines.length - rows;
    const shown = more > 0 ? [...lines.slice(0, rows - 1), `(${more + 1} more lines)`] : lines;
    this.#out.write(`${HOME}${shown.map((line) => line + TO_LINE_END).join('\n')}${TO_SCREEN_END}`);
  }

  /** Waits. A key, another size of the terminal or the abort of the signal ends the wait. */
  async pause(milliseconds: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
      signal.addEventListener('abort', this.#wake, { once: true });
    });
    if (this.#wake) signal.removeEventListener('abort', this.#wake);
    this.#wake = undefined;
  }

  /** Idempotent. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    process.removeListener('exit', this.#leave);
    this.#out.removeListener('resize', this.#redraw);
    if (this.#keys.isTTY) {
      this.#keys.removeListener('data', this.#onKeys);
      this.#keys.setRawMode(false);
      this.#keys.pause();
    }
    this.#out.write(LEAVE);
  }
}
