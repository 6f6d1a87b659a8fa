/** Counters over time, a small chart each. */
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { CounterSample } from '../../../src/inspector/wire.js';
import { bytes, count } from '../format.js';
import { useLive } from '../live.js';

export function Counters() {
  const { samples } = useLive();
  const names = Object.keys(samples.at(-1)?.values ?? {}).sort();
  if (names.length === 0) return <p class="quiet">The first sample comes within a second.</p>;
  return (
    <>
      <p class="quiet">
        A sample each second, five minutes kept. The names are those of the metrics; counts of this process
        begin with process_.
      </p>
      <div class="charts">
        {names.map((name) => (
          <Chart key={name} name={name} samples={samples} />
        ))}
      </div>
    </>
  );
}

function Chart({ name, samples }: { name: string; samples: readonly CounterSample[] }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const values = samples.map((sample) => sample.values[name] ?? 0);
  const isBytes = /bytes/.test(name);
  const text = (value: number): string => (isBytes ? bytes(value) : count(value));
  const now = values.at(-1) ?? 0;
  const [low, high] = [Math.min(...values), Math.max(...values)];
  useLayoutEffect(() => draw(canvas.current!, values, low, high));
  return (
    <figure class="chart">
      <figcaption>
        <span class="path">{name}</span> <b>{text(now)}</b>
      </figcaption>
      <canvas
        ref={canvas}
        role="img"
        aria-label={`${name}: ${text(now)} now, ${text(low)} to ${text(high)} in all`}
      />
    </figure>
  );
}

function draw(canvas: HTMLCanvasElement, values: readonly number[], low: number, high: number): void {
  const { clientWidth: width, clientHeight: height } = canvas;
  canvas.width = width * devicePixelRatio;
  canvas.height = height * devicePixelRatio;
  const context = canvas.getContext('2d')!;
  context.scale(devicePixelRatio, devicePixelRatio);
  context.strokeStyle = getComputedStyle(canvas).getPropertyValue('--accent');
  context.lineWidth = 1.5;
  context.beginPath();
  const span = high - low || 1;
  for (const [at, value] of values.entries()) {
    const x = values.length < 2 ? width : (at / (values.length - 1)) * width;
    const y = height - 3 - ((value - low) / span) * (height - 6);
    if (at === 0) context.moveTo(x, y);
    else context.lineTo(x, y);
  }
  context.stroke();
}
