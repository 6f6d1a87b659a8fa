/** The frame of the page: what is inspected, the tabs, and what is said to a screen reader. */
import type { ComponentType } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { BusView } from '../../src/inspector/wire.js';
import { useAnswer, useLive } from './live.js';
import { Said } from './parts.js';
import { Arenas } from './views/arenas.js';
import { Bus } from './views/bus.js';
import { Counters } from './views/counters.js';
import { Events } from './views/events.js';
import { Memory } from './views/memory.js';
import { Tour } from './views/tour.js';
import { Volume } from './views/volume.js';

/** What every view gets. */
export interface ViewProps {
  bus: BusView;
  /** The device that memory, volume and arenas are about. */
  device: string;
  /** A file to show in the memory map. */
  file: string;
  show: (view: string, what: { device?: string; file?: string }) => void;
}

const VIEWS: readonly { id: string; name: string; view: ComponentType<ViewProps>; isOfDevice: boolean }[] = [
  { id: 'bus', name: 'Bus', view: Bus, isOfDevice: false },
  { id: 'memory', name: 'Memory map', view: Memory, isOfDevice: true },
  { id: 'volume', name: 'Volume', view: Volume, isOfDevice: true },
  { id: 'arenas', name: 'Arenas', view: Arenas, isOfDevice: true },
  { id: 'events', name: 'Events', view: Events, isOfDevice: false },
  { id: 'counters', name: 'Counters', view: Counters, isOfDevice: false },
  { id: 'tour', name: 'Tour', view: Tour, isOfDevice: false },
];

export function App() {
  const live = useLive();
  const { value: bus, error } = useAnswer<BusView>('bus', {}, live.bus);
  const [view, setView] = useState(location.hash.slice(1) || 'bus');
  const [device, setDevice] = useState('');
  const [file, setFile] = useState('');
  const shown = VIEWS.find(({ id }) => id === view) ?? VIEWS[0]!;
  const names = bus?.devices.map(({ name }) => name) ?? [];
  const chosen = names.includes(device)
    ? device
    : (bus?.devices.find(({ mode }) => mode === 'famfs')?.name ?? names[0] ?? '');
  useEffect(() => {
    addEventListener('keydown', focusSearch);
    return () => removeEventListener('keydown', focusSearch);
  }, []);
  useEffect(() => history.replaceState(null, '', `#${shown.id}`), [shown.id]);
  const show: ViewProps['show'] = (to, what) => {
    if (what.device !== undefined) setDevice(what.device);
    setFile(what.file ?? '');
    setView(to);
  };
  return (
    <>
      <header>
        <h1>udax inspector</h1>
        <p class="root" title={bus?.root}>
          {bus?.root ?? ''}
        </p>
        <p class={live.isConnected ? 'state good' : 'state bad'} role="status">
          {live.isConnected ? 'live' : 'not connected'}
        </p>
      </header>
      <Tabs shown={shown.id} select={setView} />
      <main>
        <div id="panel" role="tabpanel" aria-labelledby={`tab-${shown.id}`}>
          {shown.isOfDevice && names.length > 0 && (
            <label class="chooser">
              Device{' '}
              <select value={chosen} onChange={(event) => setDevice(event.currentTarget.value)}>
                {names.map((name) => (
                  <option key={name}>{name}</option>
                ))}
              </select>
            </label>
          )}
          {error && <p class="problem">{error.message}</p>}
          {bus && <shown.view key={chosen} bus={bus} device={chosen} file={file} show={show} />}
        </div>
      </main>
      <Said events={live.events} />
    </>
  );
}

/** `/` goes to the search of the view, unless something is being typed. */
function focusSearch(event: KeyboardEvent): void {
  const isTyping = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
  if (event.key !== '/' || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
  const search = document.querySelector<HTMLInputElement>('.search');
  if (search === null) return;
  event.preventDefault();
  search.focus();
}

function Tabs({ shown, select }: { shown: string; select: (id: string) => void }) {
  const list = useRef<HTMLDivElement>(null);
  const move = (event: KeyboardEvent): void => {
    const at = VIEWS.findIndex(({ id }) => id === shown);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: VIEWS.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = VIEWS[(to + VIEWS.length) % VIEWS.length]!;
    select(next.id);
    list.current?.querySelector<HTMLElement>(`#tab-${next.id}`)?.focus();
  };
  return (
    <div class="tabs" role="tablist" aria-label="Views" ref={list} onKeyDown={move}>
      {VIEWS.map(({ id, name }) => (
        <button
          key={id}
          type="button"
          role="tab"
          id={`tab-${id}`}
          aria-selected={id === shown}
          aria-controls="panel"
          tabIndex={id === shown ? 0 : -1}
          onClick={() => select(id)}
        >
          {name}
        </button>
      ))}
    </div>
  );
}
