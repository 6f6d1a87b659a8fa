/**
 * mount.udax: what mount(8) runs for `mount -t udax DEVICE DIRECTORY -o OPTIONS` and for lines of /etc/fstab. It turns mount's words
 * into those of `udax mount`.
 */

/** Options of fstab that are for mount(8) and systemd, not for the file system. */
const IGNORED =
  /^(defaults|auto|noauto|nofail|_netdev|rw|user|nouser|users|owner|group|exec|noexec|suid|nosuid|dev|nodev|(no)?(atime|diratime|relatime|strictatime|lazytime)|async|comment=.*|x-.*|X-.*)$/;

/** Options with a value: `settle=0.5` is `--settle 0.5`. */
const VALUES: Readonly<Record<string, string>> = {
  settle: '--settle',
  zero_copy: '--zero-copy',
  metrics: '--metrics',
  log_format: '--log-format',
};
const FLAGS: Readonly<Record<string, string>> = {
  ro: '--read-only',
  allow_other: '--allow-other',
  client_writes: '--client-writes',
  noxattr: '--no-xattr',
};
/** Options that belong before the command. */
const GLOBAL_VALUES: Readonly<Record<string, string>> = { root: '--root', role: '--role' };
const GLOBAL_FLAGS: Readonly<Record<string, string>> = { kernel: '--kernel', set_mode: '--set-mode' };

type MountWords = { words: string[] } | { usage: string } | { isFake: true };

/** @param args what mount(8) gives: `DEVICE DIRECTORY [-sfnv] [-N NAMESPACE] [-o OPTIONS] [-t TYPE]` */
export function mountWords(args: readonly string[]): MountWords {
  const places: string[] = [];
  const options: string[] = [];
  let isFake = false;
  let isSloppy = false;
  for (let at = 0; at < args.length; at++) {
    const word = args[at]!;
    if (word === '-o' || word === '-t' || word === '-N') {
      const value = args[++at];
      if (value === undefined) return { usage: `${word} needs a value` };
      if (word === '-N')
        return { usage: '-N is not supported: enter the namespace with nsenter(1) and mount there' };
      if (word === '-o') options.push(...value.split(',').filter((option) => option !== ''));
    } else if (/^-[sfnv]+$/.test(word)) {
      isFake ||= word.includes('f');
      isSloppy ||= word.includes('s');
    } else if (word.startsWith('-')) return { usage: `${word} is no option of mount.udax` };
    else places.push(word);
  }
  const [device, directory] = places;
  if (device === undefined || directory === undefined || places.length > 2)
    return { usage: 'usage: mount.udax DEVICE DIRECTORY [-sfnv] [-o OPTIONS]' };
  const before: string[] = [];
  const behind: string[] = [];
  for (const option of options) {
    const [name = '', value] = splitOnce(option);
    if (name in VALUES && value) behind.push(VALUES[name]!, value);
    else if (name in GLOBAL_VALUES && value) before.push(GLOBAL_VALUES[name]!, value);
    else if (option in FLAGS) behind.push(FLAGS[option]!);
    else if (option in GLOBAL_FLAGS) before.push(GLOBAL_FLAGS[option]!);
    else if (!IGNORED.test(option) && !isSloppy)
      return { usage: `${option} is no mount option of udax: it has ${known()}` };
  }
  // A device of fstab is one word, so `none` or a path; names of devices are taken as they are.
  return isFake ? { isFake } : { words: [...before, 'mount', ...behind, '--', device, directory] };
}

function splitOnce(option: string): [string, string | undefined] {
  const at = option.indexOf('=');
  return at < 0 ? [option, undefined] : [option.slice(0, at), option.slice(at + 1)];
}

function known(): string {
  const valued = [...Object.keys(VALUES), ...Object.keys(GLOBAL_VALUES)].map((name) => `${name}=`);
  return [...Object.keys(FLAGS), ...Object.keys(GLOBAL_FLAGS), ...valued].join(', ');
}
