export { type DeviceMedia, type DeviceMediaOptions, type Durability, deviceMedia } from './device-media.js';
export { VolumeFile } from './file.js';
export type {
  CopyOptions,
  CopyProgress,
  CreateOptions,
  FamfsDevice,
  FileStat,
  MapOptions,
  MkdirOptions,
  MountOptions,
  OpenOptions,
  ViewConstructor,
  VolumeStatfs,
} from './types.js';
export { mountFamfsOn, Volume } from './volume.js';
