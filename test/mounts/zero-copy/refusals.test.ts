import { afterEach, describe, expect, it } from 'vitest';
import { because, noMounts, Place } from '../support.js';

let place: Place;
afterEach(() => place.close());

describe.skipIf(noMounts !== '')(`--zero-copy on memory that is no device of the kernel${because}`, () => {
  it('always is EOPNOTSUPP with the reason, and mounts nothing; auto is an ordinary mount, without a word', () => {
    place = new Place();
    place.makeVolume();
    const at = place.mountpoint();
    const always = place.udax('mount', '--zero-copy', 'always', 'dax0.0', at);
    expect(always).toMatchObject({ status: 1, stdout: '' });
    expect(always.stderr).toContain('dax0.0 is no dax device of this kernel: only those can be handed to it');
    expect(always.stderr).toContain('(EOPNOTSUPP)');
    expect(place.udax('umount', at).status).toBe(1);
    expect(place.udax('mount', '--zero-copy', 'auto', 'dax0.0', at)).toMatchObject({ status: 0, stderr: '' });
    expect(place.udax('umount', at)).toMatchObject({ status: 0 });
  });

  it('another word is wrong usage', () => {
    place = new Place();
    place.makeVolume();
    const { status, stderr } = place.udax('mount', '--zero-copy', 'maybe', 'dax0.0', place.mountpoint());
    expect({ status, stderr }).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('--zero-copy takes auto, always or never, not maybe'),
    });
  });
});
