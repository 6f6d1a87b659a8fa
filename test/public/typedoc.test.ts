/** The pages of `npm run api` (typedoc): each public class, interface, type, function and method says what it is for. */
import path from 'node:path';
import { Application, Logger, type LogLevel } from 'typedoc';
import { expect, it } from 'vitest';

/** What is typed out in the signatures of public symbols, and is for nobody to name: the ways into the layers below. */
const OPAQUE = ['optionalOperations', 'SysfsFiles', 'DaxDevice', 'KernelDevice', 'Bus', 'DevDax'];

class Collector extends Logger {
  readonly messages: string[] = [];
  override log(message: string, level: LogLevel): void {
    // 2: a warning, 3: an error
    if (level >= 2) this.messages.push(message);
  }
}

it('every public symbol has a docstring, and every link in one leads somewhere', async () => {
  const checkout = path.resolve(import.meta.dirname, '../..');
  const typedoc = await Application.bootstrap({ options: path.join(checkout, 'typedoc.json') });
  const collector = new Collector();
  typedoc.logger = collector;
  const project = await typedoc.convert();
  typedoc.validate(project!);
  const isOpaque = (message: string) =>
    OPAQUE.some((name) => message.startsWith(`${name}, `) && message.includes('is referenced by'));
  // They are told, so the collector hears.
  expect(collector.messages.filter(isOpaque)).toHaveLength(OPAQUE.length);
  const isOfGit = (message: string) => message.includes('git');
  // [Symbol.dispose]() and its like do what `using` says.
  const isSymbol = (message: string) => /^[\w.]+\.\[\w+\]/.test(message);
  expect(
    collector.messages.filter((message) => ![isOpaque, isOfGit, isSymbol].some((is) => is(message))),
  ).toEqual([]);
});
