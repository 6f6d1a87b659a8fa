import { type Inspector, startInspector } from '../../inspector/index.js';
import type { Machine } from '../../machine/index.js';
import type { Context } from '../context.js';
import { sourcesOf } from '../inspecting.js';

/** Serves the inspector's page while `up` runs, and prints its URL. Where that fails, prints why and returns null. */
export async function pageWhereAllowed(context: Context, machine: Machine): Promise<Inspector | null> {
  try {
    const inspector = await startInspector(machine, sourcesOf(context));
    context.output.note(`see it live: ${inspector.url}`);
    return inspector;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    context.output.note(`no page: ${why}`);
    return null;
  }
}
