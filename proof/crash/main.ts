import { explore, redundantFlushes } from './explore.js';
import { scopes } from './scopes/index.js';
import { traceScope } from './trace-scope.js';

const wanted = process.argv.slice(2);
for (const scope of scopes) {
  if (wanted.length && !wanted.includes(scope.name)) continue;
  for (const memory of scope.memories) {
    const trace = await traceScope(scope, memory);
    const t = Date.now();
    const r = explore(scope, memory, trace, { seed: 1, samples: 200, enough: 0 });
    console.log(
      scope.name,
      memory,
      JSON.stringify({ ...r, states: r.states.length, findings: r.findings.slice(0, 2) }),
      Date.now() - t,
      'ms',
    );
    console.log(JSON.stringify(redundantFlushes(trace)));
    for (const mutant of scope.mutants.filter((m) => m.memory === memory)) {
      const m = explore(
        scope,
        memory,
        { ...trace, events: mutant.change(trace.events) },
        { seed: 1, samples: 200, enough: 1 },
      );
      console.log(
        '  mutant',
        mutant.name,
        m.lost > 0 ? 'caught' : 'MISSED',
        m.images,
        JSON.stringify(m.findings[0]),
      );
    }
  }
}
