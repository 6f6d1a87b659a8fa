/**
 * inspector/: a web page that shows a machine while others use it: bus, memory, volumes, arenas, events, counters, and the explorer's
 * finds (docs/inspector.md). The page's source is in inspector/ at the top of the repository; what both sides say is in wire.ts.
 *
 * http/: requests and answers. views/: what is shown, made anew for each question. events/: what happens, told as it happens.
 *
 * Invariants: looking takes no lock, holds no device and stores nothing, but for the look into an arena, which mounts its volume read-only
 * for some milliseconds. Nothing is answered without the token, but for the page's own files. The one change there is (the mode of a
 * device) is the machine's own, with all its refusals.
 * Lifetime: machine (of the caller) > Inspected > LookedVolumes, Watcher > Server. close() ends them in reverse; the machine stays.
 * Locks: none.
 * Failure: a request that is refused gets a status and a reason; one that fails, the errno code of what failed. No request ends the server.
 */
export { type Inspector, type InspectorOptions, startInspector } from './server.js';
