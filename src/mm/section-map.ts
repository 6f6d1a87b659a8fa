import type { Section } from './section.js';

/** Sections of one group: 1 GiB. */
const GROUP_SECTIONS = 512;
/** With this many records a group is a list by place, which costs a tenth of a Map's time. It takes 64 bytes a record then, or less. */
const MANY = 64;
const FEW = MANY / 4;
/** The number of no group. */
const NOWHERE = -1;

/** The records of one group, by their place in it. */
class Group {
  size = 0;
  /** All places, while the group has many records. */
  #list: (Section | undefined)[] | null = null;
  #few: Map<number, Section> | null = new Map();

  get(place: number): Section | undefined {
    return this.#list === null ? this.#few!.get(place) : this.#list[place];
  }

  set(place: number, section: Section): void {
    if (this.get(place) === undefined) this.size++;
    if (this.#list === null) {
      this.#few!.set(place, section);
      if (this.size >= MANY) this.#spread(this.#few!);
    } else this.#list[place] = section;
  }

  delete(place: number): void {
    if (this.get(place) === undefined) return;
    this.size--;
    if (this.#list === null) this.#few!.delete(place);
    else {
      this.#list[place] = undefined;
      if (this.size < FEW) this.#gather();
    }
  }

  /** In order of their places. */
  entries(): [number, Section][] {
    if (this.#list === null) return [...this.#few!].sort(([a], [b]) => a - b);
    return this.#list.flatMap((section, place) => (section === undefined ? [] : [[place, section]]));
  }

  #spread(few: Map<number, Section>): void {
    this.#list = new Array<Section | undefined>(GROUP_SECTIONS).fill(undefined);
    for (const [place, section] of few) this.#list[place] = section;
    this.#few = null;
  }

  #gather(): void {
    this.#few = new Map(this.entries());
    this.#list = null;
  }
}

/** Section records by section number (hpa / 2 MiB), in groups. Holds only sections that are not at rest. */
export class SectionMap {
  readonly #groups = new Map<number, Group>();
  /** The group of the last lookup: most lookups follow one in the same group. */
  #lastNumber = NOWHERE;
  #last: Group | undefined;

  get(number: number): Section | undefined {
    return this.#group(number)?.get(number % GROUP_SECTIONS);
  }

  set(number: number, section: Section): void {
    let group = this.#group(number);
    if (group === undefined) {
      group = new Group();
      this.#groups.set(Math.floor(number / GROUP_SECTIONS), group);
      this.#last = group;
    }
    group.set(number % GROUP_SECTIONS, section);
  }

  delete(number: number): void {
    const group = this.#group(number);
    group?.delete(number % GROUP_SECTIONS);
    if (group?.size === 0) this.#forget(Math.floor(number / GROUP_SECTIONS));
  }

  /**
   * Drops the records of sections [first, end) for which `keep` returns false. `keep` may change a record. The cost depends
   * on the records in these groups, not on the length of the range.
   */
  drop(first: number, end: number, keep: (section: Section, number: number) => boolean): void {
    for (const [groupNumber, group] of this.#groupsIn(first, end)) {
      for (const [place, section] of group.entries()) {
        const number = groupNumber * GROUP_SECTIONS + place;
        if (number >= first && number < end && !keep(section, number)) group.delete(place);
      }
      if (group.size === 0) this.#forget(groupNumber);
    }
  }

  /** In order of their numbers. */
  *entries(first = 0, end = Number.POSITIVE_INFINITY): Generator<[number, Section]> {
    for (const [groupNumber, group] of this.#groupsIn(first, end)) {
      for (const [place, section] of group.entries()) {
        const number = groupNumber * GROUP_SECTIONS + place;
        if (number >= first && number < end) yield [number, section];
      }
    }
  }

  #groupsIn(first: number, end: number): [number, Group][] {
    return [...this.#groups]
      .filter(([group]) => (group + 1) * GROUP_SECTIONS > first && group * GROUP_SECTIONS < end)
      .sort(([a], [b]) => a - b);
  }

  #forget(groupNumber: number): void {
    this.#groups.delete(groupNumber);
    this.#lastNumber = NOWHERE;
    this.#last = undefined;
  }

  #group(number: number): Group | undefined {
    const group = Math.floor(number / GROUP_SECTIONS);
    if (group !== this.#lastNumber) {
      this.#lastNumber = group;
      this.#last = this.#groups.get(group);
    }
    return this.#last;
  }
}
