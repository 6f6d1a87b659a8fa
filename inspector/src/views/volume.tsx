/** A volume: figures, names, log, fsck. */
import { useState } from 'preact/hooks';
import type { FsckView, LogItem, TreeItem, TreeView, VolumeView } from '../../../src/inspector/wire.js';
import { ApiError, get, part } from '../api.js';
import type { ViewProps } from '../app.js';
import { bytes, count, octal, percent } from '../format.js';
import { useAnswer, useLive } from '../live.js';
import { Bar, Figure, Holders, Table } from '../parts.js';

export function Volume({ device, show }: ViewProps) {
  const live = useLive();
  const { value: volume, error } = useAnswer<VolumeView>(`volumes/${part(device)}`, {}, live.volumes);
  if (!volume) return error ? <p class="problem">{error.message}</p> : null;
  return (
    <>
      {error && <p class="problem">{error.message}</p>}
      <Space volume={volume} />
      {volume.problems.map(({ code, message }) => (
        <p class="problem" key={message}>
          {code}: {message}
        </p>
      ))}
      <Fsck device={device} />
      <div class="columns">
        <Tree device={device} version={live.volumes} show={show} />
        <Log device={device} version={live.volumes} volume={volume} />
      </div>
      <h2>Who has it open</h2>
      <Holders holders={volume.holders} />
      <p class="quiet path">
        Owner: host {volume.owner}; this host is its {volume.role}. File system {volume.uuid}.
      </p>
    </>
  );
}

function Space({ volume: { space, fragments, allocUnit, logBytes } }: { volume: VolumeView }) {
  const files = space.used - space.metadata - space.reserved - space.reclaimable;
  return (
    <section>
      <Bar
        whole={space.size}
        parts={[
          { name: 'superblock and log', value: space.metadata, class: 'kind-metadata' },
          { name: 'files', value: files, class: 'kind-file' },
          { name: 'removed', value: space.reclaimable, class: 'kind-removed' },
          { name: 'in the making', value: space.reserved, class: 'kind-settling' },
        ]}
      />
      <dl class="figures">
        <Figure name="size">{bytes(space.size)}</Figure>
        <Figure name="free">
          {bytes(space.free)} ({percent(space.free, space.size)})
        </Figure>
        <Figure name="files">{count(space.files)}</Figure>
        <Figure name="directories">{count(space.directories)}</Figure>
        <Figure name="bytes of files">{bytes(space.fileBytes)}</Figure>
        <Figure name="lost to rounding">{bytes(space.lostToRounding)}</Figure>
        <Figure name="removed, not given back">{bytes(space.reclaimable)}</Figure>
        <Figure name="in the making">{bytes(space.reserved)}</Figure>
        <Figure name="unit">{bytes(allocUnit)}</Figure>
        <Figure name="longest free run">
          {bytes(fragments.longestFree)}, {count(fragments.freeRuns)} runs
        </Figure>
        <Figure name="files in pieces">{count(fragments.filesInPieces)}</Figure>
        <Figure name="log">
          {count(space.logUsed)} of {count(space.logSlots)} slots ({percent(space.logUsed, space.logSlots)} of{' '}
          {bytes(logBytes)})
        </Figure>
        <Figure name="annex">{count(space.annexRecords)} records</Figure>
      </dl>
    </section>
  );
}

function Fsck({ device }: { device: string }) {
  const [report, setReport] = useState<FsckView | string | null>(null);
  const check = async (): Promise<void> => {
    setReport('checking...');
    try {
      setReport(await get<FsckView>(`volumes/${part(device)}/fsck`));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setReport(error.message);
    }
  };
  return (
    <section class="fsck">
      <button type="button" onClick={() => void check()}>
        Check it (fsck)
      </button>{' '}
      <span role="status">
        {typeof report === 'string' && report}
        {report !== null && typeof report === 'object' && summary(report)}
      </span>
      {report !== null && typeof report === 'object' && (
        <ul>
          {[...report.errors, ...report.notes].map(({ code, message }) => (
            <li key={message}>
              <b>{code}</b> {message}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function summary({ ok, errors, notes, milliseconds }: FsckView): string {
  const verdict = ok ? 'sound' : `${errors.length} errors`;
  return `${verdict}, ${notes.length} notes, in ${milliseconds.toFixed(0)} ms`;
}

function Tree({ device, version, show }: { device: string; version: number; show: ViewProps['show'] }) {
  const [path, setPath] = useState('/');
  const [from, setFrom] = useState(0);
  const go = (to: string): void => {
    setPath(to);
    setFrom(0);
  };
  const { value, error } = useAnswer<TreeView>(`volumes/${part(device)}/tree`, { path, from }, version);
  const items = value?.path === path ? value.items : [];
  return (
    <section>
      <h2>Names</h2>
      <p>
        <button type="button" disabled={path === '/'} onClick={() => go(path.replace(/\/[^/]*$/, '') || '/')}>
          Up
        </button>{' '}
        <span class="path">{path}</span>
      </p>
      {error && <p class="problem">{error.message}</p>}
      <Table caption={`In ${path}`} heads={['name', 'size', 'in units', 'extents', 'mode']}>
        {items.map((item) => (
          <Row key={item.name} item={item} open={() => open(item)} />
        ))}
      </Table>
      {value && value.total > items.length && (
        <p>
          {count(from + 1)} to {count(from + items.length)} of {count(value.total)}{' '}
          <button type="button" disabled={from === 0} onClick={() => setFrom(Math.max(0, from - 1000))}>
            Before
          </button>{' '}
          <button
            type="button"
            disabled={from + items.length >= value.total}
            onClick={() => setFrom(from + 1000)}
          >
            More
          </button>
        </p>
      )}
    </section>
  );
  function open({ type, path: to }: TreeItem): void {
    if (type === 'directory') go(to);
    else show('memory', { device, file: to });
  }
}

function Row({ item, open }: { item: TreeItem; open: () => void }) {
  const { name, type, size, capacity, extents, mode } = item;
  return (
    <tr>
      <td class="path">
        {type === 'symlink' ? (
          `${name} (symbolic link)`
        ) : (
          <button type="button" class="link" onClick={open}>
            {name}
            {type === 'directory' ? '/' : ''}
          </button>
        )}
      </td>
      <td>{type === 'directory' ? '' : bytes(size)}</td>
      <td>{capacity === 0 ? '' : bytes(capacity)}</td>
      <td>{extents || ''}</td>
      <td>{octal(mode)}</td>
    </tr>
  );
}

function Log({ device, version, volume }: { device: string; version: number; volume: VolumeView }) {
  const [before, setBefore] = useState(Number.MAX_SAFE_INTEGER);
  const { value } = useAnswer<LogItem[]>(`volumes/${part(device)}/log`, { before, count: 100 }, version);
  const items = value ?? [];
  const oldest = items.at(-1)?.index ?? 0;
  const { logUsed, logSlots } = volume.space;
  return (
    <section>
      <h2>Log</h2>
      <Bar whole={logSlots} parts={[{ name: 'slots in use', value: logUsed, class: 'kind-metadata' }]} />
      <p>
        {count(logUsed)} of {count(logSlots)} slots{' '}
        <button type="button" disabled={oldest === 0} onClick={() => setBefore(oldest)}>
          Older
        </button>{' '}
        <button
          type="button"
          disabled={before === Number.MAX_SAFE_INTEGER}
          onClick={() => setBefore(Number.MAX_SAFE_INTEGER)}
        >
          Youngest
        </button>
      </p>
      <Table caption="Entries, the youngest first" heads={['entry', 'kind', 'path', 'size', 'extents']}>
        {items.map(({ index, kind, path, size, extents, isRemoved }) => (
          <tr key={index}>
            <td>{index}</td>
            <td>{isRemoved ? `${kind}, removed` : kind}</td>
            <td class="path">{path}</td>
            <td>{kind === 'mkdir' ? '' : bytes(size)}</td>
            <td>{extents || ''}</td>
          </tr>
        ))}
      </Table>
    </section>
  );
}
