/** The arguments of a machine's methods. */
import { callback, flag, integer, number, optional, options, size, text } from '../../libc/index.js';

const force = optional(options({ force: optional(flag) }));
const name = { name: text };
const sizeAndAlign = optional(options({ size: optional(size), align: optional(size) }));

export const machineArguments = {
  view: { read: callback },
  change: { apply: callback },
  createRegion: {
    options: options({
      size,
      align: optional(size),
      backing: optional(text),
      ram: optional(flag),
      offset: optional(size),
      type: optional(text),
      static: optional(flag),
      sparse: optional(flag),
      coherent: optional(flag),
      targetNode: optional(number),
    }),
  },
  destroyRegion: { id: integer(), options: force },
  region: { id: integer() },
  deviceInfo: name,
  createDevice: { region: integer(), options: sizeAndAlign },
  resizeDevice: { ...name, size },
  destroyDevice: { ...name, options: force },
  enable: name,
  disable: { ...name, options: force },
  reconfigure: {
    ...name,
    mode: text,
    options: optional(options({ force: optional(flag), online: optional(flag) })),
  },
  onlineMemory: { ...name, options: optional(options({ movable: optional(flag) })) },
  offlineMemory: name,
  device: name,
  openDax: { ...name, options: optional(options({ writable: optional(flag) })) },
  node: { id: integer() },
  memoryFailure: { at: options({ device: text, offset: number, length: optional(number) }) },
  holders: { device: optional(text) },
} as const;
