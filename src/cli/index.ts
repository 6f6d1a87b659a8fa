/**
 * cli/: the command line. It parses, calls the layers below, and prints.
 *
 * - The catalog has everything about a command except its code. The code is loaded when the command runs, so that `udax ls` does
 *   not pay for `udax up`.
 * - Results go to stdout, everything else to stderr. With --json stdout has exactly one JSON document.
 * - Exit status: 0 done, 1 failed, 2 wrong usage (nothing was changed), 130 interrupted.
 * - Arguments are read and checked before anything is opened, so that a bad one changes nothing.
 * - A command closes what it opened in `finally`: volume, then device, then machine.
 */
export { main } from './main.js';
