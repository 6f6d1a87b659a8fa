/** `ok`: works. `limited`: udax works, but something is slower or missing. `missing`: udax cannot work. */
export type Verdict = 'ok' | 'limited' | 'missing';

/** One line of `udax doctor`, and its meaning. */
export interface Finding {
  subject: string;
  verdict: Verdict;
  found: string;
  meaning: string;
}
