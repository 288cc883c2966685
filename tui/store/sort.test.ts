import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fakeNode, fakeVitals } from '../../test/fakes/console-master.ts';
import type { NodeItem } from './select-nodes.ts';
import { compareNames, SORT_COLUMNS, sortNodes } from './sort.ts';
import { VERDICTS, type Verdict } from './verdict.ts';

function item(name: string, verdict: Verdict, ttft95Ms: number | null, p99Ms: number | null = 40): NodeItem {
  return {
    node: fakeNode(name),
    vitals: fakeVitals(name, 0, { ttft95Ms, p99Ms }),
    status: 'ready',
    alerts: [],
    verdict,
    note: null,
    gone: false,
    rollout: null,
  };
}

const names = (list: readonly NodeItem[]) => list.map((i) => i.node.name);

test('worst first, ties to the higher TTFT95, then by name', () => {
  const list = [
    item('a', 'well', 900),
    item('b', 'wrong', null),
    item('c', 'warning', 300),
    item('d', 'warning', 700),
    item('e', 'unseen', 100),
    item('f', 'wrong', 20),
    item('g', 'well', 900),
  ];
  expect(names(sortNodes(list, { column: 'status', down: true }))).toEqual([
    'f',
    'b',
    'e',
    'd',
    'c',
    'a',
    'g',
  ]);
});

test('what has no value comes last whichever way the column is turned', () => {
  const list = [item('a', 'well', 0, null), item('b', 'well', 0, 10), item('c', 'well', 0, 90)];
  expect(names(sortNodes(list, { column: 'p99', down: true }))).toEqual(['c', 'b', 'a']);
  expect(names(sortNodes(list, { column: 'p99', down: false }))).toEqual(['b', 'c', 'a']);
});

test('names count', () => {
  expect(['hk-10', 'hk-9', 'hk-九龙-04', 'cn-1', 'hk-9a'].sort(compareNames)).toEqual([
    'cn-1',
    'hk-9',
    'hk-9a',
    'hk-10',
    'hk-九龙-04',
  ]);
});

const word = fc.stringMatching(/^[a-c0-3-]{1,6}$/);

test('compareNames is an order', () => {
  fc.assert(
    fc.property(word, word, word, (a, b, c) => {
      expect(Math.sign(compareNames(a, b)) + Math.sign(compareNames(b, a))).toBe(0);
      if (compareNames(a, b) <= 0 && compareNames(b, c) <= 0)
        expect(compareNames(a, c)).toBeLessThanOrEqual(0);
      expect(compareNames(a, b) === 0).toBe(a === b);
    }),
  );
});

test('every column orders every fleet, and the order does not depend on what came before', () => {
  const rows = fc.uniqueArray(
    fc.record({
      name: word,
      verdict: fc.constantFrom(...VERDICTS),
      ttft: fc.option(fc.nat(3), { nil: null }),
    }),
    { selector: (r) => r.name, maxLength: 12 },
  );
  fc.assert(
    fc.property(rows, fc.constantFrom(...SORT_COLUMNS), fc.boolean(), (list, column, down) => {
      const items = list.map((r) => item(r.name, r.verdict, r.ttft));
      const once = sortNodes(items, { column, down });
      expect(names(sortNodes([...items].reverse(), { column, down }))).toEqual(names(once));
      expect([...names(once)].sort()).toEqual([...names(items)].sort());
    }),
  );
});
