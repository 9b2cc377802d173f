/** A chart's series, its summary in words and the rows of its table. Pure. */

export interface ChartSeries {
  name: string;
  /** One value for each x; null for a missing value. */
  values: (number | null)[];
  kind?: 'line' | 'bars';
  /** Default: the tone at the series' index in {@link TONES}. */
  tone?: ChartTone;
}

export const TONES = ['accent', 'gold', 'muted', 'bad'] as const;
export type ChartTone = (typeof TONES)[number];

export function toneOf(series: ChartSeries, index: number): ChartTone {
  return series.tone ?? TONES[index % TONES.length] ?? 'accent';
}

type Format = (value: number) => string;

/** One sentence per series: its last, lowest and highest value. */
export function summary(series: ChartSeries[], format: Format): string {
  return series
    .map(({ name, values }) => {
      const present = values.filter((value): value is number => value !== null);
      const last = present.at(-1);
      if (last === undefined) return `${name}: no values.`;
      const [low, high] = [
        present.reduce((a, b) => Math.min(a, b)),
        present.reduce((a, b) => Math.max(a, b)),
      ];
      return `${name}: last ${format(last)}, lowest ${format(low)}, highest ${format(high)}.`;
    })
    .join(' ');
}

/** At most `max` of `length` indices, evenly spaced, with the first and the last. */
export function evenSample(length: number, max: number): number[] {
  if (length <= max) return Array.from({ length }, (_, index) => index);
  return Array.from({ length: max }, (_, index) => Math.round((index * (length - 1)) / (max - 1)));
}
