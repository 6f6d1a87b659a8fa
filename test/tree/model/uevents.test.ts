import { describe, expect, it } from 'vitest';
import { parseSyntheticUevent } from '../../../src/tree/model/uevents.js';

describe('a store to an uevent attribute', () => {
  it('asks for an action, with or without a newline', () => {
    expect(parseSyntheticUevent('add')).toEqual({ action: 'add', lines: ['SYNTH_UUID=0'] });
    expect(parseSyntheticUevent('online\n').action).toBe('online');
  });

  it('may carry a UUID and arguments', () => {
    const uuid = '12345678-1234-1234-1234-123456789abc';
    expect(parseSyntheticUevent(`add ${uuid} FOO=bar A=1`).lines).toEqual([
      `SYNTH_UUID=${uuid}`,
      'SYNTH_ARG_FOO=bar',
      'SYNTH_ARG_A=1',
    ]);
  });

  it('is EINVAL for anything else', () => {
    for (const text of [
      'junk',
      '',
      'add notauuid',
      'add 12345678-1234-1234-1234-123456789abc FOO',
      'add\n\n',
    ]) {
      expect(() => parseSyntheticUevent(text)).toThrowError(expect.objectContaining({ code: 'EINVAL' }));
    }
  });
});
