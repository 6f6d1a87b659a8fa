/** Arenas of a volume, and the objects in one. */
import { useState } from 'preact/hooks';
import type { ArenaView } from '../../../src/inspector/wire.js';
import { part } from '../api.js';
import type { ViewProps } from '../app.js';
import { bytes, count, time } from '../format.js';
import { useAnswer, useLive } from '../live.js';
import { Bar, Figure, Table } from '../parts.js';

export function Arenas({ device, show }: ViewProps) {
  const live = useLive();
  const { value: paths, error } = useAnswer<string[]>(`volumes/${part(device)}/arenas`, {}, live.volumes);
  const [chosen, setChosen] = useState('');
  if (!paths) return error ? <p class="problem">{error.message}</p> : null;
  if (paths.length === 0) return <p class="quiet">No file of {device} is an arena.</p>;
  const path = paths.includes(chosen) ? chosen : paths[0]!;
  return (
    <>
      <label class="chooser">
        Arena{' '}
        <select value={path} onChange={(event) => setChosen(event.currentTarget.value)}>
          {paths.map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
      </label>{' '}
      <button type="button" onClick={() => show('memory', { device, file: path })}>
        Show it in the memory map
      </button>
      <Arena key={path} device={device} path={path} />
    </>
  );
}

function Arena({ device, path }: { device: string; path: string }) {
  const [prefix, setPrefix] = useState('');
  const [looks, setLooks] = useState(0);
  const { value: arena, error } = useAnswer<ArenaView>(
    `volumes/${part(device)}/arena`,
    { path, prefix },
    looks,
  );
  return (
    <section>
      {error && <p class="problem">{error.message}</p>}
      <div class="tools">
        <input
          type="search"
          class="search"
          placeholder="keys that begin with (/)"
          aria-label="Keys that begin with"
          value={prefix}
          onInput={(event) => setPrefix(event.currentTarget.value)}
        />
        <button type="button" onClick={() => setLooks(looks + 1)}>
          Look again
        </button>
      </div>
      {arena && <Content arena={arena} />}
    </section>
  );
}

function Content({ arena }: { arena: ArenaView }) {
  const { heap, used, reserved, limbo, free, slots, eviction, members, objects, isCut } = arena;
  return (
    <>
      <Bar
        whole={heap}
        parts={[
          { name: 'objects', value: used, class: 'kind-file' },
          { name: 'reserved', value: reserved, class: 'kind-settling' },
          { name: 'deleted but pinned', value: limbo, class: 'kind-removed' },
        ]}
      />
      <dl class="figures">
        <Figure name="space">{bytes(heap)}</Figure>
        <Figure name="objects">{bytes(used)}</Figure>
        <Figure name="reserved">{bytes(reserved)}</Figure>
        <Figure name="deleted but pinned">{bytes(limbo)}</Figure>
        <Figure name="free">{bytes(free)}</Figure>
        <Figure name="slots">{count(slots)}</Figure>
        <Figure name="eviction">{eviction}</Figure>
        <Figure name="members">
          {members.map(({ host, pid, pins }) => `pid ${pid} of host ${host} (${pins} pins)`).join(', ') ||
            'none'}
        </Figure>
      </dl>
      <Table
        caption={isCut ? `The first ${count(objects.length)} objects` : `${count(objects.length)} objects`}
        heads={['key', 'size', 'at byte', 'pins', 'generation', 'age', 'expires']}
      >
        {objects.map(({ name, size, position, pins, reference, sequence, expires }) => (
          <tr key={reference}>
            <td class="path">{name}</td>
            <td>{bytes(size)}</td>
            <td>{count(position)}</td>
            <td>{pins || ''}</td>
            <td>{reference}</td>
            <td>commit {count(sequence)}</td>
            <td>{expires === null ? '' : time(expires)}</td>
          </tr>
        ))}
      </Table>
    </>
  );
}
