/** The stream of events: filtered, and stopped for reading. */
import { useState } from 'preact/hooks';
import type { EventLayer, ShownEvent } from '../../../src/inspector/wire.js';
import { count, time } from '../format.js';
import { useLive } from '../live.js';
import { Table } from '../parts.js';

const LAYERS: readonly EventLayer[] = ['machine', 'holders', 'volume', 'process'];
const MOST_SHOWN = 300;

export function Events() {
  const { events } = useLive();
  const [stopped, setStopped] = useState<readonly ShownEvent[] | null>(null);
  const [hidden, setHidden] = useState<readonly EventLayer[]>([]);
  const [text, setText] = useState('');
  const all = stopped ?? events;
  const found = all.filter(
    ({ layer, what, subject, text: words }) =>
      !hidden.includes(layer) && `${what} ${subject} ${words}`.toLowerCase().includes(text.toLowerCase()),
  );
  const toggle = (layer: EventLayer): void =>
    setHidden(hidden.includes(layer) ? hidden.filter((other) => other !== layer) : [...hidden, layer]);
  return (
    <>
      <div class="tools">
        <button
          type="button"
          aria-pressed={stopped !== null}
          onClick={() => setStopped(stopped ? null : events)}
        >
          {stopped ? 'Go on' : 'Pause'}
        </button>
        <input
          type="search"
          class="search"
          placeholder="filter (/)"
          aria-label="Filter the events"
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
        {LAYERS.map((layer) => (
          <label key={layer}>
            <input type="checkbox" checked={!hidden.includes(layer)} onChange={() => toggle(layer)} /> {layer}
          </label>
        ))}
        <span class="quiet">
          {count(found.length)} of {count(all.length)}
          {stopped && `, ${count((events.at(-1)?.seq ?? 0) - (stopped.at(-1)?.seq ?? 0))} since`}
        </span>
      </div>
      <p class="quiet">
        machine, holders, volume: what was seen to change. process: the diagnostics channels of the process
        that serves this page; other processes have their own.
      </p>
      <Table caption="Events, the youngest first" heads={['time', 'layer', 'what', 'of', '']}>
        {found
          .slice(-MOST_SHOWN)
          .reverse()
          .map(({ seq, at, layer, what, subject, text: words }) => (
            <tr key={seq}>
              <td>{time(at)}</td>
              <td>{layer}</td>
              <td>
                <b>{what}</b>
              </td>
              <td class="path">{subject}</td>
              <td>{words}</td>
            </tr>
          ))}
      </Table>
    </>
  );
}
