import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isUuid, systemUuid } from '../../src/famfs/index.js';
import { formatUuid, parseUuid } from '../../src/famfs/media/uuid.js';
import { HOST, OTHER_HOST } from './volume-maker.js';

describe('uuids', () => {
  it('are 16 bytes in the order of their text', () => {
    const bytes = parseUuid('00112233-4455-6677-8899-aabbccddeeff');
    expect(Buffer.from(bytes).toString('hex')).toBe('00112233445566778899aabbccddeeff');
    expect(formatUuid(bytes)).toBe('00112233-4455-6677-8899-aabbccddeeff');
  });

  it.each(['', 'x', '00112233445566778899aabbccddeeff', '00112233-4455-6677-8899-aabbccddeefg'])(
    '%j is none',
    (text) => expect(() => parseUuid(text)).toThrowError(expect.objectContaining({ code: 'EINVAL' })),
  );
});

describe('the system uuid', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'udax-uuid-'));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));
  const options = (environment: NodeJS.ProcessEnv = {}) => ({
    environment,
    hostFile: join(directory, 'host'),
  });
  const state = () => join(directory, 'state');

  it('comes from the environment first', () => {
    writeFileSync(join(directory, 'host'), HOST);
    const environment = { UDAX_SYSTEM_UUID: OTHER_HOST.toUpperCase() };
    expect(systemUuid(state(), options(environment))).toBe(OTHER_HOST);
  });

  it('comes from the file of C famfs next, which ends in a NUL', () => {
    writeFileSync(join(directory, 'host'), `${HOST}\0`);
    expect(systemUuid(state(), options())).toBe(HOST);
    expect(() => statSync(state())).toThrow();
  });

  it('is made once in the state directory else, as C would write it', () => {
    const uuid = systemUuid(state(), options());
    expect(isUuid(uuid)).toBe(true);
    expect(systemUuid(state(), options())).toBe(uuid);
    const file = join(state(), 'system_uuid');
    expect(readFileSync(file, 'latin1')).toBe(`${uuid}\0`);
    expect(statSync(file).mode & 0o777).toBe(0o444);
  });

  it('replaces an empty file of its own', () => {
    const uuid = systemUuid(state(), options());
    rmSync(join(state(), 'system_uuid'));
    writeFileSync(join(state(), 'system_uuid'), '');
    expect(systemUuid(state(), options())).not.toBe(uuid);
    expect(systemUuid(state(), options())).toBe(systemUuid(state(), options()));
  });

  it('that cannot be parsed is an error that names the place, and stays', () => {
    writeFileSync(join(directory, 'host'), 'garbage\n');
    expect(() => systemUuid(state(), options())).toThrowError(/host holds 'garbage'/);
    expect(readFileSync(join(directory, 'host'), 'utf8')).toBe('garbage\n');
    expect(() => systemUuid(state(), options({ UDAX_SYSTEM_UUID: 'x' }))).toThrowError(
      /\$UDAX_SYSTEM_UUID holds 'x'/,
    );
  });

  it('that cannot be made is an error with its cause', () => {
    writeFileSync(join(directory, 'state'), 'a file in the way');
    expect(() => systemUuid(join(state(), 'below'), options())).toThrowError(
      expect.objectContaining({ code: 'ENOTDIR' }),
    );
  });
});
