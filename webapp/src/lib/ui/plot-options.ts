/** uPlot's options for a chart. */
import type UPlot from 'uplot';
import { toneOf, type ChartSeries } from './chart';

/** The parts of a chart that its drawing depends on. */
export interface Plot {
  series: ChartSeries[];
  /** Number of x values. */
  length: number;
  /** Whether x is time, in UTC milliseconds. */
  xTime: boolean;
  format: (value: number) => string;
  xFormat: (x: number) => string;
  /** Pixels. */
  width: number;
  height: number;
  /** Bounds of the value axis, if they are known. */
  min: number | undefined;
  max: number | undefined;
  /** Called with the index of the x value under the pointer; null when it leaves. */
  onCursor: (index: number | null) => void;
}

const FONT = '12px system-ui, sans-serif';

/** Takes colours from the page's custom properties. `uPlot` is the loaded library. */
export function plotOptions(plot: Plot, uPlot: typeof UPlot): UPlot.Options {
  const { series, length, xTime, format, xFormat, width, height, min, max, onCursor } = plot;
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  const axis = { stroke: colour('muted'), font: FONT, ticks: { show: false } };
  const bars = uPlot.paths.bars?.({ size: [0.7, 48], radius: 0.15 });
  return {
    width,
    height,
    ms: 1,
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false } },
    scales: {
      x: { time: xTime },
      y: {
        // uPlot passes null for both bounds while there are no values.
        range: (_, low: number | null, high: number | null) => [
          min ?? Math.min(0, low ?? 0),
          max ?? Math.max(high ?? 0, (low ?? 0) + 1e-9, high === 0 ? 1 : 0) * 1.08,
        ],
      },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        space: 76,
        size: 28,
        values: (_, ticks) => ticks.map((tick) => xFormat(tick)),
      },
      {
        ...axis,
        grid: { stroke: colour('line'), width: 1 },
        space: 36,
        size: 58,
        values: (_, ticks) => ticks.map((tick) => format(tick)),
      },
    ],
    series: [
      {},
      ...series.map((item, index): UPlot.Series => {
        const label = item.name;
        const stroke = colour(toneOf(item, index));
        if (item.kind === 'bars' && bars) {
          return { label, stroke, fill: stroke, width: 0, paths: bars, points: { show: false } };
        }
        // Lines differ in their dashes, not by colour alone.
        const dash = index === 0 ? [] : [6, 3 * index];
        return { label, stroke, width: 2, dash, points: { show: length < 3 } };
      }),
    ],
    hooks: { setCursor: [({ cursor }) => onCursor(cursor.idx ?? null)] },
  };
}
