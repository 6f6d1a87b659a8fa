/** OpenMetrics text: families of one name and meaning, each with its samples; the last line is `# EOF`. */

export type MetricType = 'gauge' | 'counter' | 'histogram';

interface Sample {
  suffix: string;
  labels: Readonly<Record<string, string | number>>;
  value: number;
}

interface Family {
  type: MetricType;
  help: string;
  unit: string;
  samples: Sample[];
}

export const CONTENT_TYPE = 'application/openmetrics-text; version=1.0.0; charset=utf-8';
const UNITS = ['bytes', 'seconds'];

export class Exposition {
  readonly #families = new Map<string, Family>();

  /** Adds a sample. Families come in the order of their first sample, and are there without one once declare() named them. */
  add(name: string, labels: Sample['labels'], value: number): void {
    const { type, samples } = this.#family(name);
    samples.push({ suffix: type === 'counter' ? '_total' : '', labels, value });
  }

  /**
   * Adds a histogram.
   * @param bounds upper bounds of the buckets, ascending
   * @param buckets how many observations each bucket has, those below it not counted again; the last is of what is above all bounds
   */
  addHistogram(
    name: string,
    labels: Sample['labels'],
    { bounds, buckets, sum }: { bounds: readonly number[]; buckets: readonly number[]; sum: number },
  ): void {
    const { samples } = this.#family(name);
    let below = 0;
    for (const [index, some] of buckets.entries()) {
      below += some;
      const le = index < bounds.length ? threshold(bounds[index]!) : '+Inf';
      samples.push({ suffix: '_bucket', labels: { ...labels, le }, value: below });
    }
    samples.push({ suffix: '_count', labels, value: below }, { suffix: '_sum', labels, value: sum });
  }

  #family(name: string): Family {
    const family = this.#families.get(name);
    if (family === undefined) throw new Error(`no metric is called ${name}`);
    return family;
  }

  declare(name: string, type: MetricType, help: string): void {
    const unit = UNITS.find((word) => name.endsWith(`_${word}`)) ?? '';
    this.#families.set(name, { type, help, unit, samples: [] });
  }

  /** The text; families without samples are left out. */
  text(): string {
    const lines: string[] = [];
    for (const [name, { type, help, unit, samples }] of this.#families) {
      if (samples.length === 0) continue;
      lines.push(`# TYPE ${name} ${type}`);
      if (unit !== '') lines.push(`# UNIT ${name} ${unit}`);
      lines.push(`# HELP ${name} ${escaped(help)}`);
      for (const { suffix, labels, value } of samples)
        lines.push(`${seriesName(name + suffix, labels)} ${value}`);
    }
    return `${lines.join('\n')}${lines.length > 0 ? '\n' : ''}# EOF\n`;
  }
}

/** A series as the text names it: `udax_mount_up{mountpoint="/mnt"}`. */
export function seriesName(name: string, labels: Sample['labels']): string {
  const words = Object.entries(labels).map(([label, value]) => `${label}="${escaped(String(value))}"`);
  return words.length === 0 ? name : `${name}{${words.join(',')}}`;
}

/** A bound in the form that all exposers write, so that series of several can be added: `1.0`, `0.0025`, `2.5e-05`. */
function threshold(bound: number): string {
  if (Number.isInteger(bound)) return `${bound}.0`;
  return bound >= 1e-4 ? String(bound) : bound.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
}

/** Text as the format wants it: a line, with its quotes and backslashes marked. */
function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
