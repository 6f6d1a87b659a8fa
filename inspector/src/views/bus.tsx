/** The bus: regions with their devices, drivers, who has them open; and the change of a mode. */
import { useState } from 'preact/hooks';
import {
  type BusDevice,
  type BusRegion,
  type BusView,
  MODES,
  type ModeCheck,
  type ShownMode,
} from '../../../src/inspector/wire.js';
import { ApiError, part, post } from '../api.js';
import type { ViewProps } from '../app.js';
import { bytes, hex } from '../format.js';
import { useAnswer, useLive } from '../live.js';
import { Figure, Holders, Table } from '../parts.js';

export function Bus({ bus, show }: ViewProps) {
  if (bus.regions.length === 0)
    return <p class="quiet">This machine has no region yet: it has no memory to show.</p>;
  return (
    <>
      <p class="quiet">
        Modules: {bus.modules.join(', ') || 'none'}
        {bus.generation !== null && `; change number ${bus.generation}`}
        {bus.readOnly !== null && `; ${bus.readOnly}`}
      </p>
      {bus.regions.map((region) => (
        <Region key={region.id} region={region} bus={bus} show={show} />
      ))}
      <Mounts bus={bus} />
    </>
  );
}

function Region({ region, bus, show }: { region: BusRegion; bus: BusView; show: ViewProps['show'] }) {
  const { id, size, availableSize, backing, targetNode, align } = region;
  const devices = bus.devices.filter((device) => device.region === id);
  return (
    <section class="region">
      <h2>
        Region {id} <small>{region.static ? 'static' : 'dynamic'}</small>
      </h2>
      <dl class="figures">
        <Figure name="size">{bytes(size)}</Figure>
        <Figure name="without a device">{bytes(availableSize)}</Figure>
        <Figure name="align">{bytes(align)}</Figure>
        <Figure name="node">{targetNode}</Figure>
        {backing && (
          <Figure name={`memory (${backing.kind})`}>
            <span class="path">{backing.path}</span>
            {backing.problem !== undefined && <b class="problem"> {backing.problem}</b>}
          </Figure>
        )}
      </dl>
      <div class="devices">
        {devices.map((device) => (
          <Device key={device.name} device={device} show={show} />
        ))}
      </div>
    </section>
  );
}

function Device({ device, show }: { device: BusDevice; show: ViewProps['show'] }) {
  const { name, size, mode, driver, state, ranges, holders, poison } = device;
  const bad = poison.reduce((sum, { length }) => sum + length, 0);
  return (
    <article class={`device mode-${state === 'disabled' ? 'none' : mode}`} aria-label={name}>
      <h3>
        {name} <small>{bytes(size)}</small>
      </h3>
      <p class="driver">
        <span class="driver-name">{driver ?? 'no driver'}</span>{' '}
        {state === 'disabled' ? 'disabled' : `${mode} mode`}
      </p>
      {ranges.map(({ start, end }) => (
        <p class="quiet path" key={start}>
          {hex(start)} .. {hex(end)}
        </p>
      ))}
      {bad > 0 && <p class="problem">{bytes(bad)} of it have failed</p>}
      <Holders holders={holders} />
      <p class="actions">
        <button type="button" onClick={() => show('memory', { device: name })}>
          Memory map
        </button>
        {mode === 'famfs' && (
          <button type="button" onClick={() => show('volume', { device: name })}>
            Volume
          </button>
        )}
      </p>
      <ModeChange device={device} />
    </article>
  );
}

/** Asks what would happen before the button can be pressed. */
function ModeChange({ device: { name, mode } }: { device: BusDevice }) {
  const live = useLive();
  const [to, setTo] = useState<ShownMode | ''>('');
  const [outcome, setOutcome] = useState('');
  const path = to === '' ? null : `devices/${part(name)}/mode`;
  const { value: check, error } = useAnswer<ModeCheck>(path, { to }, live.bus);
  const about = check?.mode === to ? check : null;
  const change = async (): Promise<void> => {
    try {
      await post(`devices/${part(name)}/mode`, { mode: to });
      setOutcome(`${name} is in ${to} mode now`);
      setTo('');
    } catch (failure) {
      if (!(failure instanceof ApiError)) throw failure;
      setOutcome(`${failure.code}: ${failure.message}`);
    }
  };
  return (
    <div class="mode-change">
      <label>
        Put it into{' '}
        <select
          value={to}
          aria-label={`New mode of ${name}`}
          onChange={(event) => {
            setTo(event.currentTarget.value as ShownMode | '');
            setOutcome('');
          }}
        >
          <option value="">another mode...</option>
          {MODES.filter((other) => other !== mode).map((other) => (
            <option key={other}>{other}</option>
          ))}
        </select>
      </label>
      {to !== '' && about && (
        <>
          <p>{about.consequence}.</p>
          {about.refusal ? (
            <p class="problem" role="alert">
              It would be refused ({about.refusal.code}): {about.refusal.message}.
            </p>
          ) : (
            <button type="button" class="risky" onClick={() => void change()}>
              Change {name} to {to}
            </button>
          )}
        </>
      )}
      {error && <p class="problem">{error.message}</p>}
      {outcome !== '' && <p role="status">{outcome}</p>}
    </div>
  );
}

function Mounts({ bus: { mounts } }: { bus: BusView }) {
  if (mounts.length === 0) return null;
  return (
    <Table caption="Mounts of this host" heads={['where', 'what', 'state', 'pid']}>
      {mounts.map(({ mountpoint, what, state, pid }) => (
        <tr key={`${mountpoint} ${pid}`}>
          <td class="path">{mountpoint}</td>
          <td class="path">{what}</td>
          <td>{state}</td>
          <td>{pid ?? '-'}</td>
        </tr>
      ))}
    </Table>
  );
}
