/**
 * lab/explore: every state of a small dax machine, and whether its invariants hold.
 *
 * A breadth-first search over events (operations/, one row each: modules, ids, bind and unbind, regions, resizing, open
 * and mapped device files, file systems that hold and fault, memory failure, failing probes, helpers, calls that overtake
 * each other) on the real model: a Bus without memory, and actors around it (actors/). After every event that leads to a
 * new state I1-I6 and I10-I12 are checked (oracle.ts), and I12 at every event that fails. The first violation comes with
 * the shortest event list there is, because all shorter ones have been run.
 *
 * Mutants are the bugs that real code had, as quirk flags of the model. Nothing here knows of any of them but in which
 * scope they can show (mutants.ts).
 *
 * Invariants: a state is its key (state-key.ts: what behaviour and checks depend on, nothing else); equal keys are equal
 * states, never just equal hashes. Worlds are thrown away, never copied or undone. No file, no process, no memory but the
 * model's: the whole of a search is the list of its states.
 *
 * Failure: EINVAL for what was asked wrongly. An error of the model that carries no errno is a violation ("crash").
 */

export type { Violation } from '../../mm/index.js';
export { type ExploreCommandResult, type ExploreOptions, exploreCommand, exploreLater } from './command.js';
export { drawGraph, type GraphFormat } from './graph.js';
export { type Mutant, mutants } from './mutants.js';
export { changedScope, SCOPES, type Scope, type ScopeChanges, scopeNamed } from './scope.js';
export {
  type FoundViolation,
  type SearchOptions,
  type SearchProgress,
  type SearchResult,
  search,
} from './search.js';
export { emitShell } from './shell/emit.js';
export { parseTrace, runTrace, type TraceStep } from './trace.js';
