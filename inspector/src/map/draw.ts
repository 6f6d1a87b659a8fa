/** Draws the cells of a memory map. A drawing is some thousand filled rectangles, whatever the size of the device. */
import { CELL_KINDS, type CellKind, type MapView } from '../../../src/inspector/wire.js';

const SMALLEST = 9;
const LARGEST = 44;
/** As many as are drawn within a frame of 16 ms by a processor alone. */
const MOST_CELLS = 12_000;
const GAP = 1;
/** Colours of files: neighbours are far apart, and none is red, which failed memory has. */
const HUES = 24;
const FIRST_HUE = 50;
const HUE_RANGE = 280;

export interface Grid {
  columns: number;
  rows: number;
  /** Pixels of the page from one cell to the next. */
  step: number;
}

/** How many cells the page asks for. */
export function roomFor(width: number, height: number): number {
  const cells = Math.floor(width / SMALLEST) * Math.floor(height / SMALLEST);
  return Math.min(MOST_CELLS, Math.max(1, cells));
}

/** The largest cells with which all of them have room. */
export function gridFor(width: number, height: number, cells: number): Grid {
  let step = LARGEST;
  while (step > SMALLEST && Math.floor(width / step) * Math.floor(height / step) < cells) step--;
  const columns = Math.max(1, Math.floor(width / step));
  return { columns, rows: Math.ceil(cells / columns), step };
}

export type Palette = Readonly<Record<CellKind, string>> & {
  readonly files: readonly string[];
  readonly mark: string;
};

/** The colours of the page's style sheet, so that dark and light are decided in one place. */
export function paletteOf(element: Element): Palette {
  const style = getComputedStyle(element);
  const of = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  const kinds = Object.fromEntries(CELL_KINDS.map((kind) => [kind, of(`map-${kind}`)]));
  const files = Array.from(
    { length: HUES },
    (_, at) =>
      `hsl(${FIRST_HUE + Math.round((at * 107) % HUE_RANGE)} ${of('file-saturation')} ${of('file-lightness')})`,
  );
  return { ...(kinds as Record<CellKind, string>), files, mark: of('mark') };
}

export function colourOfFile(palette: Palette, ino: number): string {
  return palette.files[ino % HUES]!;
}

export interface Marks {
  /** Of the selected file: device bytes. */
  extents: readonly { offset: number; length: number }[];
  /** The cell that keys act on. */
  cursor: number;
}

/** @returns milliseconds that it took */
export function drawMap(
  context: CanvasRenderingContext2D,
  view: MapView,
  grid: Grid,
  palette: Palette,
  marks: Marks,
): number {
  const started = performance.now();
  const { width, height } = context.canvas;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, width, height);
  context.scale(devicePixelRatio, devicePixelRatio);
  const side = grid.step - GAP;
  const file = CELL_KINDS.indexOf('file');
  const byKind = CELL_KINDS.map((kind) => palette[kind]);
  for (let cell = 0; cell < view.kinds.length; cell++) {
    const x = (cell % grid.columns) * grid.step;
    const y = Math.floor(cell / grid.columns) * grid.step;
    const kind = view.kinds[cell]!;
    const filled = Math.ceil((view.fills[cell]! / 255) * side);
    if (filled < side) {
      context.fillStyle = palette.free;
      context.fillRect(x, y, side, side);
    }
    if (filled === 0) continue;
    context.fillStyle = kind === file ? colourOfFile(palette, view.owners[cell]!) : byKind[kind]!;
    context.fillRect(x, y + side - filled, side, filled);
  }
  drawMarks(context, view, grid, palette, marks);
  return performance.now() - started;
}

function drawMarks(
  context: CanvasRenderingContext2D,
  view: MapView,
  grid: Grid,
  palette: Palette,
  { extents, cursor }: Marks,
): void {
  const outline = (cell: number, width: number): void => {
    context.lineWidth = width;
    const inset = width / 2;
    const x = (cell % grid.columns) * grid.step;
    const y = Math.floor(cell / grid.columns) * grid.step;
    context.strokeRect(x + inset, y + inset, grid.step - GAP - width, grid.step - GAP - width);
  };
  context.strokeStyle = palette.mark;
  for (const { offset, length } of extents) {
    const first = Math.max(0, Math.floor((offset - view.from) / view.cellBytes));
    const end = Math.min(view.kinds.length, Math.ceil((offset + length - view.from) / view.cellBytes));
    for (let cell = first; cell < end; cell++) outline(cell, 2);
  }
  for (const cell of view.mapped) {
    context.fillStyle = palette.mark;
    context.fillRect((cell % grid.columns) * grid.step, Math.floor(cell / grid.columns) * grid.step, 3, 3);
  }
  if (cursor >= 0 && cursor < view.kinds.length) outline(cursor, 3);
}
