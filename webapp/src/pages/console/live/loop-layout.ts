/** Where the parts and flows of the loop diagram are drawn. Pure. */
import type { PartId } from './loop';

/** The animation speed of a flow with `rate` items per second; 0 is no movement. */
export function speedOf(rate: number): 0 | 1 | 2 | 3 | 4 {
  if (rate <= 0) return 0;
  if (rate < 2) return 1;
  if (rate < 20) return 2;
  return rate < 200 ? 3 : 4;
}

/** The box of a part. */
export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** The layout of the diagram, in SVG units. */
export interface LoopLayout {
  width: number;
  height: number;
  boxes: Record<PartId, Box>;
  /** SVG paths of the flows, by `from-to`. */
  paths: Record<string, string>;
}

function box(x: number, y: number, width: number, height = 88): Box {
  return { x, y, width, height };
}

export const WIDE: LoopLayout = {
  width: 1120,
  height: 384,
  boxes: {
    web: box(4, 8, 168),
    api: box(222, 8, 212),
    stream: box(484, 8, 224),
    delivery: box(758, 8, 150),
    lake: box(958, 8, 158),
    sessions: box(484, 142, 224, 64),
    model: box(222, 288, 212),
    training: box(534, 288, 224),
    features: box(958, 288, 158),
  },
  paths: {
    'web-api': 'M172 52H218',
    'api-stream': 'M434 52H480',
    'stream-delivery': 'M708 52H754',
    'delivery-lake': 'M908 52H954',
    'stream-sessions': 'M596 96V138',
    'sessions-api': 'M484 174H388Q372 174 372 158V100',
    'lake-features': 'M1037 96V284',
    'features-training': 'M958 332H762',
    'training-model': 'M534 332H438',
    'model-api': 'M284 288V100',
  },
};

export const NARROW: LoopLayout = {
  width: 340,
  height: 912,
  boxes: {
    web: box(30, 4, 208),
    api: box(30, 120, 208),
    stream: box(30, 236, 208),
    sessions: box(250, 176, 88, 92),
    delivery: box(30, 352, 208),
    lake: box(30, 468, 208),
    features: box(30, 584, 208),
    training: box(30, 700, 208),
    model: box(30, 816, 208),
  },
  paths: {
    'web-api': 'M130 92V116',
    'api-stream': 'M130 208V232',
    'stream-sessions': 'M238 296H278Q294 296 294 280V272',
    'sessions-api': 'M294 176V166Q294 150 278 150H242',
    'stream-delivery': 'M130 324V348',
    'delivery-lake': 'M130 440V464',
    'lake-features': 'M130 556V580',
    'features-training': 'M130 672V696',
    'training-model': 'M130 788V812',
    'model-api': 'M30 860H24Q10 860 10 846V178Q10 164 24 164H26',
  },
};
