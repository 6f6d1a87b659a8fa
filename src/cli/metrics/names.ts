import type { Exposition, MetricType } from './exposition.js';

/** Every metric, with its meaning. docs/metrics.md has the same table, which a test compares. */
export const METRICS: readonly (readonly [name: string, type: MetricType, help: string])[] = [
  ['udax_build_info', 'gauge', 'Always 1; the labels tell the versions of udax and Node.'],
  ['udax_region_size_bytes', 'gauge', 'Memory of a region.'],
  ['udax_region_free_bytes', 'gauge', 'Memory of a region that no device has.'],
  ['udax_device_size_bytes', 'gauge', 'Size of a device; the labels tell its mode and state.'],
  ['udax_device_holders', 'gauge', 'Processes that have a device open.'],
  ['udax_device_poison_bytes', 'gauge', 'Memory of a device that is known to have failed.'],
  ['udax_volume_up', 'gauge', '1 when the file system of a device could be mounted, else 0.'],
  ['udax_volume_master', 'gauge', '1 when this host owns the file system and may write, else 0.'],
  ['udax_volume_size_bytes', 'gauge', 'Size of a file system.'],
  ['udax_volume_used_bytes', 'gauge', 'Units that are taken, with superblock and log.'],
  ['udax_volume_free_bytes', 'gauge', 'Units that are free.'],
  ['udax_volume_unit_bytes', 'gauge', 'What a file takes at least.'],
  ['udax_volume_metadata_bytes', 'gauge', 'Superblock and log.'],
  ['udax_volume_file_bytes', 'gauge', 'Sum of the sizes of all files of the log.'],
  ['udax_volume_rounding_bytes', 'gauge', 'Bytes of the units of files that hold none of their bytes.'],
  ['udax_volume_reserved_bytes', 'gauge', 'Reserved by living processes for what is not published yet.'],
  ['udax_volume_reclaimable_bytes', 'gauge', 'Taken by what no name reaches; a rewrite gives it back.'],
  ['udax_volume_files', 'gauge', 'Files of the log.'],
  ['udax_volume_directories', 'gauge', 'Directories of the log.'],
  ['udax_volume_log_slots', 'gauge', 'Entries that the log can have.'],
  ['udax_volume_log_used', 'gauge', 'Entries that the log has.'],
  ['udax_volume_annex_slots', 'gauge', 'Slots of the annexes; 0 while there is none.'],
  ['udax_volume_annex_used', 'gauge', 'Slots of the annexes that are taken.'],
  ['udax_volume_annex_records', 'gauge', 'Records of the annexes.'],
  ['udax_volume_problems', 'gauge', 'Entries and records that break a rule, or stop the replay.'],
  ['udax_mount_up', 'gauge', '1 when a mount is served, 0 when it hangs or its process is gone.'],
  ['udax_arena_heap_bytes', 'gauge', 'Space for values.'],
  ['udax_arena_used_bytes', 'gauge', 'Committed values.'],
  ['udax_arena_reserved_bytes', 'gauge', 'Reservations that are not committed yet.'],
  ['udax_arena_limbo_bytes', 'gauge', 'Deleted values that somebody has pinned.'],
  ['udax_arena_free_bytes', 'gauge', 'Free space for values.'],
  ['udax_arena_objects', 'gauge', 'Committed objects.'],
  ['udax_arena_members', 'gauge', 'Handles that are open on living hosts.'],
  ['udax_arena_puts', 'counter', 'Objects committed since the arena was made, modulo 2^32.'],
  ['udax_arena_deletes', 'counter', 'Objects deleted, modulo 2^32.'],
  ['udax_arena_evictions', 'counter', 'Objects evicted, modulo 2^32.'],
  ['udax_arena_expirations', 'counter', 'Objects that expired, modulo 2^32.'],
];

export function declareAll(into: Exposition): void {
  for (const [name, type, help] of METRICS) into.declare(name, type, help);
}
