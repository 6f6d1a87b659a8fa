/** Seeded choices, the same on every machine (xorshift over 32 bits). */
export class Random {
  #state: number;

  constructor(seed: number) {
    // Neighbouring seeds must differ from the first number on.
    let mixed = (seed ^ 0x9e3779b9) >>> 0;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    this.#state = (mixed ^ (mixed >>> 16)) >>> 0 || 1;
  }

  u32(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x >>> 0;
    return this.#state;
  }

  /** 0 ... below - 1 */
  below(below: number): number {
    return this.u32() % below;
  }

  /** True once in `times`. */
  once(times: number): boolean {
    return this.below(times) === 0;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }
}

const U64 = 2n ** 64n;
const EDGES = [
  0n,
  1n,
  2n,
  7n,
  8n,
  15n,
  16n,
  17n,
  63n,
  64n,
  79n,
  80n,
  4095n,
  4096n,
  4097n,
  2n ** 16n,
  2n ** 21n - 1n,
  2n ** 21n,
  2n ** 21n + 1n,
  10n * 2n ** 20n,
  2n ** 25n,
  2n ** 26n,
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 33n,
  2n ** 40n,
  2n ** 52n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 62n,
  2n ** 63n - 1n,
  2n ** 63n,
  U64 - 1n,
  U64 - 4096n,
  U64 - 2n ** 21n,
];

/** A number that is likely to cause trouble: near the current one or near an edge. */
export function nasty(random: Random, now: bigint): bigint {
  switch (random.below(8)) {
    case 0:
      return (now + 1n) % U64;
    case 1:
      return (now + U64 - 1n) % U64;
    case 2:
      return now ^ (1n << BigInt(random.below(64)));
    case 3:
      return (now * 2n) % U64;
    case 4:
      return BigInt(random.u32());
    case 5:
      return BigInt(random.below(64)) * 2n ** 21n;
    default:
      return random.pick(EDGES);
  }
}

const NAMES = [
  '',
  '.',
  '..',
  '/',
  '//',
  '/etc/passwd',
  '../../../../tmp/udax-escaped',
  'a/../../b',
  'd/./a',
  'd//a',
  'd/',
  'a\0b',
  '\0',
  'a\nb',
  '\x1b[31mred',
  '\u202egnp.exe',
  '-rf',
  '~',
  '$(id)',
  '%s%n',
  'con',
  'a'.repeat(79),
  'a'.repeat(80),
  'a/'.repeat(39),
  '\xff\xfe',
  '\ud800',
  'd/a/b',
  'a/b/c/d/e/f/g',
  '.meta/.log',
  '.udax',
  '__proto__',
  'constructor',
  'toString',
  'd/__proto__/x',
  'hasOwnProperty',
  'e\u0301',
  '\u00e9',
  ' ',
  ' a',
  'a ',
  '*',
  '?',
  '\\',
  '\\..\\x',
  'nul\tl',
];

export function nastyName(random: Random): Buffer {
  if (random.once(6)) {
    const bytes = Buffer.alloc(random.below(90));
    for (let i = 0; i < bytes.length; i++) bytes[i] = random.u32();
    return bytes;
  }
  if (random.once(4)) return Buffer.from(`${random.pick(NAMES)}/${random.pick(NAMES)}`);
  return Buffer.from(random.pick(NAMES), random.once(10) ? 'latin1' : 'utf8');
}

/** Text that was changed: a piece cut, doubled or replaced, or a digit changed. */
export function nastyText(random: Random, text: string): string {
  const at = random.below(text.length + 1);
  const to = Math.min(text.length, at + random.below(12));
  switch (random.below(8)) {
    case 0:
      return text.slice(0, at) + text.slice(to);
    case 1:
      return text.slice(0, to) + text.slice(at);
    case 2:
      return text.slice(0, at);
    case 3:
      return text.slice(0, at) + nastyName(random).toString('latin1') + text.slice(to);
    case 4:
      return text.replace(/\d+/g, (digits) =>
        random.once(4) ? String(nasty(random, BigInt(digits.slice(0, 19)))) : digits,
      );
    case 5:
      return (
        text.slice(0, at) +
        String.fromCharCode(random.once(2) ? random.below(128) : random.below(65536)) +
        text.slice(at)
      );
    case 6:
      return text.slice(0, at) + text.slice(at, to).repeat(1 + random.below(40)) + text.slice(to);
    default:
      return (
        text.slice(0, at) +
        random.pick([
          '-1',
          '1e308',
          '0x10',
          'null',
          'true',
          '[]',
          '{}',
          '""',
          '- ',
          ': ',
          '\t',
          '\n',
          '&a',
          '*a',
          '!!x',
          '|',
          '>',
          '#',
          '%',
          "'",
        ]) +
        text.slice(to)
      );
  }
}
