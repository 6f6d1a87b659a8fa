import type { Protocol } from '../types.js';
import { arenaProtocols } from './arenas.js';
import { logProtocols } from './log.js';
import { machineProtocols } from './machines.js';
import { nameProtocols } from './names.js';
import { queueProtocols } from './queues.js';
import { rewriteProtocols } from './rewrites.js';

export const protocols: readonly Protocol[] = [
  ...logProtocols,
  ...queueProtocols,
  ...arenaProtocols,
  ...rewriteProtocols,
  ...nameProtocols,
  ...machineProtocols,
];

export function protocolNamed(name: string): Protocol {
  const found = protocols.find((protocol) => protocol.name === name);
  if (!found)
    throw new Error(`no protocol is called ${name}: ${protocols.map((one) => one.name).join(', ')}`);
  return found;
}
