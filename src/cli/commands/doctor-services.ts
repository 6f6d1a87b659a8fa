/** What runs for years on this host: the state directory, memory in RAM, mounts, and what starts them at boot. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { RegionInfo } from '../../machine/index.js';
import type { Context } from '../context.js';
import { withMachineIfAny } from '../opening.js';
import { count, humanSize } from '../output/human.js';
import type { Finding } from './finding.js';
import { allMounts } from './mounts.js';

export async function serviceFindings(context: Context): Promise<Finding[]> {
  return [
    stateDirectory(context),
    ramMemory(context),
    await mounts(context),
    requestQueue(),
    services(),
    terminal(),
  ];
}

function stateDirectory({ root, kernel }: Context): Finding {
  const subject = 'state directory';
  const stat = statSync(root, { throwIfNoEntry: false });
  if (stat === undefined)
    return {
      subject,
      verdict: 'ok',
      found: `${root} is not there yet`,
      meaning: kernel
        ? 'the first command that keeps something makes it'
        : 'udax create-region or udax up makes a machine in it',
    };
  const isGroups = (stat.mode & 0o2020) === 0o2020;
  const mode = `mode ${(stat.mode & 0o7777).toString(8).padStart(4, '0')}`;
  if ((stat.mode & 0o002) !== 0)
    return {
      subject,
      verdict: 'limited',
      found: `${root} may be written by everybody (${mode})`,
      meaning: 'any user can take the machine away: chmod o-w, or share it with a group (docs/services.md)',
    };
  return {
    subject,
    verdict: 'ok',
    found: `${root}, ${mode}`,
    meaning: isGroups
      ? `group ${stat.gid} shares the machine, its memory too`
      : 'others than its owner may look at most; chmod 2770 shares it with a group (docs/services.md)',
  };
}

/** Memory of create-region --ram: that of this machine, and files of others. */
function ramMemory(context: Context): Finding {
  const subject = 'memory in RAM';
  const files = (existsSync('/dev/shm') ? readdirSync('/dev/shm') : []).filter((name) =>
    /^udax-\d+-\d+-[0-9a-f]{16}\.mem$/.test(name),
  );
  const bytes = files.reduce(
    (sum, name) => sum + (statSync(join('/dev/shm', name), { throwIfNoEntry: false })?.size ?? 0),
    0,
  );
  const own = ramRegions(context);
  const lost = own.filter(({ backing }) => backing.problem !== undefined);
  if (lost.length > 0)
    return {
      subject,
      verdict: 'limited',
      found: `region ${lost.map(({ id }) => id).join(', ')}: ${lost[0]!.backing.problem}`,
      meaning:
        'udax destroy-region -f and create-region --ram make it anew; a unit does so at boot: udax systemd-unit machine --ram SIZE',
    };
  const others = files.length - own.length;
  return {
    subject,
    verdict: 'ok',
    found:
      files.length === 0
        ? 'none'
        : `${count(files.length, 'file')} in /dev/shm, ${humanSize(bytes)}; ${own.length} of this machine`,
    meaning:
      others > 0
        ? 'files of other machines go with their regions; one whose state directory was removed has to be removed by hand'
        : 'udax create-region --ram makes memory there that goes with its region',
  };
}

function ramRegions(context: Context): RegionInfo[] {
  if (context.kernel) return [];
  return withMachineIfAny<RegionInfo[]>(context, [], (machine) =>
    machine.regions().filter(({ backing }) => backing.ram),
  );
}

async function mounts(context: Context): Promise<Finding> {
  const subject = 'mounts';
  const found = await allMounts(context.root);
  const measured = found.filter(({ metrics }) => metrics !== undefined).length;
  const all = found.length === 0 ? 'none' : `${count(found.length, 'mount')}, ${measured} with metrics`;
  const bad = found.filter(({ state }) => state === 'dead' || state === 'hangs');
  if (bad.length === 0)
    return {
      subject,
      verdict: 'ok',
      found: all,
      meaning: 'udax mount --metrics PLACE lets udax top and a scraper see what programs do through it',
    };
  const told = bad.map(
    ({ mountpoint, state }) => `${mountpoint} ${state === 'dead' ? 'is dead' : 'does not answer'}`,
  );
  return {
    subject,
    verdict: 'limited',
    found: `${all}; ${told.join(', ')}`,
    meaning: 'udax umount DIRECTORY takes a dead mount away, with -f one that does not answer too',
  };
}

function requestQueue(): Finding {
  const isThere =
    existsSync('/sys/fs/fuse/connections') && readdirSync('/sys/fs/fuse/connections').length > 0;
  return {
    subject: 'request queue',
    verdict: 'ok',
    found: isThere ? 'the kernel tells what waits' : 'fusectl is not mounted, or nothing is',
    meaning: isThere
      ? 'metrics of mounts have waiting_requests'
      : 'metrics of mounts lack waiting_requests: mount -t fusectl fusectl /sys/fs/fuse/connections (root)',
  };
}

function services(): Finding {
  const subject = 'services';
  const hasSystemd = existsSync('/run/systemd/system');
  const hasHelper = ['/sbin/mount.udax', '/usr/sbin/mount.udax'].some((file) => existsSync(file));
  const found = `${hasSystemd ? 'systemd runs' : 'systemd does not run'}, ${hasHelper ? 'mount.udax is there' : 'no /sbin/mount.udax'}`;
  return {
    subject,
    verdict: 'ok',
    found,
    meaning: `${hasSystemd ? 'udax systemd-unit prints units' : 'a container or another init starts udax mount -f'}; lines of /etc/fstab need /sbin/mount.udax (docs/services.md)`,
  };
}

function terminal(): Finding {
  const { isTTY, columns } = process.stdout;
  const isPlain = Boolean(process.env.NO_COLOR) || process.env.TERM === 'dumb';
  return {
    subject: 'terminal',
    verdict: 'ok',
    found: isTTY ? `${columns} columns${isPlain ? ', no colours wanted' : ''}` : 'stdout is no terminal',
    meaning: isTTY
      ? 'udax top is live here; tables fit the columns'
      : 'udax top is one look here; tables have whole lines',
  };
}
