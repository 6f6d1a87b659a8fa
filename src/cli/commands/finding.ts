/** `ok`: works. `limited`: udax works, something is slower or missing. `missing`: udax cannot work. */
export type Verdict = 'ok' | 'limited' | 'missing';

/** One line of `udax doctor`, and what it means. */
export interface Finding {
  subject: string;
  verdict: Verdict;
  found: string;
  meaning: string;
}
