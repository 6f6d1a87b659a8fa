import { takeOver } from '../../index.js';
import { deviceArgument } from '../arguments/address.js';
import type { Context } from '../context.js';
import { withDevice } from '../opening.js';

/** `udax take-over` */
export function takeOverCommand(
  context: Context,
  [text = '']: string[],
  flags: { from?: string; force?: boolean },
): void {
  const where = deviceArgument(text);
  const options = { force: flags.force ?? false, ...(flags.from !== undefined && { from: flags.from }) };
  const result = withDevice(context, where, { writable: true }, (device) => takeOver(device, options));
  context.show(result, () => {
    if (!result.changed) return `${where}: this host (${result.to}) is the owner already`;
    const how = result.completed ? ' (a take-over that was cut short is complete now)' : '';
    return `${where}: taken over from ${result.from}, this host (${result.to}) is the owner now${how}`;
  });
}
