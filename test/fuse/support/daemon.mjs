// A process that serves the memory file system until it is told to end: node daemon.mjs MOUNTPOINT JSON.
// Prints `mounted CONNECTION` when the mount answers; `exit` on stdin ends it by process.exit() with the mount up.
const { startSession } = await import(new URL('../../../dist/fuse/index.js', import.meta.url));

const [mountpoint, json] = process.argv.slice(2);
const session = await startSession({
  mountpoint,
  fileSystem: { moduleUrl: new URL('./memory-file-system.mjs', import.meta.url), data: JSON.parse(json) },
});
console.log(`mounted ${session.connectionId}`);
process.stdin.on('data', (chunk) => {
  const word = chunk.toString().trim();
  if (word === 'exit') process.exit(3);
  if (word === 'throw') throw new Error('uncaught on purpose');
});
const end = await session.closed;
console.log(`closed ${end.reason}`);
process.exit(0);
