import { once } from 'node:events';
import { request } from 'node:http';
import { expect } from 'vitest';

const SUFFIXES = { gauge: [''], counter: ['_total'], histogram: ['_bucket', '_count', '_sum'] } as const;

/** Values by name and labels, as the text has them. */
export type Samples = Map<string, number>;

/** Reads OpenMetrics text as its ABNF has it, and no more than that. */
export function parse(text: string): Samples {
  const samples: Samples = new Map();
  expect(text.endsWith('\n# EOF\n')).toBe(true);
  let family = { name: '', type: '', lines: [] as string[] };
  const seen = new Set<string>();
  for (const line of text.slice(0, -'# EOF\n'.length).split('\n').slice(0, -1)) {
    const [, kind, name, rest] = /^# (TYPE|UNIT|HELP) ([a-z_][a-z0-9_]*) (.+)$/.exec(line) ?? [];
    if (kind === 'TYPE') {
      expect(seen.has(name!), `${name} twice`).toBe(false);
      seen.add(name!);
      expect(['gauge', 'counter', 'histogram']).toContain(rest);
      family = { name: name!, type: rest!, lines: [] };
    } else if (kind !== undefined) {
      expect(name).toBe(family.name);
      expect(family.lines).toEqual([]);
      if (kind === 'UNIT') expect(name!.endsWith(`_${rest}`)).toBe(true);
      if (kind === 'HELP') expect(rest).not.toMatch(/(?<!\\)"/);
    } else {
      const label = '[a-z_]+="(?:[^"\\\\\\n]|\\\\[\\\\"n])*"';
      const sample = new RegExp(
        `^([a-z_]+)(\\{${label}(?:,${label})*\\})? (-?\\d+(?:\\.\\d+)?(?:e[+-]?\\d+)?)$`,
      ).exec(line);
      expect(sample, line).not.toBeNull();
      const suffixes = SUFFIXES[family.type as keyof typeof SUFFIXES];
      expect(suffixes.map((suffix) => `${family.name}${suffix}`)).toContain(sample![1]);
      const key = `${sample![1]}${sample![2] ?? ''}`;
      expect(samples.has(key), `${key} twice`).toBe(false);
      samples.set(key, Number(sample![3]));
      family.lines.push(line);
    }
  }
  return samples;
}

/** Asks a server of metrics at the address that udax tells. */
export async function askMetrics(
  address: string,
  path = '/metrics',
  method = 'GET',
): Promise<{ status: number; type: string; text: string }> {
  const sent = request({ ...placeOf(address), path, method }).end();
  const [response] = await once(sent, 'response');
  let text = '';
  for await (const piece of response) text += piece;
  return { status: response.statusCode, type: response.headers['content-type'], text };
}

function placeOf(address: string) {
  if (address.startsWith('unix:')) return { socketPath: address.slice('unix:'.length) };
  const { hostname: host, port } = new URL(address);
  return { host, port };
}
