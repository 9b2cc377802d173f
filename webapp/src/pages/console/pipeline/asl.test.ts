import { expect, test } from 'vitest';
import { parseMachine } from './asl';

const machine = parseMachine({
  StartAt: 'Build',
  States: {
    Build: {
      Type: 'Task',
      Resource: 'arn:job',
      Next: 'Load',
      Catch: [
        { ErrorEquals: ['A'], Next: 'Bad' },
        { ErrorEquals: ['B'], Next: 'Bad' },
      ],
    },
    Load: {
      Type: 'Map',
      Next: 'Gate',
      ItemProcessor: { StartAt: 'Part', States: { Part: { Type: 'Task', End: true } } },
    },
    Gate: { Type: 'Choice', Choices: [{ Next: 'Good' }, { Next: 'Good' }], Default: 'Bad' },
    Good: { Type: 'Pass', End: true },
    Bad: { Type: 'Fail', Next: 'Nowhere' },
  },
});

test('the states of a Map are nodes with the Map as parent', () => {
  expect(machine.start).toBe('Build');
  expect(machine.nodes.map(({ name, parent }) => [name, parent])).toEqual([
    ['Build', null],
    ['Load', null],
    ['Part', 'Load'],
    ['Gate', null],
    ['Good', null],
    ['Bad', null],
  ]);
  expect(machine.nodes.filter(({ end }) => end).map(({ name }) => name)).toEqual([
    'Part',
    'Good',
    'Bad',
  ]);
});

test('edges between the same states are merged, and edges to unknown states are dropped', () => {
  expect(machine.edges.map(({ from, to, kind, label }) => [from, to, kind, label])).toEqual([
    ['Build', 'Load', 'next', ''],
    ['Build', 'Bad', 'catch', 'A, B'],
    ['Load', 'Gate', 'next', ''],
    ['Gate', 'Good', 'choice', ''],
    ['Gate', 'Bad', 'default', 'otherwise'],
  ]);
});

test('a value that is not a state machine has no states', () => {
  for (const value of [null, 3, [], { States: 'x' }]) {
    expect(parseMachine(value)).toMatchObject({ nodes: [], edges: [] });
  }
});
