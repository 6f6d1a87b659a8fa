/** Questions to the server, and its stream of messages. The token stays in this module. */
import type { LiveMessage, Refused } from '../../src/inspector/wire.js';

const token = new URLSearchParams(location.search).get('token') ?? '';
const HEADERS = { 'x-udax-token': token };
const AGAIN_MS = 1000;

/** What the server refused, with its errno code. */
export class ApiError extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

type Query = Record<string, string | number>;

/** @throws ApiError; its code is ENOTCONN when there is no answer at all */
export async function get<T>(path: string, query: Query = {}, signal?: AbortSignal): Promise<T> {
  const text = new URLSearchParams(Object.entries(query).map(([name, value]) => [name, String(value)]));
  return answerOf(`/api/${path}${text.size > 0 ? `?${text}` : ''}`, {
    headers: HEADERS,
    signal: signal ?? null,
  });
}

/** @throws ApiError */
export function post<T>(path: string, body: unknown): Promise<T> {
  const headers = { ...HEADERS, 'content-type': 'application/json' };
  return answerOf(`/api/${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
}

async function answerOf<T>(url: string, init: RequestInit): Promise<T> {
  const response = await fetch(url, init).catch((error: Error) => {
    if (error.name === 'AbortError') throw error;
    throw new ApiError('ENOTCONN', 'the inspector does not answer: was it ended?');
  });
  const text = await response.text();
  if (response.ok) return JSON.parse(text) as T;
  if (!response.headers.get('content-type')?.startsWith('application/json'))
    throw new ApiError(`HTTP ${response.status}`, text.trim());
  const { error } = JSON.parse(text) as Refused;
  throw new ApiError(error.code, error.message);
}

/** One path part: a name as it is in a URL. */
export const part = (name: string): string => encodeURIComponent(name);

/** Follows the stream for as long as the page lives, and connects again when it ends. */
export async function follow(
  told: (message: LiveMessage) => void,
  connected: (is: boolean) => void,
): Promise<never> {
  for (;;) {
    try {
      const response = await fetch('/api/events', { headers: HEADERS });
      if (response.ok && response.body) {
        connected(true);
        await read(response.body, told);
      }
    } catch {
      // Ended or refused: said by `connected`, and tried again.
    }
    connected(false);
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

async function read(body: ReadableStream<Uint8Array>, told: (message: LiveMessage) => void): Promise<void> {
  const reader = body
    .pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>)
    .getReader();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + value).split('\n\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line.startsWith('data: ')) told(JSON.parse(line.slice(6)) as LiveMessage);
  }
}
