/**
 * lab/: experiments on the model. replay/ holds it against the answers of a real kernel; explore/ searches
 * its states for broken invariants. Both make machines of their own and leave nothing behind; neither is on
 * the path of anything that serves data.
 */
export * from './explore/index.js';
export * from './replay/index.js';
