/**
 * kill: the process dies between any two stores, or in the middle of one. Caches survive, so the next process sees everything
 * that was stored before. Of the last store it sees any number of its words, in order; of a store that was found by comparison,
 * in any order.
 */
import { withWords, wordsIn } from '../media/lines.js';
import type { StoreEvent, Trace } from '../media/tracer.js';
import { Cache, tearsOf } from './cache.js';
import { type ExploreOptions, nameOfAct } from './explore.js';
import { ImageBuilder } from './image.js';
import type { Judge } from './judge.js';

export function* exploreKills(trace: Trace, judge: Judge, { everyTear }: ExploreOptions): Generator<void> {
  let tearsSeen = 0;
  const cache = new Cache(trace.base);
  const image = new ImageBuilder();
  const { events } = trace;
  let returned = 0;
  const moment = (at: number, lines: string) => ({
    model: 'kill' as const,
    where: `between ${at < 0 ? 'the start' : nameOfAct(events[at])} and ${nameOfAct(events[at + 1])}`,
    returned,
    lines: () => lines,
  });
  judge.judge(image, moment(-1, 'nothing was stored'));
  for (const [at, event] of events.entries()) {
    if (judge.isEnough) return;
    if (event.kind === 'mark') returned++;
    if (event.kind !== 'store') continue;
    for (const words of tears(cache, image, event)) {
      if (tearsSeen++ % everyTear !== 0) continue;
      judge.judge(image, { ...moment(at - 1, ''), where: `in ${nameOfAct(event)}`, lines: () => words });
      yield;
    }
    cache.store(event);
    for (const { line } of event.changes) image.put(line, cache.pending.get(line)!.whole.at(-1)!);
    judge.judge(image, moment(at, 'all stores so far'));
    yield;
  }
  judge.judge(image, moment(events.length - 1, 'all stores'));
}

/**
 * Puts every part of a store into the image, word by word, and says which. Afterwards the image may have the lines of this store; the
 * caller puts all of them.
 */
function* tears(cache: Cache, image: ImageBuilder, event: StoreEvent): Generator<string> {
  let done = 0;
  for (const change of event.changes) {
    const { line } = change;
    const before = cache.pending.get(line)?.whole.at(-1) ?? cache.durable.get(line) ?? cache.ofBase(line);
    for (const mask of tearsOf(change.words, event.isOrdered)) {
      image.put(line, cache.version(line, withWords(before.bytes, change, mask)));
      yield `${done + wordsIn(mask).length} words of that store`;
    }
    done += wordsIn(change.words).length;
    image.put(line, cache.version(line, withWords(before.bytes, change)));
    yield `${done} words of that store`;
    // Lines of an unordered store are independent, so each is tried alone.
    if (!event.isOrdered) image.put(line, before);
  }
}
