/** The uuid of this host. A superblock names its owner by such a uuid (famfs-format.md 4). */
import { randomUUID } from 'node:crypto';
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { asDaxError, fail, hasCode, makeDirectories, removeLeftover } from '../../libc/index.js';
import { isUuid } from './uuid.js';

/** The file where C famfs keeps the uuid. All programs of a host share it. */
export const FAMFS_SYSTEM_UUID_FILE = '/opt/famfs/system_uuid';
const ENVIRONMENT = 'UDAX_SYSTEM_UUID';

export interface SystemUuidOptions {
  /** Default: process.env. */
  environment?: NodeJS.ProcessEnv;
  /** Default: /opt/famfs/system_uuid. Only read, never written. */
  hostFile?: string;
}

/**
 * This host's uuid, in lower case. It comes from `$UDAX_SYSTEM_UUID`, else from the host's file, else from
 * `stateDirectory`/system_uuid, which is made once.
 * @throws DaxError EINVAL the variable or file holds no uuid (it is left unchanged), or the error of reading or making the file
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

/** Null when the file does not exist, is empty, or this user may not read it. */
function readUuidFile(file: string): string | null {
  let text: string;
  try {
    text = readFileSync(file, 'latin1');
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'EPERM')) return null;
    throw asDaxError(error, `reading the system uuid from ${file}`, file);
  }
  // As C reads it: the first token, at most 36 characters. The file that C writes ends in a NUL.
  const token = text.split(/[\s\0]+/).find((word) => word !== '');
  return token === undefined ? null : checked(token.slice(0, 36), file);
}

function checked(text: string, where: string): string {
  if (!isUuid(text)) fail('EINVAL', `${where} holds '${text}', which is no uuid: correct or remove it`);
  return text.toLowerCase();
}

/** Writes the file under another name, then links it. When two processes race, one link wins and both read the same uuid. */
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
    // Another process made the file first, or left an empty one behind. An empty file is replaced.
    if (readUuidFile(file) === null) {
      rmSync(file, { force: true });
      linkDraft(draft, file);
    }
  }
}
