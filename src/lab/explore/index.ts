/**
 * lab/explore: visits every state of a small dax machine and checks its invariants.
 *
 * It is a breadth-first search over events (operations/, one row for each kind: modules, ids, bind and unbind, regions, resizing,
 * open and mapped device files, file systems that hold and fault, memory failure, failing probes, helpers, calls that overtake
 * each other). The events run on the real model: a Bus without memory, and actors around it (actors/). After every event that
 * leads to a new state it checks I1-I6 and I10-I12 (oracle.ts). After every event that fails it checks I12. The first violation
 * comes with the shortest event list, because all shorter lists have been run.
 *
 * Mutants are bugs of real code, as quirk flags of the model. Only mutants.ts knows them: it names the scope in which each one
 * shows.
 *
 * Invariants: a state is identified by its key (state-key.ts: everything that behaviour and checks depend on, and nothing else).
 * Equal keys are equal states, not just equal hashes. Worlds are thrown away, never copied or undone. The search uses no file, no
 * process, and no memory except the model's: all it keeps is the list of states.
 *
 * Failure: EINVAL for wrong arguments. An error of the model that carries no errno is a violation ("crash").
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
