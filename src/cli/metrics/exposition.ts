/** OpenMetrics text: families of one name and meaning, each with its samples; the last line is `# EOF`. */

export type MetricType = 'gauge' | 'counter';

interface Sample {
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
    const family = this.#families.get(name);
    if (family === undefined) throw new Error(`no metric is called ${name}`);
    family.samples.push({ labels, value });
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
      const suffix = type === 'counter' ? '_total' : '';
      for (const { labels, value } of samples) lines.push(`${name}${suffix}${labelText(labels)} ${value}`);
    }
    return `${lines.join('\n')}${lines.length > 0 ? '\n' : ''}# EOF\n`;
  }
}

function labelText(labels: Sample['labels']): string {
  const words = Object.entries(labels).map(([name, value]) => `${name}="${escaped(String(value))}"`);
  return words.length === 0 ? '' : `{${words.join(',')}}`;
}

/** Text as the format wants it: a line, with its quotes and backslashes marked. */
function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
