/** Shadow files. */
import { fileYaml, parseFileYaml } from '../../../src/famfs/index.js';
import { parseYaml } from '../../../src/famfs/shadow/yaml-document.js';
import { nastyName, nastyText, Random } from '../random.js';
import { answered, assert, type Target } from '../target.js';

function document(random: Random): string {
  const strips = 1 + random.below(4);
  const extents = Array.from({ length: strips }, (_, i) => ({
    devindex: 0,
    offset: (5 + i) * 2 ** 21,
    length: 2 ** 21,
  }));
  return fileYaml({
    kind: 'file',
    path: random.once(2) ? nastyName(random).toString().replaceAll('\0', '') : 'd/file',
    size: 1 + random.below(2 ** 31),
    flags: random.below(4),
    uid: random.u32(),
    gid: random.below(70000),
    mode: random.below(0o10000),
    fmap: random.once(2)
      ? { type: 'simple', extents }
      : { type: 'interleaved', nstrips: strips, chunkSize: 2 ** 21, extents },
  });
}

export const yamlTarget: Target = {
  name: 'yaml',
  share: 100,
  open() {},
  run(recipe) {
    let text = document(new Random(recipe[0] ?? 0));
    for (const seed of recipe) text = nastyText(new Random(seed + 9), text);
    // A file has bytes, so half of a surrogate pair never comes from one.
    text = Buffer.from(text).toString();
    answered(() => parseYaml(text, 'fuzz.yaml'));
    const file = answered(() => parseFileYaml(text, 'fuzz.yaml'));
    if (file === undefined) return;
    // What was read must be the same after it was written and read again.
    const again = answered(() => parseFileYaml(fileYaml(file), 'fuzz.yaml'));
    assert(
      JSON.stringify(again) === JSON.stringify(file),
      `read, written and read again it is another: ${JSON.stringify(file)}`,
    );
  },
  close() {},
};
