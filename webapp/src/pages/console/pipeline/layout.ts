/** Lays out the graph of a state machine from top to bottom, in pixels. */
import type { EdgeLabel, GraphLabel, NodeLabel } from '@dagrejs/dagre';
import type { Machine, StateEdge, StateNode } from './asl';

export interface LaidOutNode extends StateNode {
  x: number;
  y: number;
  width: number;
  height: number;
  /** Whether the box contains other states. */
  group: boolean;
}

export interface GraphLayout {
  width: number;
  height: number;
  nodes: LaidOutNode[];
  edges: (StateEdge & { path: string })[];
}

const WIDTH = 200;
const HEIGHT = 48;
const GAP = 8;
/** Width of the margin for catch edges, right of the states. */
const MARGIN = 28;
/** Corner radius of catch edges. */
const CORNER = 12;

/** Loads the layout library and computes the positions of nodes and edges. */
export async function layOut(machine: Machine): Promise<GraphLayout> {
  const { Graph, layout } = await import('@dagrejs/dagre');
  const graph = new Graph<GraphLabel, NodeLabel, EdgeLabel>();
  graph.setGraph({ rankdir: 'TB', nodesep: 28, ranksep: 30, marginx: 12, marginy: 12 });
  graph.setDefaultEdgeLabel(() => ({}));
  const outer = machine.nodes.filter(({ parent }) => parent === null);
  const children = (name: string): StateNode[] =>
    machine.nodes.filter(({ parent }) => parent === name);
  for (const { name } of outer) {
    const childCount = children(name).length;
    graph.setNode(name, {
      width: childCount > 0 ? WIDTH + 2 * GAP : WIDTH,
      height: HEIGHT + childCount * (HEIGHT + GAP),
    });
  }
  // Almost every state has a catch edge, which would distort the layout. Leave those edges
  // out unless only they lead to a state.
  const reached = new Set(machine.edges.filter(({ kind }) => kind !== 'catch').map(({ to }) => to));
  const drawn = machine.edges.filter(({ from }) => graph.hasNode(from));
  for (const { from, to, kind } of drawn) {
    if (kind !== 'catch' || !reached.has(to)) {
      graph.setEdge(from, to, { weight: kind === 'catch' ? 0 : kind === 'next' ? 3 : 1 });
    }
  }
  layout(graph);

  const nodes = outer.flatMap((node) => {
    const { x = 0, y = 0, width, height } = graph.node(node.name);
    const parts = children(node.name);
    const box: LaidOutNode = {
      ...node,
      x: x - width / 2,
      y: y - height / 2,
      width,
      height,
      group: parts.length > 0,
    };
    const inside = parts.map((part, index): LaidOutNode => ({
      ...part,
      x: box.x + GAP,
      y: box.y + HEIGHT + index * (HEIGHT + GAP),
      width: WIDTH,
      height: HEIGHT,
      group: false,
    }));
    return [box, ...inside];
  });
  const { width = 0, height = 0 } = graph.graph();
  const boxes = new Map(nodes.map((node) => [node.name, node]));
  const edges = drawn.map((edge) => {
    const laidOut = graph.hasEdge(edge.from, edge.to) ? graph.edge(edge.from, edge.to) : null;
    const path = laidOut
      ? smoothPath(laidOut.points ?? [])
      : railPath(boxes.get(edge.from), boxes.get(edge.to), width + MARGIN / 2);
    return { ...edge, path };
  });
  return { width: width + MARGIN, height, nodes, edges };
}

interface Point {
  x: number;
  y: number;
}

/** An SVG path through the midpoints between the points. */
function smoothPath(points: Point[]): string {
  const [first, ...others] = points;
  const last = others.at(-1);
  if (!first || !last) return '';
  const curve = others.slice(0, -1).map((point, index) => {
    const next = others[index + 1] ?? last;
    const [x, y] = index === others.length - 2 ? [last.x, last.y] : midpoint(point, next);
    return `Q${point.x} ${point.y} ${x} ${y}`;
  });
  // A line of zero length at the end would turn the arrow head.
  const line = curve.length === 0 ? `L${last.x} ${last.y}` : '';
  return [`M${first.x} ${first.y}`, ...curve, line].join('');
}

function midpoint(a: Point, b: Point): [number, number] {
  return [(a.x + b.x) / 2, (a.y + b.y) / 2];
}

/** An SVG path along the rail at the right, for an edge that was left out of the layout. */
function railPath(
  from: LaidOutNode | undefined,
  to: LaidOutNode | undefined,
  rail: number,
): string {
  if (!from || !to) return '';
  const [x1, y1] = [from.x + from.width, from.y + HEIGHT / 2];
  const [x2, y2] = [to.x + to.width, to.y + HEIGHT / 2];
  const turn = y2 > y1 ? CORNER : -CORNER;
  return (
    `M${x1} ${y1}H${rail - CORNER}Q${rail} ${y1} ${rail} ${y1 + turn}` +
    `V${y2 - turn}Q${rail} ${y2} ${rail - CORNER} ${y2}H${x2}`
  );
}
