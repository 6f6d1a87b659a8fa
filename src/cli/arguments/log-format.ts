import { UsageError } from '../errors.js';
import type { LogFormat } from '../output/log.js';

/** @throws UsageError it is neither text nor json */
export function logFormatArgument(word = 'text'): LogFormat {
  if (word === 'text' || word === 'json') return word;
  throw new UsageError(`--log-format takes text or json, not ${word}`);
}

/** The format that a command line asks for. It is known before the line is parsed, since errors of parsing are told in it too. */
export function logFormatOf(argv: readonly string[]): LogFormat {
  const end = argv.indexOf('--');
  const words = end < 0 ? argv : argv.slice(0, end);
  const at = words.indexOf('--log-format');
  return words.includes('--log-format=json') || (at >= 0 && words[at + 1] === 'json') ? 'json' : 'text';
}
