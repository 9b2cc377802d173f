/** Reads a state machine in the Amazon States Language as a graph. Pure. */

export type EdgeKind = 'next' | 'choice' | 'default' | 'catch';

export interface StateNode {
  name: string;
  type: string;
  resource: string | null;
  comment: string | null;
  /** The Map or Parallel state that contains this state. */
  parent: string | null;
  end: boolean;
}

export interface StateEdge {
  from: string;
  to: string;
  kind: EdgeKind;
  /** The caught errors of a `catch` edge; empty for most others. */
  label: string;
}

export interface Machine {
  start: string | null;
  comment: string | null;
  nodes: StateNode[];
  edges: StateEdge[];
}

type Json = Record<string, unknown>;

/** `value` if it is an object; otherwise an empty object. */
export function asObject(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Json)
    : {};
}

/** `value` if it is a string; otherwise null. */
export function asString(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function objects(value: unknown): Json[] {
  return Array.isArray(value) ? value.map(asObject) : [];
}

/** Reads a definition. A value that is not a state machine gives an empty graph. */
export function parseMachine(definition: unknown): Machine {
  const root = asObject(definition);
  const machine: Machine = {
    start: asString(root['StartAt']),
    comment: asString(root['Comment']),
    nodes: [],
    edges: [],
  };
  readStates(root, null, machine);
  // Edges to unknown states cannot be drawn.
  const names = new Set(machine.nodes.map(({ name }) => name));
  machine.edges = machine.edges.filter(({ to }) => names.has(to));
  return machine;
}

function readStates(scope: Json, parent: string | null, machine: Machine): void {
  for (const [name, value] of Object.entries(asObject(scope['States']))) {
    const state = asObject(value);
    const type = asString(state['Type']) ?? 'Unknown';
    machine.nodes.push({
      name,
      type,
      resource: asString(state['Resource']),
      comment: asString(state['Comment']),
      parent,
      end: state['End'] === true || type === 'Succeed' || type === 'Fail',
    });
    readEdges(name, state, machine);
    const scopes = [state['ItemProcessor'] ?? state['Iterator'], ...objects(state['Branches'])];
    for (const inner of scopes) readStates(asObject(inner), name, machine);
  }
}

function readEdges(from: string, state: Json, machine: Machine): void {
  const seen = new Map<string, StateEdge>();
  const add = (to: string | null, kind: EdgeKind, label = ''): void => {
    if (to === null) return;
    const key = kind === 'catch' ? `catch ${to}` : to;
    const existing = seen.get(key);
    // Merge edges to the same state.
    if (existing) {
      existing.label = [existing.label, label].filter(Boolean).join(', ');
      return;
    }
    const edge = { from, to, kind, label };
    seen.set(key, edge);
    machine.edges.push(edge);
  };
  add(asString(state['Next']), 'next');
  for (const choice of objects(state['Choices'])) add(asString(choice['Next']), 'choice');
  add(asString(state['Default']), 'default', 'otherwise');
  for (const caught of objects(state['Catch'])) {
    const errors = caught['ErrorEquals'];
    add(asString(caught['Next']), 'catch', Array.isArray(errors) ? errors.join(', ') : '');
  }
}
