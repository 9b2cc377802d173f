/** A state machine in the Amazon States Language as nodes and edges. Pure. */

export type EdgeKind = 'next' | 'choice' | 'default' | 'catch';

export interface StateNode {
  name: string;
  type: string;
  resource: string | null;
  comment: string | null;
  /** The Map or Parallel state that it is part of. */
  parent: string | null;
  end: boolean;
}

export interface StateEdge {
  from: string;
  to: string;
  kind: EdgeKind;
  /** The errors that are caught. */
  label: string;
}

export interface Machine {
  start: string | null;
  comment: string | null;
  nodes: StateNode[];
  edges: StateEdge[];
}

type Json = Record<string, unknown>;

/** `value` as an object; an empty one where it is something else. */
export function object(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Json)
    : {};
}

export function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function list(value: unknown): Json[] {
  return Array.isArray(value) ? value.map(object) : [];
}

export function parseMachine(definition: unknown): Machine {
  const root = object(definition);
  const machine: Machine = {
    start: text(root['StartAt']),
    comment: text(root['Comment']),
    nodes: [],
    edges: [],
  };
  readStates(root, null, machine);
  // An edge to a state that is not there cannot be drawn.
  const names = new Set(machine.nodes.map(({ name }) => name));
  machine.edges = machine.edges.filter(({ to }) => names.has(to));
  return machine;
}

function readStates(scope: Json, parent: string | null, machine: Machine): void {
  for (const [name, value] of Object.entries(object(scope['States']))) {
    const state = object(value);
    const type = text(state['Type']) ?? 'Unknown';
    machine.nodes.push({
      name,
      type,
      resource: text(state['Resource']),
      comment: text(state['Comment']),
      parent,
      end: state['End'] === true || type === 'Succeed' || type === 'Fail',
    });
    readEdges(name, state, machine);
    const inner = [state['ItemProcessor'] ?? state['Iterator'], ...list(state['Branches'])];
    for (const branch of inner) readStates(object(branch), name, machine);
  }
}

function readEdges(from: string, state: Json, machine: Machine): void {
  const seen = new Map<string, StateEdge>();
  const add = (to: string | null, kind: EdgeKind, label = ''): void => {
    if (to === null) return;
    const key = kind === 'catch' ? `catch ${to}` : to;
    const before = seen.get(key);
    // Several ways to one state are one line.
    if (before) {
      before.label = [before.label, label].filter(Boolean).join(', ');
      return;
    }
    const edge = { from, to, kind, label };
    seen.set(key, edge);
    machine.edges.push(edge);
  };
  add(text(state['Next']), 'next');
  for (const choice of list(state['Choices'])) add(text(choice['Next']), 'choice');
  add(text(state['Default']), 'default', 'otherwise');
  for (const caught of list(state['Catch'])) {
    const errors = caught['ErrorEquals'];
    add(text(caught['Next']), 'catch', Array.isArray(errors) ? errors.join(', ') : '');
  }
}
