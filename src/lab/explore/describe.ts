/** A state in a line, for people: what is loaded, what drives each device, who uses it. */
import type { World } from './world.js';

export function describe(world: World): string {
  const { bus } = world;
  const modules = bus.drivers.map(({ name, ids }) => (ids.length === 0 ? name : `${name}(${ids.join(' ')})`));
  const devices = bus.devices().map(({ name, driver, dax }) => {
    const users = [
      ...world.fileSystems.filter(({ device }) => device?.name === name).map((one) => one.name),
      ...[...world.files].filter(([, file]) => file.device.name === name).map(([file]) => file),
    ];
    const dying = dax.dying ? ' dying' : '';
    return `${name}=${driver ?? 'none'}${dying}${users.length === 0 ? '' : ` used by ${users.join()}`}`;
  });
  const calls = [...world.threads.values()].map(({ about, pause }) => `${about} ${pause.at}`);
  const parts = [modules.join(' ') || 'no modules', devices.join(', ') || 'no devices', ...calls];
  if (!bus.autoprobe) parts.push('autoprobe off');
  return parts.join('; ');
}
