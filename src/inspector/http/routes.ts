/** What each path of the API answers. */
import { fail } from '../../libc/index.js';
import type { Inspected } from '../inspected.js';
import { arenaOf, arenasOf } from '../views/arena.js';
import { busOf, checkMode, modeArgument } from '../views/bus.js';
import { mapOf, placeOf } from '../views/memory-map.js';
import { tourOfEvents, toursOf } from '../views/tour.js';
import { fileOf, fsckOf, logOf, searchOf, treeOf, volumeOf } from '../views/volume.js';

/** What a route gets: the name in its path (a device, a mutant), and the query. */
interface Request {
  readonly name: string;
  readonly query: URLSearchParams;
}
type Get = (inspected: Inspected, request: Request) => unknown;

const GETS: Readonly<Record<string, Get>> = {
  bus: async (inspected) => busOf(inspected.machine, await inspected.mounts(), inspected.readOnly),
  counters: ({ counters }) => counters.samples,
  tours: () => toursOf(),
  'tours/*': ({ tours }, { name }) => tours.of(name),
  'tours/*/events': (_inspected, { name, query }) => tourOfEvents(name, query.get('events') ?? ''),
  'devices/*/map': ({ machine, volumes }, { name, query }) =>
    mapOf(machine, volumes, name, {
      from: wholeNumber(query, 'from', 0),
      to: wholeNumber(query, 'to', Number.MAX_SAFE_INTEGER),
      cells: wholeNumber(query, 'cells', 4096),
    }),
  'devices/*/at': ({ machine, volumes }, { name, query }) =>
    placeOf(machine, volumes, name, wholeNumber(query, 'offset', 0)),
  'devices/*/mode': ({ machine, readOnly }, { name, query }) =>
    checkMode(machine, name, modeArgument(query.get('to')), readOnly),
  'volumes/*': ({ machine, volumes }, { name }) => volumeOf(name, volumes.of(name), machine.holders(name)),
  'volumes/*/tree': ({ volumes }, { name, query }) =>
    treeOf(volumes.of(name), query.get('path') ?? '/', wholeNumber(query, 'from', 0)),
  'volumes/*/file': ({ volumes }, { name, query }) => fileOf(volumes.of(name), query.get('path') ?? ''),
  'volumes/*/search': ({ volumes }, { name, query }) => searchOf(volumes.of(name), query.get('q') ?? ''),
  'volumes/*/log': ({ volumes }, { name, query }) =>
    logOf(
      volumes.of(name),
      wholeNumber(query, 'before', Number.MAX_SAFE_INTEGER),
      wholeNumber(query, 'count', 100),
    ),
  'volumes/*/fsck': ({ volumes }, { name }) => fsckOf(volumes.of(name)),
  'volumes/*/arenas': ({ volumes }, { name }) => arenasOf(volumes.of(name)),
  'volumes/*/arena': ({ machine }, { name, query }) =>
    arenaOf(machine, name, query.get('path') ?? '', query.get('prefix') ?? ''),
};

/** Finds what answers a GET of these parts behind `/api`. */
export function getRoute(
  parts: readonly string[],
): ((inspected: Inspected, query: URLSearchParams) => unknown) | null {
  const [first = '', name, ...rest] = parts;
  const pattern = [first, ...(name === undefined ? [] : ['*']), ...rest].join('/');
  const get = Object.hasOwn(GETS, pattern) ? GETS[pattern] : undefined;
  return get === undefined ? null : (inspected, query) => get(inspected, { name: name ?? '', query });
}

/**
 * The one change there is: `devices/NAME/mode` with `{ mode, force }`.
 * @throws DaxError ENOENT no such change; EROFS; EINVAL; as Machine.reconfigure()
 */
export function change(
  { machine, readOnly }: Inspected,
  parts: readonly string[],
  body: Record<string, unknown>,
): unknown {
  const [first, name = '', what, ...more] = parts;
  if (first !== 'devices' || what !== 'mode' || more.length > 0) fail('ENOENT', 'there is no such change');
  if (readOnly !== null) fail('EROFS', readOnly);
  return machine.reconfigure(name, modeArgument(body.mode), { force: body.force === true });
}

/** @throws DaxError EINVAL */
function wholeNumber(query: URLSearchParams, name: string, otherwise: number): number {
  const text = query.get(name);
  if (text === null) return otherwise;
  const value = Number(text);
  if (!/^\d{1,16}$/.test(text) || !Number.isSafeInteger(value)) fail('EINVAL', `${name} is no whole number`);
  return value;
}
