// The house rule: one folder a layer, imports only go down (CONTRIBUTING.md).
// Folders of one rank never meet each other. src/index.ts is the public face: it composes what
// crosses layers, and the programs on top of the house stand on it.
const ranks = [
  ['cli'],
  ['inspector', 'mounts', 'lab'],
  ['machine'],
  ['famfs'],
  ['tree'],
  ['fsdax'],
  ['dax'],
  ['mm'],
  ['memory'],
  ['fuse'],
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

module.exports = {
  forbidden: [
    ...downwards,
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
