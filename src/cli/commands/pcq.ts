import { readFileSync } from 'node:fs';
import { createQueue, openQueue, type Queue, type QueueInfo, queueInfo } from '../../famfs/index.js';
import { fail } from '../../libc/index.js';
import { volumeAddress } from '../arguments/address.js';
import { integerArgument } from '../arguments/numbers.js';
import { type OwnershipFlags, ownershipOf } from '../arguments/ownership.js';
import { positiveSizeArgument } from '../arguments/size.js';
import type { Context } from '../context.js';
import { UsageError } from '../errors.js';
import { withVolume } from '../opening.js';
import { count, humanSize } from '../output/human.js';
import { formatPairs } from '../output/table.js';

interface PcqFlags extends OwnershipFlags {
  nbuckets?: string;
  bucketsize?: string;
  count?: string;
  all?: boolean;
  /** False with --no-wait. */
  wait: boolean;
  text?: boolean;
}

/** `udax pcq create|put|get|info` */
export async function pcq(context: Context, args: string[], flags: PcqFlags): Promise<void> {
  const [action, text, ...messages] = args;
  if (text === undefined)
    throw new UsageError('pcq wants create, put, get or info, and the queue: dax0.0:/q');
  if (messages.length > 0 && action !== 'put')
    throw new UsageError(`pcq ${action} takes one queue and nothing behind it`);
  if (action === 'create') create(context, text, flags);
  else if (action === 'info') info(context, text);
  else if (action === 'put') await put(context, text, messages, flags);
  else if (action === 'get') await get(context, text, flags);
  else throw new UsageError(`pcq knows create, put, get and info, not "${action}"`);
}

function create(context: Context, text: string, flags: PcqFlags): void {
  const { device, path } = volumeAddress(text);
  if (flags.nbuckets === undefined || flags.bucketsize === undefined) {
    throw new UsageError('pcq create needs -n BUCKETS and -b BUCKETSIZE, like -n 1024 -b 64');
  }
  const nbuckets = integerArgument(flags.nbuckets, '-n BUCKETS', 2, 0xffff_ffff);
  const bucketSize = positiveSizeArgument(flags.bucketsize, '-b BUCKETSIZE');
  const ownership = ownershipOf(flags);
  withVolume(context, device, { readOnly: false }, (volume) => {
    createQueue(volume, path, { nbuckets, bucketSize, ...ownership });
    showInfo(context, text, queueInfo(volume, path));
  });
}

function info(context: Context, text: string): void {
  const { device, path } = volumeAddress(text);
  withVolume(context, device, { readOnly: true }, (volume) =>
    showInfo(context, text, queueInfo(volume, path)),
  );
}

function showInfo(context: Context, text: string, queue: QueueInfo): void {
  context.show(queue, () =>
    formatPairs([
      ['queue', text],
      ['buckets', `${queue.nbuckets} of ${humanSize(queue.bucketSize)}`],
      ['message', `${queue.payloadSize} bytes`],
      ['waiting', `${queue.length} of at most ${queue.capacity}`],
      ['put', `${count(queue.nextPutSeq, 'message')}, next bucket ${queue.producerIndex}`],
      ['taken', `${count(queue.nextGetSeq, 'message')}, next bucket ${queue.consumerIndex}`],
    ]),
  );
}

async function put(context: Context, text: string, messages: string[], flags: PcqFlags): Promise<void> {
  const { device, path } = volumeAddress(text);
  const times = flags.count === undefined ? 1 : integerArgument(flags.count, '-c COUNT', 1);
  const input = messages.length > 0 ? null : readFileSync(0);
  await withVolume(context, device, { readOnly: false, clientWrites: true }, async (volume) => {
    const queue = openQueue(volume, path, { role: 'producer' });
    try {
      const list =
        input === null ? messages.map((message) => Buffer.from(message)) : cut(input, queue.payloadSize);
      const signal = context.interruptible();
      let done = 0;
      for (let i = 0; i < times; i++) {
        for (const message of list) {
          if (flags.wait) await queue.put(message, { signal });
          else if (!queue.tryPut(message))
            fail('EAGAIN', `${text} is full, ${count(done, 'message')} put`, { path });
          done++;
        }
      }
      context.show(
        { path, put: done, waiting: queue.length },
        () => `${text}: ${count(done, 'message')} put`,
      );
    } finally {
      queue.close();
    }
  });
}

function cut(bytes: Buffer, size: number): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size));
  return pieces;
}

async function get(context: Context, text: string, flags: PcqFlags): Promise<void> {
  const { device, path } = volumeAddress(text);
  if (flags.all && flags.count !== undefined) throw new UsageError('-a and -c COUNT exclude each other');
  const wanted = flags.all
    ? Infinity
    : flags.count === undefined
      ? 1
      : integerArgument(flags.count, '-c COUNT', 1);
  await withVolume(context, device, { readOnly: false, clientWrites: true }, async (volume) => {
    const queue = openQueue(volume, path, { role: 'consumer' });
    try {
      const messages: Uint8Array[] = [];
      for (let taken = 0; taken < wanted; taken++) {
        const message = await next(context, queue, flags);
        if (message === null) break;
        if (context.json) messages.push(message);
        else await print(context, message, flags);
      }
      if (context.json)
        context.output.document({ path, messages: messages.map((bytes) => shown(bytes, flags)) });
    } finally {
      queue.close();
    }
  });
}

/**
 * Takes the next message. Returns null when the queue is empty with --all.
 * @throws DaxError EAGAIN the queue is empty, with --no-wait
 */
async function next(context: Context, queue: Queue, flags: PcqFlags): Promise<Uint8Array | null> {
  if (flags.wait && !flags.all) return queue.get({ signal: context.interruptible() });
  const message = queue.tryGet();
  if (message === null && !flags.all) fail('EAGAIN', `${queue.path} is empty`, { path: queue.path });
  return message;
}

async function print(context: Context, message: Uint8Array, flags: PcqFlags): Promise<void> {
  if (flags.text) context.output.print(textOf(message));
  else await context.output.bytes(message);
}

function shown(message: Uint8Array, flags: PcqFlags): string {
  return flags.text ? textOf(message) : Buffer.from(message).toString('base64');
}

/** The text of a message without the zeroes that fill it up. */
function textOf(message: Uint8Array): string {
  return Buffer.from(message).toString('utf8').replace(/\0+$/, '');
}
