/** What the stream told so far, for all views: versions to look again at, events, samples. */
import { useEffect, useState } from 'preact/hooks';
import type { CounterSample, LiveMessage, ShownEvent } from '../../src/inspector/wire.js';
import { ApiError, follow, get } from './api.js';

const MOST_EVENTS = 2000;
const MOST_SAMPLES = 300;

export interface Live {
  isConnected: boolean;
  /** Grow when there is something new to ask for. */
  bus: number;
  volumes: number;
  events: readonly ShownEvent[];
  samples: readonly CounterSample[];
}

let live: Live = { isConnected: false, bus: 0, volumes: 0, events: [], samples: [] };
const listeners = new Set<() => void>();
let isDue = false;

function change(next: Partial<Live>): void {
  live = { ...live, ...next };
  if (isDue) return;
  // A thousand messages a second are one drawing a frame.
  isDue = true;
  requestAnimationFrame(() => {
    isDue = false;
    for (const listener of listeners) listener();
  });
}

function told(message: LiveMessage): void {
  if (message.type === 'bus') change({ bus: live.bus + 1, volumes: live.volumes + 1 });
  else if (message.type === 'volume') change({ volumes: live.volumes + 1 });
  else if (message.type === 'sample')
    change({ samples: [...live.samples, message.sample].slice(-MOST_SAMPLES) });
  else if (message.type === 'events') {
    const last = live.events.at(-1)?.seq ?? 0;
    const fresh = message.events.filter(({ seq }) => seq > last);
    if (fresh.length > 0) change({ events: [...live.events, ...fresh].slice(-MOST_EVENTS) });
  }
}

/** Starts to follow the server. Called once. */
export function startLive(): void {
  void follow(told, (isConnected) => {
    if (isConnected) void firstSamples();
    change({ isConnected, bus: live.bus + 1, volumes: live.volumes + 1 });
  });
}

async function firstSamples(): Promise<void> {
  try {
    change({ samples: await get<CounterSample[]>('counters') });
  } catch {
    // The stream is told of the same failure.
  }
}

export function useLive(): Live {
  const [now, setNow] = useState(live);
  useEffect(() => {
    const listener = (): void => setNow(live);
    listeners.add(listener);
    listener();
    return () => void listeners.delete(listener);
  }, []);
  return now;
}

export interface Answer<T> {
  value: T | null;
  error: ApiError | null;
}

/**
 * Asks when `path`, the query or `version` changes, and keeps the last answer meanwhile, so that nothing jumps.
 * @param path null: asks nothing
 */
export function useAnswer<T>(
  path: string | null,
  query: Record<string, string | number> = {},
  version = 0,
): Answer<T> {
  const [answer, setAnswer] = useState<Answer<T> & { of: string | null }>({
    value: null,
    error: null,
    of: null,
  });
  const key = path === null ? null : `${path} ${JSON.stringify(query)}`;
  // The key stands for path and query, which are other objects at each call.
  useEffect(() => {
    if (path === null) return;
    const controller = new AbortController();
    get<T>(path, query, controller.signal).then(
      (value) => setAnswer({ value, error: null, of: key }),
      (error: unknown) => {
        if (error instanceof ApiError) setAnswer((before) => ({ ...before, error, of: key }));
      },
    );
    return () => controller.abort();
  }, [key, version]);
  return path === null ? { value: null, error: null } : answer;
}
