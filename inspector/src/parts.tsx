/** Small parts that several views have. */
import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { ShownEvent, ShownHolder } from '../../src/inspector/wire.js';

const SAY_MS = 3000;

/** What happens, in words for a screen reader: the latest event, at most every three seconds. */
export function Said({ events }: { events: readonly ShownEvent[] }) {
  const [said, setSaid] = useState('');
  const last = events.at(-1);
  const text = last === undefined ? '' : `${last.what} ${last.subject}: ${last.text}`;
  useEffect(() => {
    const timer = setTimeout(() => setSaid(text), SAY_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <div class="unseen" aria-live="polite">
      {said}
    </div>
  );
}

/** A figure with its name. */
export function Figure({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div class="figure">
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** A table that scrolls by itself, so that the page never gets wider than the window. */
export function Table({
  caption,
  heads,
  children,
}: {
  caption: string;
  heads: readonly string[];
  children: ComponentChildren;
}) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls has to be reachable by keyboard
    <section class="scroll" aria-label={caption} tabIndex={0}>
      <table>
        <caption>{caption}</caption>
        <thead>
          <tr>
            {heads.map((head) => (
              <th key={head} scope="col">
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </section>
  );
}

/** A bar of parts of one whole; the rest is free. */
export function Bar({
  parts,
  whole,
}: {
  parts: readonly { name: string; value: number; class: string }[];
  whole: number;
}) {
  const text = parts.map(({ name, value }) => `${name} ${((value / whole) * 100).toFixed(1)} %`).join(', ');
  return (
    <div class="bar" role="img" aria-label={text}>
      {parts.map(({ name, value, class: kind }) => (
        <span key={name} class={kind} style={{ width: `${(value / whole) * 100}%` }} title={name} />
      ))}
    </div>
  );
}

export function Holders({ holders }: { holders: readonly ShownHolder[] }) {
  if (holders.length === 0) return <p class="quiet">nobody has it open</p>;
  return (
    <ul class="holders">
      {holders.map(({ pid, startTime, command, purpose }) => (
        <li key={`${pid} ${startTime} ${purpose}`}>
          <b>pid {pid}</b> {command} <i>{purpose}</i>
        </li>
      ))}
    </ul>
  );
}
