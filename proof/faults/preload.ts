// Loaded through Node's --import in the main thread. A worker inherits that, so it is also loaded in the thread that serves a
// FUSE mount.
import { isMainThread } from 'node:worker_threads';
import { injector } from './injector.js';
import { ordersOfThisWorker } from './orders.js';
import { patchAll } from './patches.js';

patchAll();
const orders = isMainThread ? undefined : ordersOfThisWorker();
if (orders !== undefined) injector.follow(orders);
