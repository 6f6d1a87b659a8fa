import type { Scope } from '../scope.js';
import { append, create, mkdir } from './names.js';

/** Every operation on memory whose crashes are explored. */
export const scopes: readonly Scope[] = [append, mkdir, create];
