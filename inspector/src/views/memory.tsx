/** The memory map of a device, with search, zoom and what is at a place. */
import { useCallback, useEffect, useMemo, useState } from 'preact/hooks';
import { CELL_KINDS, type FileView, type MapView, type PlaceView } from '../../../src/inspector/wire.js';
import { part } from '../api.js';
import type { ViewProps } from '../app.js';
import { bytes, count, hex } from '../format.js';
import { useAnswer, useLive } from '../live.js';
import { MapCanvas } from '../map/canvas.js';
import { around, onDevice, type Range, zoomed } from '../map/range.js';

const POINT_MS = 40;
const WORDS: Readonly<Record<(typeof CELL_KINDS)[number], string>> = {
  free: 'free',
  metadata: 'superblock and log',
  file: 'files (a colour each)',
  several: 'several files',
  removed: 'removed, not given back yet',
  settling: 'being made (locked)',
  slack: 'behind the end of its file',
  poison: 'failed memory',
  raw: 'no file system here',
};
const NO_EXTENTS: readonly { offset: number; length: number }[] = [];

export function Memory({ bus, device, file, show }: ViewProps) {
  const size = bus.devices.find(({ name }) => name === device)?.size ?? 0;
  const live = useLive();
  const [range, setRange] = useState<Range>({ from: 0, to: size });
  const [cells, setCells] = useState(0);
  const [cursor, setCursor] = useState(0);
  const [offset, setOffset] = useState(0);
  const select = (at: number): void => {
    setCursor(at);
    setOffset(at);
  };
  const map = useAnswer<MapView>(
    cells === 0 || size === 0 ? null : `devices/${part(device)}/map`,
    { ...range, cells },
    live.volumes,
  );
  const chosen = useAnswer<FileView>(
    file === '' ? null : `volumes/${part(device)}/file`,
    { path: file },
    live.volumes,
  ).value;
  const extents = useMemo(
    () => chosen?.extents.filter(({ devindex }) => devindex === 0) ?? NO_EXTENTS,
    [chosen],
  );
  // Jumps when another file was chosen, not when the same one is read again.
  useEffect(() => {
    if (extents.length > 0) {
      setRange(around(extents, size));
      select(extents[0]!.offset);
    }
  }, [chosen?.path]);
  const zoom = (factor: number): void => setRange(zoomed(range, factor, cursor, size));
  return (
    <>
      <div class="tools">
        <FileSearch device={device} choose={(path) => show('memory', { device, file: path })} />
        <button type="button" onClick={() => zoom(1 / 4)} aria-label="Zoom in">
          +
        </button>
        <button type="button" onClick={() => zoom(4)} aria-label="Zoom out">
          -
        </button>
        <button type="button" onClick={() => setRange(onDevice({ from: 0, to: size }, size))}>
          Whole device
        </button>
        <span class="quiet range">
          {bytes(range.from)} to {bytes(range.to)} of {bytes(size)}; a cell is{' '}
          {bytes(map.value?.cellBytes ?? 0)}
        </span>
      </div>
      {(map.error || map.value?.problem) && (
        <p class="problem">{map.error?.message ?? `No files are shown: ${map.value?.problem}`}</p>
      )}
      <MapCanvas
        view={map.value}
        range={range}
        size={size}
        extents={extents}
        setRange={setRange}
        setCells={setCells}
        cursor={cursor}
        select={select}
        point={setOffset}
        enter={(at) => setRange(zoomed(range, 1 / 16, at, size))}
      />
      <p id="map-help" class="quiet">
        Arrows move, + and - zoom, Enter goes in, Home shows all, Page Up and Down scroll, / searches. A mark
        in a corner: a process has it mapped.
      </p>
      <Place device={device} offset={offset} version={live.volumes} show={show} chosen={chosen} />
      <Legend />
    </>
  );
}

function FileSearch({ device, choose }: { device: string; choose: (path: string) => void }) {
  const [text, setText] = useState('');
  const { value } = useAnswer<string[]>(text === '' ? null : `volumes/${part(device)}/search`, { q: text });
  const found = value ?? [];
  return (
    <form
      class="finder"
      onSubmit={(event) => {
        event.preventDefault();
        const path = found.includes(text) ? text : found[0];
        if (path !== undefined) choose(path);
      }}
    >
      <input
        type="search"
        class="search"
        list="found"
        placeholder="find a file (/)"
        aria-label="Find a file"
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
      />
      <datalist id="found">
        {found.map((path) => (
          <option key={path} value={path} />
        ))}
      </datalist>
      <button type="submit">Find</button>
    </form>
  );
}

/** What is at a byte, asked when the pointer rests. */
function Place({
  device,
  offset,
  version,
  show,
  chosen,
}: {
  device: string;
  offset: number;
  version: number;
  show: ViewProps['show'];
  chosen: FileView | null;
}) {
  const [asked, setAsked] = useState(offset);
  const later = useCallback(() => setAsked(offset), [offset]);
  useEffect(() => {
    const timer = setTimeout(later, POINT_MS);
    return () => clearTimeout(timer);
  }, [later]);
  const { value: place } = useAnswer<PlaceView>(`devices/${part(device)}/at`, { offset: asked }, version);
  return (
    <div class="place">
      <p id="place" role="status">
        {place ? textOf(place) : ' '}
      </p>
      <p>
        {place?.path != null && (
          <button type="button" onClick={() => show('memory', { device, file: place.path! })}>
            Show all of {place.path}
          </button>
        )}{' '}
        {chosen &&
          `Chosen: ${chosen.path}, ${bytes(chosen.size)} in ${chosen.extents.length} ${
            chosen.type === 'interleaved' ? `strips of ${bytes(chosen.chunkSize ?? 0)} chunks` : 'extents'
          }`}
      </p>
    </div>
  );
}

function textOf({
  offset,
  kind,
  path,
  size,
  fileOffset,
  extents,
  strips,
  mappings,
  folio,
}: PlaceView): string {
  const parts = [`${hex(offset)} (${bytes(offset)}): ${path ?? WORDS[kind]}`];
  if (path !== null && fileOffset !== null)
    parts.push(
      fileOffset < size
        ? `byte ${count(fileOffset)} of ${count(size)}`
        : `behind its end (${count(size)} bytes)`,
      strips > 0 ? `${strips} strips` : `${extents} ${extents === 1 ? 'extent' : 'extents'}`,
    );
  if (mappings.length > 0)
    parts.push(
      `mapped by ${mappings.map(({ pid, isWritable }) => `pid ${pid}${isWritable ? ' (writable)' : ''}`).join(', ')}`,
    );
  if (folio !== null)
    parts.push(
      `folio of order ${folio.order}, ${folio.references} references in this process${folio.isMapped ? ', mapped' : ''}${
        folio.isPoisoned ? ', failed' : ''
      }`,
    );
  return parts.join('; ');
}

function Legend() {
  return (
    <ul class="legend" aria-label="Colours">
      {CELL_KINDS.map((kind) => (
        <li key={kind}>
          <span class={`swatch kind-${kind}`} /> {WORDS[kind]}
        </li>
      ))}
    </ul>
  );
}
