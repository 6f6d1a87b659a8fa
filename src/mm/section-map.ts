import type { Section } from './section.js';

/** Sections of one zone: 64 GiB, so that a big range is dropped in a few steps. */
const ZONE_SECTIONS = 32768;
/** Sections of one group: 1 GiB. */
const GROUP_SECTIONS = 512;
const ZONE_GROUPS = ZONE_SECTIONS / GROUP_SECTIONS;
/** A group that gets this many records one behind the other is a list from then on, until it has few. A Map takes ten times as long. */
const MANY = 64;
const FEW = 16;
const NOWHERE = -1;

/** The records of a group that has many, by their place in it. */
class Group {
  readonly places = new Array<Section | undefined>(GROUP_SECTIONS).fill(undefined);
  size = 0;

  put(place: number, section: Section | undefined): void {
    const before = this.places[place];
    this.places[place] = section;
    this.size += (section === undefined ? 0 : 1) - (before === undefined ? 0 : 1);
  }
}

/** Section records by section number (hpa / 2 MiB). Holds only sections that are not at rest: in zones, where many are together in groups. */
export class SectionMap {
  readonly #zones = new Map<number, Map<number, Section>>();
  readonly #groups = new Map<number, Group>();
  /** Where the last lookup was: most lookups follow one in the same group. */
  #lastGroup = NOWHERE;
  #group: Group | undefined;
  #zone: Map<number, Section> | undefined;
  /** The last record that was set in a zone, and how many were set one behind the other up to it. */
  #lastSet = NOWHERE;
  #run = 0;

  get(number: number): Section | undefined {
    this.#go(number);
    return this.#group === undefined ? this.#zone?.get(number) : this.#group.places[number % GROUP_SECTIONS];
  }

  set(number: number, section: Section): void {
    this.#go(number);
    if (this.#group !== undefined) {
      this.#group.put(number % GROUP_SECTIONS, section);
      return;
    }
    if (this.#zone === undefined) {
      this.#zone = new Map();
      this.#zones.set(Math.floor(number / ZONE_SECTIONS), this.#zone);
    }
    this.#zone.set(number, section);
    this.#run = number === this.#lastSet + 1 && number % GROUP_SECTIONS !== 0 ? this.#run + 1 : 1;
    this.#lastSet = number;
    if (this.#run === MANY) this.#gather(Math.floor(number / GROUP_SECTIONS), this.#zone);
  }

  delete(number: number): void {
    this.#go(number);
    if (this.#group === undefined) this.#zone?.delete(number);
    else {
      this.#group.put(number % GROUP_SECTIONS, undefined);
      if (this.#group.size < FEW) this.#spread(Math.floor(number / GROUP_SECTIONS), this.#group);
    }
  }

  /**
   * Drops the records of sections [first, end) for which `keep` returns false, in any order. `keep` may change a record. The cost
   * depends on the records in these zones, not on the length of the range.
   */
  drop(first: number, end: number, keep: (section: Section, number: number) => boolean): void {
    const stays = ([number, section]: [number, Section]) =>
      number < first || number >= end || keep(section, number);
    for (const [zoneNumber, zone] of within(this.#zones, ZONE_SECTIONS, first, end)) {
      // A new map is cheaper than many deletes.
      this.#zones.set(zoneNumber, new Map([...zone].filter(stays)));
    }
    for (const [groupNumber, group] of within(this.#groups, GROUP_SECTIONS, first, end)) {
      for (const entry of listed(groupNumber, group))
        if (!stays(entry)) group.put(entry[0] % GROUP_SECTIONS, undefined);
      if (group.size < FEW) this.#spread(groupNumber, group);
    }
    this.#lastGroup = NOWHERE;
  }

  /** In order of their numbers. */
  entries(first = 0, end = Number.POSITIVE_INFINITY): [number, Section][] {
    return [
      ...within(this.#zones, ZONE_SECTIONS, first, end).flatMap(([, zone]) => [...zone]),
      ...within(this.#groups, GROUP_SECTIONS, first, end).flatMap(([number, group]) => listed(number, group)),
    ]
      .filter(([number]) => number >= first && number < end)
      .sort(([a], [b]) => a - b);
  }

  /** Makes a group of the records in its zone. */
  #gather(groupNumber: number, zone: Map<number, Section>): void {
    const group = new Group();
    for (let place = 0; place < GROUP_SECTIONS; place++) {
      const number = groupNumber * GROUP_SECTIONS + place;
      const section = zone.get(number);
      if (section === undefined) continue;
      group.put(place, section);
      zone.delete(number);
    }
    this.#groups.set(groupNumber, group);
    this.#lastGroup = NOWHERE;
  }

  /** Puts what is left of a group into its zone. */
  #spread(groupNumber: number, group: Group): void {
    this.#groups.delete(groupNumber);
    this.#lastGroup = NOWHERE;
    this.#run = 0;
    for (const [number, section] of listed(groupNumber, group)) this.set(number, section);
  }

  #go(number: number): void {
    const group = Math.floor(number / GROUP_SECTIONS);
    if (group === this.#lastGroup) return;
    this.#lastGroup = group;
    this.#group = this.#groups.get(group);
    this.#zone = this.#zones.get(Math.floor(group / ZONE_GROUPS));
  }
}

function listed(groupNumber: number, { places }: Group): [number, Section][] {
  return places.flatMap((section, place): [number, Section][] =>
    section === undefined ? [] : [[groupNumber * GROUP_SECTIONS + place, section]],
  );
}

/** The parts that touch sections [first, end), each of which has `sections` of them. */
function within<T>(parts: Map<number, T>, sections: number, first: number, end: number): [number, T][] {
  return [...parts].filter(([part]) => (part + 1) * sections > first && part * sections < end);
}
