/** Writes a trace as a shell script for a real /sys, so that a kernel developer can reproduce it. */
import { PMD_SIZE } from '../../../mm/index.js';
import { Events } from '../operations/index.js';
import type { Scope, ScopeRegion } from '../scope.js';
import { shellLine } from './lines.js';
import { preludeFor } from './prelude.js';

export interface ShellOptions {
  /** What the script shows, one line each: the mutant, the violations. */
  readonly about: readonly string[];
}

/**
 * Writes the script.
 * @param trace events, without the scope's setup (which comes first in the script)
 * @throws DaxError EINVAL an unknown event
 */
export function emitShell(scope: Scope, trace: readonly string[], { about }: ShellOptions): string {
  const events = new Events();
  const lines = [...scope.setup, ...trace].map((text) => shellLine(events.parse(text), scope));
  const devices = devicesIn([...scope.setup, ...trace], scope);
  return [
    '#!/bin/sh',
    ...about.map((line) => `# ${line}`),
    '#',
    '# Run as root on a machine you can lose, with these regions and none of the dax driver modules loaded:',
    ...scope.regions.map((region) => `#   ${regionText(region)}`),
    '# Sizes are counted in units of UNIT bytes (2 MiB; with kmem make it the memory block size).',
    'set -u',
    `SYS=\${SYS:-/sys} UNIT=\${UNIT:-${PMD_SIZE}}`,
    ...devices.map(
      (device) => `${device.replace('.', '_')}=\${${device.toUpperCase().replace('.', '_')}:-${device}}`,
    ),
    ...scope.regions.flatMap(({ id }) => startOf(id, lines)),
    ...preludeFor(lines),
    '',
    ...lines,
    '',
    'dmesg | tail -n 40',
    '',
  ].join('\n');
}

/**
 * Reads where a region begins, if a line counts from there. It is read before anything changes, while the region's device starts
 * there.
 */
function startOf(id: number, lines: readonly string[]): string[] {
  const used = lines.some((line) => line.includes(`$start${id}`) || line.includes(`(start${id} `));
  return used ? [`start${id}=$(cat "$SYS/bus/dax/devices/$dax${id}_0/resource")`] : [];
}

/** Devices that the trace names, and those whose directory a line uses. */
function devicesIn(events: readonly string[], scope: Scope): string[] {
  const named = events.flatMap((event) => event.match(/dax\d+\.\d+/g) ?? []);
  return [...new Set([...scope.regions.map(({ id }) => `dax${id}.0`), ...named])].sort();
}

function regionText(region: ScopeRegion): string {
  const kind = region.static ? 'static (pmem)' : `dynamic (hmem${region.idle ? ', region_idle=1' : ''})`;
  const late = region.pageMapStart === undefined ? '' : ', page map that starts after its data';
  return `region ${region.id}: ${kind}, ${region.type} type, ${counted(region.size / PMD_SIZE)} or more${late}`;
}

function counted(units: number): string {
  return units === 1 ? '1 unit' : `${units} units`;
}
