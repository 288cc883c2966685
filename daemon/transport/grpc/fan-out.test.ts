import { expect, test } from 'vitest';
import { type Due, FanOut } from './fan-out.ts';

/** A loop whose turns the test takes, and a clock that only serving moves. */
function rig() {
  const turns: (() => void)[] = [];
  const served: string[] = [];
  let now = 0;
  const fanOut = new FanOut({ monotonic: () => now, later: (work) => void turns.push(work) });
  const due = (name: string, ms: number): Due => ({
    serve: () => {
      served.push(name);
      now += ms;
    },
  });
  const turn = (): string[] => {
    served.length = 0;
    turns.shift()?.();
    return [...served];
  };
  return { fanOut, due, turn, turns };
}

test('nothing is sent in the turn that asks for it, and a turn ends when its time is up', () => {
  const { fanOut, due, turn, turns } = rig();
  for (const name of ['a', 'b', 'c', 'd', 'e']) fanOut.add(due(name, 3));
  expect(turns).toHaveLength(1);
  expect(turn()).toEqual(['a', 'b', 'c']);
  expect(turn()).toEqual(['d', 'e']);
  expect(turns).toHaveLength(0);
});

test('one that takes longer than a turn does not keep the line from moving', () => {
  const { fanOut, due, turn } = rig();
  for (const name of ['a', 'b']) fanOut.add(due(name, 500));
  expect(turn()).toEqual(['a']);
  expect(turn()).toEqual(['b']);
});

test('who asks again keeps its place and is served once; who goes is not', () => {
  const { fanOut, due, turn } = rig();
  const [a, b, c] = [due('a', 0), due('b', 0), due('c', 0)];
  for (const d of [a, b, c, a]) fanOut.add(d);
  fanOut.remove(b);
  expect(turn()).toEqual(['a', 'c']);
  expect(fanOut.size).toBe(0);
});

test('one that asks while it is served has another turn', () => {
  const { fanOut, turn } = rig();
  let times = 0;
  const again: Due = {
    serve: () => {
      times += 1;
      if (times < 3) fanOut.add(again);
    },
  };
  fanOut.add(again);
  turn();
  turn();
  turn();
  expect(times).toBe(3);
});
