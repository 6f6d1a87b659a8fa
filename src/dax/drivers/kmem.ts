import { fail } from '../../libc/index.js';
import type { Resource } from '../../mm/index.js';
import type { DevDax, RegionType } from '../regions/dev-dax.js';
import { lengthOf, type Span } from '../regions/ranges.js';
import type { Devres } from './devres.js';
import { DaxDriver, type Probed } from './driver.js';

/** The name of the child resource of every kmem resource. */
export const KMEM_RESOURCE = 'System RAM (kmem)';

/** kmem: the ranges become memory blocks of the target node. The policy auto_online_blocks onlines them. */
export class KmemDriver extends DaxDriver {
  readonly name = 'kmem';

  matchesType(type: RegionType): boolean {
    return type === 'kmem';
  }

  probe(device: DevDax, devres: Devres): Probed {
    const { targetNode } = device;
    if (targetNode < 0) {
      this.platform.log(4, `kmem ${device.name}: rejecting DAX region with invalid node: ${targetNode}`);
      fail('EINVAL', `${device.name} has target_node ${targetNode}: its memory belongs to no node`);
    }
    const spans = this.#wholeBlocks(device);
    let bound = false;
    const resources = spans.map((span) =>
      devres.acquire(
        `range ${span.at}`,
        () => this.#reserve(device, span),
        (resource) => this.#release(device, span, resource, bound),
      ),
    );
    for (const [at, span] of spans.entries())
      devres.acquire(`memory ${span.at}`, () => this.#add(device, span, resources[at]!));
    bound = true;
    return { ranges: device.ranges, pageMap: null, file: 'none' };
  }

  /** Each range trimmed to whole memory blocks. Ranges without one are skipped. @throws DaxError EINVAL no block at all */
  #wholeBlocks(device: DevDax): (Span & { at: number })[] {
    const { memoryBlocks } = this.platform;
    const spans = device.ranges.flatMap((range, at) => {
      const { start, length } = memoryBlocks.trim(range.start, lengthOf(range));
      if (length === 0) {
        this.platform.log(6, `kmem ${device.name}: mapping${at}: ${hex(range)} too small after alignment`);
        return [];
      }
      return [{ start, end: start + length - 1, at }];
    });
    const lost = device.size - spans.reduce((sum, span) => sum + lengthOf(span), 0);
    if (spans.length === 0) {
      this.platform.log(4, `kmem ${device.name}: rejecting DAX region without any memory after alignment`);
      fail('EINVAL', `${device.name} holds no whole memory block of ${memoryBlocks.blockBytes} bytes`);
    }
    if (lost > 0)
      this.platform.log(
        4,
        `kmem ${device.name}: DAX region truncated by ${lost / 2 ** 20} MiB due to alignment`,
      );
    return spans;
  }

  #reserve(device: DevDax, span: Span & { at: number }): Resource {
    const { resources } = this.platform;
    const resource = resources.request(span.start, span.end, device.name, { busy: false });
    if (resource !== null) return resource;
    this.platform.log(4, `kmem ${device.name}: mapping${span.at}: ${hex(span)} could not reserve region`);
    return fail('EBUSY', `${device.name} mapping${span.at}: ${hex(span)} is claimed by somebody else`, {
      path: device.name,
    });
  }

  #add(device: DevDax, span: Span, resource: Resource): void {
    const { memoryBlocks, resources } = this.platform;
    memoryBlocks.add(span.start, lengthOf(span), device.targetNode, device.name);
    resources.requestChild(resource, span.start, span.end, KMEM_RESOURCE);
  }

  /**
   * Removes the memory of a range, or strands it: a range with an online block stays, with its resource, and the unbind still
   * succeeds. (After a failed probe the blocks are offlined first: nobody can have used them yet.)
   */
  #release(device: DevDax, span: Span & { at: number }, resource: Resource, bound: boolean): void {
    const { memoryBlocks, resources, stranded } = this.platform;
    if (!bound) memoryBlocks.offlineAll(span.start, lengthOf(span));
    const online = memoryBlocks.firstOnline(span.start, lengthOf(span));
    if (online === undefined) {
      memoryBlocks.remove(span.start, lengthOf(span));
      resources.release(resource);
      return;
    }
    stranded.push({
      device: device.name,
      start: span.start,
      end: span.end,
      node: device.targetNode,
      resource,
    });
    this.platform.log(
      3,
      `kmem ${device.name}: mapping${span.at}: ${hex(span)} cannot be hotremoved until the next reboot`,
    );
  }
}

function hex({ start, end }: Span): string {
  return `0x${start.toString(16)}-0x${end.toString(16)}`;
}
