/** Steps that cannot be replayed in user space, and why (docs/conformance.md lists them). */
import { daxctlCommands } from './operations/exec.js';
import { isTextList, type Scenario, type Step } from './transcript.js';

/** Kinds of skipped steps. Reports count by the key. */
export const SKIP_REASONS = {
  dmesg: 'kernel log wording is informative, not an answer',
  smaps: 'page tables of a process are not modelled',
  pfn: 'page tables of a process are not modelled',
  'recording host': 'speaks of the host the transcript was recorded on',
  'other program': 'runs a program that is not daxctl',
  'depends on': 'follows a skipped step that may have changed the state',
  hazard: 'the real kernel crashed in this scenario, so its answers are not scored',
} as const;

export type SkipKind = keyof typeof SKIP_REASONS;

/** True for listings of the host on which the transcript was recorded. */
function isHostListing({ path: given }: Step): boolean {
  if (typeof given !== 'string') return false;
  const path = given.replace(/^(\/sys)?\//, '');
  // class/dax is an answer of the dax bus: it does not exist.
  return (path.startsWith('class') && path !== 'class/dax') || /^module(\/[^/]+)?$/.test(path);
}

function runsOtherProgram({ argv }: Step): boolean {
  return isTextList(argv) && daxctlCommands(argv) === null;
}

/** Why a step is not replayed; null when it is. A malformed step is replayed: its answer is a difference. */
export function skipKind(step: Step): SkipKind | null {
  switch (step.op) {
    case 'dmesg':
    case 'smaps':
    case 'pfn':
      return step.op;
    case 'ls':
      return isHostListing(step) ? 'recording host' : null;
    case 'exec':
      return runsOtherProgram(step) ? 'other program' : null;
    default:
      return null;
  }
}

/** Whether the steps after a step that was skipped for this reason cannot be trusted. */
export function taintsWhatFollows(kind: SkipKind): boolean {
  return kind === 'other program';
}

export function isHazard(scenario: Scenario): boolean {
  return scenario.kernel_crash !== undefined || scenario.kernel_oops !== undefined;
}
