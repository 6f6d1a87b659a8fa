/** Fixed uuids of hosts and file systems, so that two runs make the same bytes. */
export const THIS_HOST = '11111111-2222-4333-8444-555555555555';
export const OTHER_HOST = '99999999-2222-4333-8444-555555555555';
export const THIRD_HOST = '77777777-2222-4333-8444-555555555555';
export const uuids = {
  old: { fileSystem: 'aaaaaaaa-0000-4000-8000-000000000001', device: 'aaaaaaaa-0000-4000-8000-000000000002' },
  fresh: {
    fileSystem: 'bbbbbbbb-0000-4000-8000-000000000001',
    device: 'bbbbbbbb-0000-4000-8000-000000000002',
  },
  next: {
    fileSystem: 'cccccccc-0000-4000-8000-000000000001',
    device: 'cccccccc-0000-4000-8000-000000000002',
  },
};
