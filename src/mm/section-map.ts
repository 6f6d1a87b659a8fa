import { PMD_ORDER, PMD_PAGES } from './pages.js';
import { type AddressSpace, Section } from './section.js';
import { SectionRun } from './section-run.js';

/** Sections of one zone: 64 GiB, so that a big range is dropped in a few steps. */
const ZONE_SECTIONS = 32768;
/** Sections of one group: 1 GiB. */
const GROUP_SECTIONS = 512;
const ZONE_GROUPS = ZONE_SECTIONS / GROUP_SECTIONS;
/** A group that gets this many records one behind the other is a list from then on, until it has few. A Map takes ten times as long. */
const MANY = 64;
const FEW = 16;
/** From this many sections on, those that were mapped together are one record, a run. */
const RUN_SECTIONS = 8;
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

/**
 * Section records by section number (hpa / 2 MiB). Holds only sections that are not at rest: in zones, where many are together in
 * groups, and where they are alike as runs. A section of a run gets its own record, and all others of that run, when it is got to be
 * changed.
 */
export class SectionMap {
  readonly #zones = new Map<number, Map<number, Section>>();
  readonly #groups = new Map<number, Group>();
  /** The runs of each group that has some. None crosses the end of its group. */
  readonly #runs = new Map<number, SectionRun[]>();
  /** Where the last lookup was: most lookups follow one in the same group. */
  #lastGroup = NOWHERE;
  #group: Group | undefined;
  #zone: Map<number, Section> | undefined;
  #runsHere: SectionRun[] | undefined;
  /** The last record that was set in a zone, and how many were set one behind the other up to it. */
  #lastSet = NOWHERE;
  #run = 0;

  /** The record of a section, which the caller may change. */
  get(number: number): Section | undefined {
    const run = this.runOf(number);
    if (run !== undefined) this.#part(run);
    return this.#own(number);
  }

  /** What get() would give, to be read and not to be kept: it may be a copy. */
  look(number: number): Section | undefined {
    return this.runOf(number)?.section(number) ?? this.#own(number);
  }

  has(number: number): boolean {
    return this.runOf(number) !== undefined || this.#own(number) !== undefined;
  }

  /** The run that a section is in. */
  runOf(number: number): SectionRun | undefined {
    this.#go(number);
    return this.#runsHere?.find((run) => run.holds(number));
  }

  /** True when no section of [first, end) has a record. */
  isEmpty(first: number, end: number): boolean {
    for (let number = first; number < end; ) {
      this.#go(number);
      const stop = Math.min(end, endOfGroup(number));
      const from = number;
      if (this.#runsHere?.some((run) => run.first < stop && run.end > from)) return false;
      if (this.#group === undefined && (this.#zone?.size ?? 0) === 0) number = stop;
      for (; number < stop; number++) if (this.#own(number) !== undefined) return false;
    }
    return true;
  }

  /** Records sections [first, end), of which none has a record, as the folios of a file from page `index` on. */
  setRun(first: number, end: number, mapping: AddressSpace, index: number): void {
    for (let number = first; number < end; ) {
      const stop = Math.min(end, endOfGroup(number));
      const at = index + (number - first) * PMD_PAGES;
      if (stop - number >= RUN_SECTIONS) {
        const group = Math.floor(number / GROUP_SECTIONS);
        this.#runs.set(group, [...(this.#runs.get(group) ?? []), new SectionRun(number, stop, mapping, at)]);
        this.#lastGroup = NOWHERE;
      } else {
        for (let each = number; each < stop; each++)
          this.set(each, new Section(PMD_ORDER, mapping, at + (each - number) * PMD_PAGES));
      }
      number = stop;
    }
  }

  deleteRun(run: SectionRun): void {
    const group = Math.floor(run.first / GROUP_SECTIONS);
    const rest = this.#runs.get(group)!.filter((other) => other !== run);
    if (rest.length > 0) this.#runs.set(group, rest);
    else this.#runs.delete(group);
    this.#lastGroup = NOWHERE;
  }

  /** Gives each section of the runs that touch [first, end) a record of its own. */
  part(first: number, end: number): void {
    for (const run of this.runs(first, end)) this.#part(run);
  }

  /** The runs that touch [first, end). */
  runs(first = 0, end = Number.POSITIVE_INFINITY): SectionRun[] {
    return within(this.#runs, GROUP_SECTIONS, first, end)
      .flatMap(([, runs]) => runs)
      .filter((run) => run.end > first && run.first < end);
  }

  /** `number` may not be in a run: get() was asked before. */
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
   * Drops the records of sections [first, end) for which `keep` returns false, in any order. `keep` may change a record, and may go
   * by all but its number: it is asked once for the sections of a run. The cost depends on the records in these zones, not on the
   * length of the range.
   */
  drop(first: number, end: number, keep: (section: Section) => boolean): void {
    for (const run of this.runs(first, end)) {
      const isWhole = run.first >= first && run.end <= end;
      if (isWhole && !keep(run.section(run.first))) this.deleteRun(run);
      else this.#part(run);
    }
    const stays = ([number, section]: [number, Section]) => number < first || number >= end || keep(section);
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

  /** In order of their numbers. Those of runs are copies. */
  entries(first = 0, end = Number.POSITIVE_INFINITY): [number, Section][] {
    return [
      ...within(this.#zones, ZONE_SECTIONS, first, end).flatMap(([, zone]) => [...zone]),
      ...within(this.#groups, GROUP_SECTIONS, first, end).flatMap(([number, group]) => listed(number, group)),
      ...this.runs(first, end).flatMap((run) => run.sections()),
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

  #part(run: SectionRun): void {
    this.deleteRun(run);
    for (const [number, section] of run.sections()) this.set(number, section);
  }

  /** The record of a section that is not in a run. */
  #own(number: number): Section | undefined {
    this.#go(number);
    return this.#group === undefined ? this.#zone?.get(number) : this.#group.places[number % GROUP_SECTIONS];
  }

  #go(number: number): void {
    const group = Math.floor(number / GROUP_SECTIONS);
    if (group === this.#lastGroup) return;
    this.#lastGroup = group;
    this.#group = this.#groups.get(group);
    this.#zone = this.#zones.get(Math.floor(group / ZONE_GROUPS));
    this.#runsHere = this.#runs.get(group);
  }
}

const endOfGroup = (number: number) => number - (number % GROUP_SECTIONS) + GROUP_SECTIONS;

function listed(groupNumber: number, { places }: Group): [number, Section][] {
  return places.flatMap((section, place): [number, Section][] =>
    section === undefined ? [] : [[groupNumber * GROUP_SECTIONS + place, section]],
  );
}

/** The parts that touch sections [first, end), each of which has `sections` of them. */
function within<T>(parts: Map<number, T>, sections: number, first: number, end: number): [number, T][] {
  return [...parts].filter(([part]) => (part + 1) * sections > first && part * sections < end);
}
