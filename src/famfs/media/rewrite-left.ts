/** What a rewrite left that was cut short, for those who only look. */
import type { Media } from './media.js';
import { isBetweenLogs, readRecord } from './rewrite-record.js';

export interface CutShortRewrite {
  /** Whether its new log is valid already: then it is to be completed, else only its record is to be removed. */
  isDecided: boolean;
  /** When it began; null when its record does not say. */
  begun: Date | null;
  /** Entries of the old log, at most, and of the new one. */
  oldEntries: number;
  entries: number;
  /** Uuid of the file system that it makes. */
  uuid: string;
}

/** Null when no rewrite was cut short, or its record cannot be read. @param media the medium itself, not as it is rewritten */
export function cutShortRewrite(media: Media): CutShortRewrite | null {
  const record = readRecord(media);
  if (record === null) return null;
  const { begunMs, oldEntries, entries, superblock } = record;
  return {
    isDecided: isBetweenLogs(media),
    begun: begunMs === null ? null : new Date(begunMs),
    oldEntries,
    entries,
    uuid: superblock.uuid,
  };
}

/** What happened and when, as one clause. */
export function describeCutShort({ isDecided, begun, oldEntries, entries }: CutShortRewrite): string {
  const when = begun === null ? '' : `, begun ${begun.toISOString()},`;
  const state = isDecided ? 'when its new log was already valid' : 'before it changed anything';
  return `a rewrite of the log (${entries} entries instead of up to ${oldEntries})${when} was cut short ${state}`;
}
