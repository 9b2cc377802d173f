/** What a chart says in words and rows. Pure. */

export interface ChartSeries {
  name: string;
  /** One value for each place of x; null where there is none. */
  values: (number | null)[];
  kind?: 'line' | 'bars';
  /** Without one, series take the tones in this order. */
  tone?: ChartTone;
}

export const TONES = ['accent', 'gold', 'muted', 'bad'] as const;
export type ChartTone = (typeof TONES)[number];

export function toneOf(series: ChartSeries, at: number): ChartTone {
  return series.tone ?? TONES[at % TONES.length] ?? 'accent';
}

type Format = (value: number) => string;

/** One sentence a series: where it ends and between what it moved. */
export function summary(series: ChartSeries[], format: Format): string {
  return series
    .map(({ name, values }) => {
      const known = values.filter((value): value is number => value !== null);
      const last = known.at(-1);
      if (last === undefined) return `${name}: no values.`;
      const [low, high] = [
        known.reduce((a, b) => Math.min(a, b)),
        known.reduce((a, b) => Math.max(a, b)),
      ];
      return `${name}: last ${format(last)}, lowest ${format(low)}, highest ${format(high)}.`;
    })
    .join(' ');
}

/** At most `max` of `length` places, evenly spread, with the first and the last. */
export function sampled(length: number, max: number): number[] {
  if (length <= max) return Array.from({ length }, (_, at) => at);
  return Array.from({ length: max }, (_, at) => Math.round((at * (length - 1)) / (max - 1)));
}
