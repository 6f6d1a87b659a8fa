import type { Section } from './section.js';

/** Sections of one zone: 64 GiB, so that a big range is dropped in a few steps. */
const ZONE_SECTIONS = 32768;

/** Section records by section number (hpa / 2 MiB), in zones. Holds only sections that are not at rest. */
export class SectionMap {
  readonly #zones = new Map<number, Map<number, Section>>();
  /** The zone of the last lookup: most lookups follow one in the same zone. */
  #lastZone: number | undefined;
  #last: Map<number, Section> | undefined;

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
    this.#zone(number)?.delete(number);
  }

  /**
   * Drops the records of sections [first, end) for which `keep` returns false. `keep` may change a record. The cost depends
   * on the records in these zones, not on the length of the range.
   */
  drop(first: number, end: number, keep: (section: Section, number: number) => boolean): void {
    for (const [zoneNumber, zone] of this.#zonesIn(first, end)) {
      const kept = [...zone].filter(
        ([number, section]) => number < first || number >= end || keep(section, number),
      );
      // A new map is cheaper than many deletes.
      this.#zones.set(zoneNumber, new Map(kept));
    }
    this.#lastZone = undefined;
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
}
