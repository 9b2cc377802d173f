/** Places of the states of a machine, top down. */
import type { EdgeLabel, GraphLabel, NodeLabel } from '@dagrejs/dagre';
import type { Machine, StateEdge, StateNode } from './asl';

export interface Placed extends StateNode {
  x: number;
  y: number;
  width: number;
  height: number;
  /** Holds other states. */
  group: boolean;
}

export interface Layout {
  width: number;
  height: number;
  nodes: Placed[];
  edges: (StateEdge & { path: string })[];
}

const WIDTH = 200;
const HEIGHT = 48;
const GAP = 8;
/** Room of edges that catch, right of the states. */
const SIDE = 28;
/** Radius of their corners. */
const BEND = 12;

export async function layOut(machine: Machine): Promise<Layout> {
  const { Graph, layout } = await import('@dagrejs/dagre');
  const graph = new Graph<GraphLabel, NodeLabel, EdgeLabel>();
  graph.setGraph({ rankdir: 'TB', nodesep: 28, ranksep: 30, marginx: 12, marginy: 12 });
  graph.setDefaultEdgeLabel(() => ({}));
  const outer = machine.nodes.filter(({ parent }) => parent === null);
  const inner = (name: string): StateNode[] => machine.nodes.filter((n) => n.parent === name);
  for (const { name } of outer) {
    const parts = inner(name).length;
    graph.setNode(name, {
      width: parts > 0 ? WIDTH + 2 * GAP : WIDTH,
      height: HEIGHT + parts * (HEIGHT + GAP),
    });
  }
  // Nearly every state catches: those edges would pull the picture apart.
  const reached = new Set(machine.edges.filter((e) => e.kind !== 'catch').map((e) => e.to));
  const drawn = machine.edges.filter(({ from }) => graph.hasNode(from));
  for (const { from, to, kind } of drawn) {
    if (kind !== 'catch' || !reached.has(to)) {
      graph.setEdge(from, to, { weight: kind === 'catch' ? 0 : kind === 'next' ? 3 : 1 });
    }
  }
  layout(graph);

  const nodes = outer.flatMap((node) => {
    const { x = 0, y = 0, width, height } = graph.node(node.name);
    const parts = inner(node.name);
    const box: Placed = {
      ...node,
      x: x - width / 2,
      y: y - height / 2,
      width,
      height,
      group: parts.length > 0,
    };
    const within = parts.map((part, at): Placed => ({
      ...part,
      x: box.x + GAP,
      y: box.y + HEIGHT + at * (HEIGHT + GAP),
      width: WIDTH,
      height: HEIGHT,
      group: false,
    }));
    return [box, ...within];
  });
  const { width = 0, height = 0 } = graph.graph();
  const place = new Map(nodes.map((node) => [node.name, node]));
  const edges = drawn.map((edge) => {
    const found = graph.hasEdge(edge.from, edge.to) ? graph.edge(edge.from, edge.to) : null;
    const path = found
      ? smooth(found.points ?? [])
      : aside(place.get(edge.from), place.get(edge.to), width + SIDE / 2);
    return { ...edge, path };
  });
  return { width: width + SIDE, height, nodes, edges };
}

interface Point {
  x: number;
  y: number;
}

/** A curve through the middles between the points. */
function smooth(points: Point[]): string {
  const [first, ...others] = points;
  const last = others.at(-1);
  if (!first || !last) return '';
  const curve = others.slice(0, -1).map((point, at) => {
    const next = others[at + 1] ?? last;
    const [x, y] = at === others.length - 2 ? [last.x, last.y] : middle(point, next);
    return `Q${point.x} ${point.y} ${x} ${y}`;
  });
  // A line of no length at the end would turn the arrow's tip.
  const line = curve.length === 0 ? `L${last.x} ${last.y}` : '';
  return [`M${first.x} ${first.y}`, ...curve, line].join('');
}

function middle(a: Point, b: Point): [number, number] {
  return [(a.x + b.x) / 2, (a.y + b.y) / 2];
}

/** Along the rail at the right, for an edge that the layout left out. */
function aside(from: Placed | undefined, to: Placed | undefined, rail: number): string {
  if (!from || !to) return '';
  const [x1, y1] = [from.x + from.width, from.y + HEIGHT / 2];
  const [x2, y2] = [to.x + to.width, to.y + HEIGHT / 2];
  const turn = y2 > y1 ? BEND : -BEND;
  return (
    `M${x1} ${y1}H${rail - BEND}Q${rail} ${y1} ${rail} ${y1 + turn}` +
    `V${y2 - turn}Q${rail} ${y2} ${rail - BEND} ${y2}H${x2}`
  );
}
