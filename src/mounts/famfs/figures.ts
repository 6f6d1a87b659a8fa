import type { FuseFigures } from '../../fuse/index.js';

/** What the worker tells of its file system. */
export interface FamfsFigures {
  /** Handles of files that programs have open through the mount. */
  readonly openFiles: number;
  /** Files, directories and links made or changed through the mount that are not published yet. */
  readonly unpublished: number;
  /** Log entries that are published and that the mount has not taken in. */
  readonly replayLag: number;
}

/** What a mount has done since it began, and how it stands now. */
export interface FamfsMountFigures extends FuseFigures, FamfsFigures {
  /** Seconds since the mount last looked for what others published; it looks ten times a second. */
  readonly lookAge: number;
}

/** A question of the mount's main thread to the worker. All but `figures` are answered with the nodes whose pages the kernel drops. */
export type FamfsQuestion = 'tick' | 'publish' | 'figures' | { readonly publish: string };
