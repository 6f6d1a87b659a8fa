import type { Operation } from '../operation.js';

/** Modules are loaded and unloaded, and autoprobe is switched on and off. */
export const moduleOperations: readonly Operation[] = [
  {
    name: 'insmod',
    words: 'MODULE',
    group: 'modules',
    offers: ({ bus, scope }) =>
      scope.drivers.filter((name) => bus.driver(name) === undefined).map((name) => [name]),
    apply: ({ bus }, [module]) => bus.insmod(module!),
  },
  {
    name: 'rmmod',
    words: 'MODULE',
    group: 'modules',
    offers: ({ bus }) => bus.modules.map(({ name }) => [name]),
    apply: ({ bus }, [module]) => bus.rmmod(module!),
  },
  {
    name: 'autoprobe',
    words: '0|1',
    group: 'modules',
    offers: ({ bus }) => [[bus.autoprobe ? '0' : '1']],
    apply: ({ bus }, [on]) => {
      bus.autoprobe = on === '1';
    },
  },
];
