import { scopes } from './crash/scopes/index.js';
import { traceScope } from './crash/trace-scope.js';

for (const m of ['shared', 'pmem'] as const) {
  const trace = await traceScope(scopes[0]!, m);
  for (const e of trace.events)
    console.log(
      e.kind,
      'at' in e ? `${e.at - 2 * 2 ** 20} ${e.length}` : '',
      e.kind === 'store'
        ? e.changes.map((c) => `${c.line - 32768}:${c.words}`).join(' ') + ' ' + e.isOrdered
        : '',
      'caller' in e ? e.caller.frames.slice(0, 3).join('|') + e.caller.lines[0] : '',
    );
}
