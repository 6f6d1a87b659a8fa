import { mountFamfsOn, type Volume } from '../../famfs/index.js';
import { DaxError } from '../../libc/index.js';
import { type Address, parseAddress } from '../arguments/address.js';
import { integerArgument } from '../arguments/numbers.js';
import { type OwnershipFlags, ownershipOf, type StripeFlags, stripeOf } from '../arguments/ownership.js';
import type { Context } from '../context.js';
import { copySteps } from '../copying/copy.js';
import type { CopyJob } from '../copying/job.js';
import { localPlace, type Place, STANDARD_INPUT, STANDARD_OUTPUT, volumePlace } from '../copying/place.js';
import { planSource, type Step } from '../copying/plan.js';
import { mustFit, roomFor } from '../copying/room.js';
import { type Taken, tookText } from '../copying/took.js';
import { AlreadyReported, UsageError } from '../errors.js';
import { openDeviceOf, patienceOf, warnOfDamage } from '../opening.js';
import { count, humanSize } from '../output/human.js';

interface CpFlags extends OwnershipFlags, StripeFlags {
  recursive?: boolean;
  threads?: string;
  salvage?: boolean;
}

/** `udax cp` */
export async function cp(context: Context, args: string[], flags: CpFlags): Promise<void> {
  if (args.length < 2) throw new UsageError('cp wants SRC... DST, like: udax cp table.arrow dax0.0:/');
  const addresses = args.map((text, at) => standard(parseAddress(text), at === args.length - 1));
  const destination = addresses.pop()!;
  if ([...addresses, destination].every((address) => address.kind === 'local'))
    throw new UsageError('neither side is on a volume: write one as DEVICE:/path (cp(1) copies local files)');
  const local = addresses.find(({ kind }) => kind === 'local');
  if (local !== undefined && destination.kind === 'local')
    throw new UsageError(`${local.text} and ${destination.text} are both on this host: cp(1) copies those`);
  const options = {
    ...ownershipOf(flags),
    ...stripeOf(flags),
    ...(flags.threads === undefined ? {} : { threads: integerArgument(flags.threads, '-t THREADS', 1, 256) }),
  };
  const volumes = new OpenVolumes(context, flags.salvage ?? false);
  try {
    const target = volumes.place(destination, destination);
    const job: CopyJob = {
      target,
      options,
      signal: context.interruptible(),
      given: context.given,
      bytes: context.output.bytes,
    };
    const steps = planAll(addresses, destination, target, volumes, flags.recursive ?? false);
    const room = roomFor(job, steps);
    mustFit(job, room);
    const done = await copySteps(job, steps, (line) => context.output.note(line));
    const { took, ...counts } = done;
    const document = took === null ? counts : { ...counts, spaceBytes: took.bytes, took };
    // When standard output is the destination, it has only the file itself.
    if (destination.path !== STANDARD_OUTPUT || target.volume !== null) {
      const text = () => (done.files + done.directories > 0 ? summary(done, destination.text) : '');
      context.show(document, text);
    }
    if (done.failures.length > 0 || volumes.haveLosses) throw new AlreadyReported();
  } finally {
    volumes.close();
  }
}

/** Resolves `-`: standard input as a source, standard output as the destination. */
function standard(address: Address, isDestination: boolean): Address {
  if (address.kind === 'volume' || address.path !== '-') return address;
  return { ...address, path: isDestination ? STANDARD_OUTPUT : STANDARD_INPUT };
}

function summary(
  done: { files: number; directories: number; bytes: number; took: Taken | null },
  destination: string,
): string {
  const { took } = done;
  const made = done.directories > 0 ? ` and ${count(done.directories, 'directory', 'directories')}` : '';
  const copied = `${count(done.files, 'file')}${made} to ${destination}, ${humanSize(done.bytes)}`;
  // Files take whole units, so many small ones take far more space than they have bytes.
  return took && took.logEntries > 0 ? `${copied}; this took ${tookText(took)}` : copied;
}

function planAll(
  sources: readonly Address[],
  destination: Address,
  target: Place,
  volumes: OpenVolumes,
  recursive: boolean,
): Step[] {
  const there = target.stat(destination.path);
  if (sources.length > 1 && there?.type !== 'directory') {
    throw new DaxError('ENOTDIR', `${destination.text} is no directory: several sources need one to go into`);
  }
  return sources.flatMap((source) =>
    planSource(
      { place: volumes.place(source, destination), path: source.path, text: source.text },
      target,
      destination.path,
      recursive,
    ),
  );
}

/** The volumes of one copy. Each device is opened once, and for writing when it is the destination's. */
class OpenVolumes {
  readonly #context: Context;
  readonly #salvage: boolean;
  readonly #open = new Map<string, { place: Place; volume: Volume; device: { close(): void } }>();

  /** @param salvage read as much as possible of damaged sources */
  constructor(context: Context, salvage: boolean) {
    this.#context = context;
    this.#salvage = salvage;
  }

  place(address: Address, destination: Address): Place {
    if (address.kind === 'local') return localPlace;
    const known = this.#open.get(address.device);
    if (known) return known.place;
    const writable = destination.kind === 'volume' && destination.device === address.device;
    const device = openDeviceOf(this.#context, address.device, { writable });
    let volume: Volume;
    try {
      const { role } = this.#context;
      volume = mountFamfsOn(device, {
        readOnly: !writable,
        salvage: this.#salvage && !writable,
        ...patienceOf(this.#context),
        ...(role && { role }),
      });
    } catch (error) {
      device.close();
      throw error;
    }
    warnOfDamage(this.#context, volume, device);
    const place = volumePlace(address.device, volume);
    this.#open.set(address.device, { place, volume, device });
    return place;
  }

  /** Whether a volume that is being salvaged has unreadable parts. They were printed when it was opened. */
  get haveLosses(): boolean {
    return [...this.#open.values()].some(({ volume }) => volume.isSalvage && volume.problems.length > 0);
  }

  close(): void {
    for (const { volume, device } of this.#open.values()) {
      volume.close();
      device.close();
    }
    this.#open.clear();
  }
}
