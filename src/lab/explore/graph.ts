/** The state graph of a small scope, for dot and mermaid. */
import { fail } from '../../libc/index.js';
import type { SearchResult } from './search.js';

export type GraphFormat = 'dot' | 'mermaid';

/** A graph with more states than this is unreadable. */
export const MOST_GRAPH_STATES = 400;

interface Arrow {
  readonly from: number;
  readonly to: number;
  readonly events: readonly string[];
}

/** @throws DaxError EINVAL too many states */
export function drawGraph(result: SearchResult, format: GraphFormat): string {
  const { labels } = result;
  if (labels.length > MOST_GRAPH_STATES)
    fail(
      'EINVAL',
      `${labels.length} states are too many to draw (${MOST_GRAPH_STATES}): ask for less depth or scope`,
    );
  const arrows = joined(result);
  return format === 'dot' ? dot(labels, arrows) : mermaid(labels, arrows);
}

/** Joins all events between two states into one arrow. */
function joined({ edges }: SearchResult): Arrow[] {
  const events = new Map<string, string[]>();
  for (const { from, to, event } of edges) {
    const key = `${from} ${to}`;
    const known = events.get(key);
    if (known === undefined) events.set(key, [event]);
    else known.push(event);
  }
  return [...events].map(([key, texts]) => {
    const [from, to] = key.split(' ').map(Number);
    return { from: from!, to: to!, events: texts };
  });
}

function dot(labels: readonly string[], arrows: readonly Arrow[]): string {
  const quoted = (lines: readonly string[]): string => `"${lines.join('\\n').replaceAll('"', '\\"')}"`;
  return [
    'digraph explore {',
    '  rankdir=LR; node [shape=box, fontsize=10]; edge [fontsize=9];',
    ...labels.map((label, state) => `  s${state} [label=${quoted(label.split('; '))}];`),
    ...arrows.map(({ from, to, events }) => `  s${from} -> s${to} [label=${quoted(events)}];`),
    '}',
  ].join('\n');
}

function mermaid(labels: readonly string[], arrows: readonly Arrow[]): string {
  const quoted = (lines: readonly string[]): string => `"${lines.join('<br>').replaceAll('"', "'")}"`;
  return [
    'flowchart LR',
    ...labels.map((label, state) => `  s${state}[${quoted(label.split('; '))}]`),
    ...arrows.map(({ from, to, events }) => `  s${from} -->|${quoted(events)}| s${to}`),
  ].join('\n');
}
