import type { Section } from './section.js';

/** Sections of one zone: 64 GiB, so that a big range is dropped in a few steps. */
const ZONE_SECTIONS = 32768;

/** Section records by section number (hpa / 2 MiB), in zones. Holds only sections that are not at rest. */
export class SectionMap {
  readonly #zones = new Map<number, Map<number, Section>>();
  /** The zone of the last lookup: most lookups follow one in the same zone. */
  #lastZone = -1;
  #last: Map<number, Section> | undefined;

  get size(): number {
    let size = 0;
    for (const zone of this.#zones.values()) size += zone.size;
    return size;
  }

  get(number: number): Section | undefined {
    return this.#zone(number)?.get(number);
  }

  set(number: number, section: Section): void {
    let zone = this.#zone(number);
    if (zone === undefined) {
      zone = new Map();
      this.#zones.set(Math.floor(number / ZONE_SECTIONS), zone);
      this.#last = zone;
    }
    zone.set(number, section);
  }

  delete(number: number): void {
    const zone = this.#zone(number);
    if (zone?.delete(number) && zone.size === 0) this.#dropZone(Math.floor(number / ZONE_SECTIONS));
  }

  /**
   * Drops the records of sections [first, end) for which `keep` returns false. `keep` may change a record. The cost depends
   * on the records in these zones, not on the length of the range.
   */
  drop(first: number, end: number, keep: (section: Section, number: number) => boolean): void {
    for (const [zoneNumber, zone] of this.#zonesIn(first, end)) {
      const whole = zoneNumber * ZONE_SECTIONS >= first && (zoneNumber + 1) * ZONE_SECTIONS <= end;
      const kept: [number, Section][] = [];
      for (const entry of zone) {
        const [number, section] = entry;
        if (number < first || number >= end || keep(section, number)) kept.push(entry);
      }
      if (kept.length === 0) this.#dropZone(zoneNumber);
      else if (kept.length < zone.size) this.#replaceZone(zoneNumber, zone, kept, whole);
    }
  }

  *entries(first = 0, end = Number.POSITIVE_INFINITY): Generator<[number, Section]> {
    for (const [, zone] of this.#zonesIn(first, end))
      for (const entry of zone) if (entry[0] >= first && entry[0] < end) yield entry;
  }

  #zonesIn(first: number, end: number): [number, Map<number, Section>][] {
    return [...this.#zones].filter(
      ([zone]) => (zone + 1) * ZONE_SECTIONS > first && zone * ZONE_SECTIONS < end,
    );
  }

  #zone(number: number): Map<number, Section> | undefined {
    const zone = Math.floor(number / ZONE_SECTIONS);
    if (zone !== this.#lastZone) {
      this.#lastZone = zone;
      this.#last = this.#zones.get(zone);
    }
    return this.#last;
  }

  /** Removes all records of a zone but the kept ones. With few kept records, a new map is cheaper than many deletes. */
  #replaceZone(
    zoneNumber: number,
    zone: Map<number, Section>,
    kept: [number, Section][],
    whole: boolean,
  ): void {
    if (!whole && kept.length * 2 > zone.size) {
      const stay = new Set(kept.map(([number]) => number));
      for (const number of [...zone.keys()]) if (!stay.has(number)) zone.delete(number);
      return;
    }
    this.#zones.set(zoneNumber, new Map(kept));
    this.#lastZone = -1;
  }

  #dropZone(zone: number): void {
    this.#zones.delete(zone);
    this.#lastZone = -1;
  }
}
