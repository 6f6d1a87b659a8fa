/**
 * cli/: the command line. Parses, calls the layers below, prints.
 *
 * - The catalog says everything about a command but its code; the code is loaded when it runs, so that
 *   `udax ls` does not pay for `udax up`.
 * - Results go to stdout, everything else to stderr. With --json stdout holds exactly one JSON document.
 * - Exit status: 0 done, 1 failed, 2 wrong usage (nothing was touched), 130 interrupted.
 * - Arguments are read and checked before anything is opened, so that a bad one changes nothing.
 * - What a command opens it closes in `finally`, volume before device before machine.
 */
export { main } from './main.js';
