/** A look at an arena by somebody who is no member of it: it stores nothing, and pins nothing. */
import type { Volume } from '../famfs/index.js';
import { SLOT } from './layout.js';
import { entriesOf } from './listing.js';
import { Lookup } from './lookup.js';
import { pinCounts } from './members.js';
import { ArenaMemory } from './memory.js';
import { geometryOf } from './open.js';
import { statsOf } from './stats.js';
import type { ArenaStats } from './types.js';

/** One committed object. */
export interface SurveyedObject {
  /** The key as text. */
  name: string;
  /** Bytes, and where they begin in the file. */
  size: number;
  position: number;
  host: number;
  /** Slot and generation: what open() takes. */
  reference: string;
  /** Handles that have it pinned now. */
  pins: number;
  /** Commits of its host count up: the higher, the younger. */
  sequence: number;
  /** When it expires, ms since 1970; null: never. */
  expires: number | null;
}

export interface ArenaSurvey {
  stats: ArenaStats;
  objects: SurveyedObject[];
  /** Whether there are objects beyond `limit`. */
  isCut: boolean;
}

/**
 * Lists an arena as it is now, without becoming a member. What changes meanwhile is told as before or as after.
 * @param limit the most objects to list
 * @throws DaxError ENOENT; EINVAL no arena; EOPNOTSUPP another version; EBADMSG damaged
 */
export function surveyArena(
  volume: Volume,
  path: string,
  { prefix = '', limit = 1000 }: { prefix?: string; limit?: number } = {},
): ArenaSurvey {
  const file = volume.open(path, { writable: false });
  try {
    const memory = new ArenaMemory(file, geometryOf(file), false);
    const { heapOffset, heapBytesPerHost, alignBytes } = memory.geometry;
    const pins = pinCounts(memory);
    const survey: ArenaSurvey = { stats: statsOf(memory, undefined), objects: [], isCut: false };
    const start = new TextEncoder().encode(prefix);
    for (const entry of entriesOf(memory, new Lookup(memory, -1), start, () => {})) {
      if (survey.objects.length === limit) return { ...survey, isCut: true };
      const { name, size, host, reference, expires = null } = entry;
      const id = Number.parseInt(reference, 10);
      const word = memory.slotWord(id);
      const unit = memory.words[word + SLOT.unit]!;
      survey.objects.push({
        name,
        size,
        position: heapOffset + host * heapBytesPerHost + unit * alignBytes,
        host,
        reference,
        pins: pins.get(id) ?? 0,
        sequence: memory.words[word + SLOT.sequence]!,
        expires,
      });
    }
    return survey;
  } finally {
    file.close();
  }
}
