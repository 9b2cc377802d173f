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

test('states of a Map are nodes of their own and name it', () => {
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

test('several ways between two states are one edge, and edges to nowhere are none', () => {
  expect(machine.edges.map(({ from, to, kind, label }) => [from, to, kind, label])).toEqual([
    ['Build', 'Load', 'next', ''],
    ['Build', 'Bad', 'catch', 'A, B'],
    ['Load', 'Gate', 'next', ''],
    ['Gate', 'Good', 'choice', ''],
    ['Gate', 'Bad', 'default', 'otherwise'],
  ]);
});

test('what is no machine has no states', () => {
  for (const nothing of [null, 3, [], { States: 'x' }]) {
    expect(parseMachine(nothing)).toMatchObject({ nodes: [], edges: [] });
  }
});
