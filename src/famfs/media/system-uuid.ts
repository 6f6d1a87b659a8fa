/** The uuid of this host: who owns a famfs (famfs-format.md 4). */
import { randomUUID } from 'node:crypto';
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { asDaxError, fail, hasCode, makeDirectories, removeLeftover } from '../../libc/index.js';
import { isUuid } from './uuid.js';

/** Where C famfs keeps it, shared by all programs of a host. */
export const FAMFS_SYSTEM_UUID_FILE = '/opt/famfs/system_uuid';
const ENVIRONMENT = 'UDAX_SYSTEM_UUID';

export interface SystemUuidOptions {
  /** Default: process.env. */
  environment?: NodeJS.ProcessEnv;
  /** Default: /opt/famfs/system_uuid. Only read, never written. */
  hostFile?: string;
}

/**
 * `$UDAX_SYSTEM_UUID`, else the host's file, else one made (once) in `stateDirectory`. Lower case.
 * @throws DaxError EINVAL when the one that is there is no uuid (it is left alone), or the error of reading or making it
 */
export function systemUuid(stateDirectory: string, options: SystemUuidOptions = {}): string {
  const fromEnvironment = (options.environment ?? process.env)[ENVIRONMENT];
  if (fromEnvironment !== undefined && fromEnvironment !== '') {
    return checked(fromEnvironment, `$${ENVIRONMENT}`);
  }
  const hostFile = options.hostFile ?? FAMFS_SYSTEM_UUID_FILE;
  const ownFile = join(stateDirectory, 'system_uuid');
  return readUuidFile(hostFile) ?? readUuidFile(ownFile) ?? makeUuidFile(stateDirectory, ownFile);
}

/** Null when it is not there, empty, or not ours to read. */
function readUuidFile(file: string): string | null {
  let text: string;
  try {
    text = readFileSync(file, 'latin1');
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'EPERM')) return null;
    throw asDaxError(error, `reading the system uuid from ${file}`, file);
  }
  // C: the first token, at most 36 characters; its own file ends in a NUL.
  const token = text.split(/[\s\0]+/).find((word) => word !== '');
  return token === undefined ? null : checked(token.slice(0, 36), file);
}

function checked(text: string, where: string): string {
  if (!isUuid(text)) fail('EINVAL', `${where} holds '${text}', which is no uuid: correct or remove it`);
  return text.toLowerCase();
}

/** Made whole under another name, then linked: of two processes one wins and both read the same. */
function makeUuidFile(directory: string, file: string): string {
  const draft = `${file}.${process.pid}.${randomUUID()}`;
  try {
    makeDirectories(directory);
    try {
      writeFileSync(draft, `${randomUUID()}\0`, { mode: 0o444, flag: 'wx' });
      linkDraft(draft, file);
    } finally {
      removeLeftover(draft);
    }
  } catch (error) {
    throw asDaxError(error, `making a system uuid in ${directory}`, file);
  }
  const made = readUuidFile(file);
  if (made !== null) return made;
  return fail('EACCES', `${file} was just made, but this user cannot read it: correct its mode`, {
    path: file,
  });
}

function linkDraft(draft: string, file: string): void {
  try {
    linkSync(draft, file);
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
    // Somebody made one first, or left an empty one behind: an empty one is replaced.
    if (readUuidFile(file) === null) {
      rmSync(file, { force: true });
      linkDraft(draft, file);
    }
  }
}
