// The house rule: one folder a layer, imports only go down (CONTRIBUTING.md).
// Folders of one rank never meet each other. src/index.ts is the public face: it composes what
// crosses layers, and the programs on top of the house stand on it.
const ranks = [
  ['cli'],
  ['inspector'],
  ['mounts', 'lab'],
  ['arena', 'formats'],
  ['machine'],
  ['famfs'],
  ['tree'],
  ['fsdax'],
  ['dax'],
  ['mm'],
  ['memory'],
  ['archives', 'fuse'],
  ['libc'],
];
const mayUseThePublicFace = ['cli', 'inspector', 'mounts', 'lab'];

const downwards = ranks.flatMap((folders, rank) =>
  folders.map((folder) => {
    const allowed = [folder, ...ranks.slice(rank + 1).flat()].map((name) => `^src/${name}/`);
    if (mayUseThePublicFace.includes(folder)) allowed.push('^src/index\\.ts$');
    return {
      name: `${folder}-imports-only-downwards`,
      severity: 'error',
      from: { path: `^src/${folder}/` },
      to: { path: '^src/', pathNot: allowed },
    };
  }),
);

/** Inside a folder too: `part` (a pattern below src/) knows nothing of `of`. */
const apart = (name, part, of) => ({
  name,
  severity: 'error',
  from: { path: `^src/${part}` },
  to: { path: `^src/${of}` },
});

module.exports = {
  forbidden: [
    ...downwards,
    // tree/: model and files below the verbs, which know the interface alone; daxctl shares primitives, not policy.
    apart('the-model-knows-the-interface', 'tree/model/', 'tree/(?!model/|dax-tree)'),
    apart('one-reader-and-verbs-over-the-interface', 'tree/(?!face|index)[^/]*[.]ts$', 'tree/(model/|files)'),
    apart('the-verbs-have-no-dialect', 'tree/(?!daxctl/|face|index)', 'tree/daxctl/'),
    apart('daxctl-has-its-own-policy', 'tree/daxctl/', 'tree/(verbs|carving|undo)'),
    // machine/: what all share, emulated, image, kernel; open and index compose them.
    apart('shared-by-all-machines', 'machine/(?!open|index)[^/]*[.]ts$', 'machine/(emulated|image|kernel)/'),
    apart('emulated-by-itself', 'machine/emulated/', 'machine/(image/|kernel/|open|index)'),
    apart('image-over-emulated', 'machine/image/', 'machine/(kernel/|open|index)'),
    apart('kernel-over-image', 'machine/kernel/', 'machine/(emulated/|open|index)'),
    { name: 'no-cycles', severity: 'error', from: { path: '^src/' }, to: { circular: true } },
    {
      name: 'system-calls-only-in-libc',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/libc/' },
      to: { path: 'node_modules/koffi' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'types'] },
  },
};
