import fs from 'node:fs';
import path from 'node:path';
import { Random } from './random.js';

export type Recipe = readonly number[];
const FOLDER = path.resolve('proof/fuzz/corpus');

/** Recipes that reached blocks no earlier recipe reached: lists of seeds, small and the same on every machine. */
export function corpusOf(target: string): Recipe[] {
  const file = path.join(FOLDER, `${target}.json`);
  return fs.existsSync(file) ? (JSON.parse(fs.readFileSync(file, 'utf8')) as Recipe[]) : [];
}

export function saveCorpus(target: string, recipes: readonly Recipe[]): void {
  fs.mkdirSync(FOLDER, { recursive: true });
  fs.writeFileSync(
    path.join(FOLDER, `${target}.json`),
    `[\n${recipes.map((recipe) => `  ${JSON.stringify(recipe)}`).join(',\n')}\n]\n`,
  );
}

/** Case `index` of a run: first the corpus itself, then a recipe of the corpus (or an empty one) with more seeds. */
export function recipeOf(corpus: readonly Recipe[], seed: number, index: number): Recipe {
  if (index < corpus.length) return corpus[index]!;
  const random = new Random(Math.imul(seed + 1, 0x01000193) ^ index);
  const more = Array.from({ length: 1 + random.below(2) }, () => random.u32());
  return corpus.length > 0 && random.once(2) ? [...random.pick(corpus), ...more] : more;
}
