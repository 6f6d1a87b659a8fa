/** How often a property runs: fewer times where each of a thousand mutants meets it (vitest.mutation.config.ts). */
export function propertyRuns(usual: number): number {
  return Number(process.env.UDAX_PROPERTY_RUNS ?? usual);
}
