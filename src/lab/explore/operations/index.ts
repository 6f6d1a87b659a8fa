/** All kinds of events, one row each. */
import { fail } from '../../../libc/index.js';
import type { ExploreEvent, Operation } from '../operation.js';
import type { World } from '../world.js';
import { bindingOperations } from './binding.js';
import { failureOperations } from './failures.js';
import { fileSystemOperations } from './file-systems.js';
import { fileOperations } from './files.js';
import { moduleOperations } from './modules.js';
import { otherOperations } from './others.js';
import { regionOperations } from './regions.js';

export const OPERATIONS: readonly Operation[] = [
  ...moduleOperations,
  ...bindingOperations,
  ...regionOperations,
  ...fileOperations,
  ...fileSystemOperations,
  ...failureOperations,
  ...otherOperations,
];

/** Events by their text. Each text has one object, so that traces are lists of small numbers. */
export class Events {
  readonly #byText = new Map<string, ExploreEvent>();
  readonly #byId: ExploreEvent[] = [];
  readonly #operations: readonly Operation[];

  constructor(operations: readonly Operation[] = OPERATIONS) {
    this.#operations = operations;
  }

  /** @throws DaxError EINVAL no such operation, or the wrong number of words */
  parse(text: string): ExploreEvent {
    const known = this.#byText.get(text);
    if (known !== undefined) return known;
    const [name = '', ...words] = text.trim().split(/\s+/);
    const operation = this.#operations.find((candidate) => candidate.name === name);
    if (operation === undefined)
      return fail(
        'EINVAL',
        `there is no event ${name}; known: ${OPERATIONS.map((row) => row.name).join(', ')}`,
      );
    if (words.length !== operation.words.split(' ').length)
      return fail('EINVAL', `${text}: ${name} is written "${name} ${operation.words}"`);
    return this.#intern(operation, words);
  }

  byId(id: number): ExploreEvent {
    return this.#byId[id]!;
  }

  /** All events that are possible in this state. */
  offered(world: World): ExploreEvent[] {
    const offered: ExploreEvent[] = [];
    for (const operation of this.#operations)
      for (const words of operation.offers(world)) offered.push(this.#intern(operation, words));
    return offered;
  }

  #intern(operation: Operation, words: readonly string[]): ExploreEvent {
    const text = `${operation.name} ${words.join(' ')}`;
    let event = this.#byText.get(text);
    if (event === undefined) {
      event = { id: this.#byId.length, text, operation, words };
      this.#byText.set(text, event);
      this.#byId.push(event);
    }
    return event;
  }
}

/** The operations of a scope's groups. */
export function operationsOf(groups: readonly string[]): Operation[] {
  return OPERATIONS.filter(({ group }) => groups.includes(group));
}
