/** The map as a canvas that keys, wheel and pointer move through. */
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { MapView } from '../../../src/inspector/wire.js';
import { drawMap, gridFor, paletteOf, roomFor } from './draw.js';
import { moved, onDevice, type Range, zoomed } from './range.js';

const STEP = 4;

export interface CanvasProps {
  view: MapView | null;
  range: Range;
  size: number;
  extents: readonly { offset: number; length: number }[];
  setRange: (range: Range) => void;
  setCells: (cells: number) => void;
  /** The byte of the device where the cursor is. */
  cursor: number;
  select: (offset: number) => void;
  /** The byte that is pointed at. */
  point: (offset: number) => void;
  enter: (offset: number) => void;
}

export function MapCanvas(props: CanvasProps) {
  const { view, extents, setCells, point } = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  const [box, setBox] = useState({ width: 0, height: 0 });
  const scheme = useScheme();
  useLayoutEffect(() => {
    const element = canvas.current!;
    const watch = new ResizeObserver(() =>
      setBox({ width: element.clientWidth, height: element.clientHeight }),
    );
    watch.observe(element);
    return () => watch.disconnect();
  }, []);
  useEffect(() => {
    if (box.width > 0) setCells(roomFor(box.width, box.height));
  }, [box]);
  const count = view?.kinds.length ?? 0;
  const grid = gridFor(box.width, box.height, count);
  const cursor = view ? Math.floor((props.cursor - view.from) / view.cellBytes) : 0;
  // The colours change with the scheme.
  useLayoutEffect(() => {
    const element = canvas.current!;
    if (!view || box.width === 0) return;
    element.width = box.width * devicePixelRatio;
    element.height = box.height * devicePixelRatio;
    const took = drawMap(element.getContext('2d')!, view, grid, paletteOf(element), { extents, cursor });
    element.dataset.drawMilliseconds = took.toFixed(2);
    element.dataset.cells = String(count);
  }, [view, box, extents, cursor, scheme]);
  const offsetOf = (cell: number): number => (view ? view.from + cell * view.cellBytes : 0);
  const select = (cell: number): void => props.select(offsetOf(Math.max(0, Math.min(count - 1, cell))));
  const cellAt = (event: MouseEvent): number => {
    const column = Math.min(grid.columns - 1, Math.floor(event.offsetX / grid.step));
    return Math.min(count - 1, Math.floor(event.offsetY / grid.step) * grid.columns + column);
  };
  return (
    // biome-ignore lint/a11y/noInteractiveElementToNoninteractiveRole: no element is a map that keys move through
    <canvas
      ref={canvas}
      class="map"
      role="application"
      tabIndex={0}
      aria-label="Memory map"
      aria-describedby="map-help place"
      onPointerMove={(event) => count > 0 && point(offsetOf(cellAt(event)))}
      onClick={(event) => count > 0 && select(cellAt(event))}
      onDblClick={(event) => count > 0 && props.enter(offsetOf(cellAt(event)))}
      onWheel={(event) => {
        if (count === 0) return;
        event.preventDefault();
        const factor = event.deltaY < 0 ? 1 / STEP : STEP;
        props.setRange(zoomed(props.range, factor, offsetOf(cellAt(event)), props.size));
      }}
      onKeyDown={(event) => {
        if (act(event.key, { ...props, cell: cursor, columns: grid.columns, go: select }))
          event.preventDefault();
      }}
    />
  );
}

interface Keyed extends CanvasProps {
  /** Where the cursor is; it may be outside of what is shown. */
  cell: number;
  columns: number;
  go: (cell: number) => void;
}

/** @returns whether the key means something here */
function act(key: string, { cell, columns, cursor, go, range, size, setRange, enter }: Keyed): boolean {
  const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[key];
  if (by !== undefined) go(cell + by);
  else if (key === '+' || key === '=') setRange(zoomed(range, 1 / STEP, cursor, size));
  else if (key === '-') setRange(zoomed(range, STEP, cursor, size));
  else if (key === 'PageDown') setRange(moved(range, 0.5, size));
  else if (key === 'PageUp') setRange(moved(range, -0.5, size));
  else if (key === 'Home') setRange(onDevice({ from: 0, to: size }, size));
  else if (key === 'Enter') enter(cursor);
  else return false;
  return true;
}

/** Changes when the system goes from dark to light. */
function useScheme(): boolean {
  const [isDark, setDark] = useState(false);
  useEffect(() => {
    const query = matchMedia('(prefers-color-scheme: dark)');
    const listener = (): void => setDark(query.matches);
    listener();
    query.addEventListener('change', listener);
    return () => query.removeEventListener('change', listener);
  }, []);
  return isDark;
}
