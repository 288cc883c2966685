import { describe, expect, it } from 'vitest';
import type { SelectorStrategy } from '../../../../proto/document/document.ts';
import { NodeSelector } from './selector.ts';

const node = (name: string, more: { backup?: boolean; weight?: number } = {}) => ({
  name,
  backup: more.backup ?? false,
  weight: more.weight ?? 1,
});
type N = ReturnType<typeof node>;

function make(strategy: SelectorStrategy, nodes: readonly N[], random: () => number = () => 0) {
  const selector = new NodeSelector(nodes, { strategy, maxFails: 2, failTimeoutMs: 1000 }, { random });
  const pick = (now = 0, client = 'c', tried: readonly N[] = []): string | undefined =>
    selector.pick({ tried: new Set(tried), client, now })?.name;
  return { selector, pick };
}

describe('NodeSelector', () => {
  const a = node('a');
  const b = node('b');
  const c = node('c', { backup: true });

  it('fifo stays with the first, round takes turns, hash stays with a client', () => {
    expect([1, 2, 3].map(() => make('fifo', [a, b]).pick())).toEqual(['a', 'a', 'a']);
    const round = make('round', [a, b]);
    expect([1, 2, 3].map(() => round.pick())).toEqual(['a', 'b', 'a']);
    const hash = make('hash', [a, b]);
    const byClient = Array.from({ length: 32 }, (_, i) => hash.pick(0, `10.0.0.${i}`));
    expect(new Set(byClient)).toEqual(new Set(['a', 'b']));
    expect(byClient).toEqual(Array.from({ length: 32 }, (_, i) => hash.pick(0, `10.0.0.${i}`)));
  });

  it('rand goes by weight', () => {
    const heavy = [node('a', { weight: 1 }), node('b', { weight: 3 })];
    expect(make('rand', heavy, () => 0.2).pick()).toBe('a');
    expect(make('rand', heavy, () => 0.26).pick()).toBe('b');
    expect(make('rand', heavy, () => 0.99).pick()).toBe('b');
  });

  it('least goes where the fewest are, for their weight', () => {
    const [x, y] = [node('x'), node('y', { weight: 2 })];
    const { selector, pick } = make('least', [x, y]);
    const begin = (): { name: string | undefined; over: () => void } => {
      const name = pick();
      return { name, over: selector.begin(name === 'x' ? x : y) };
    };
    const begun = Array.from({ length: 6 }, begin);
    expect(begun.map((b) => b.name).toSorted()).toEqual(['x', 'x', 'y', 'y', 'y', 'y']);
    for (const b of begun) if (b.name === 'x') b.over();
    for (const b of begun) if (b.name === 'x') b.over();
    expect([selector.busy(x), selector.busy(y)]).toEqual([0, 4]);
    expect([begin().name, begin().name]).toEqual(['x', 'x']);
    selector.failed(x, 0);
    selector.failed(x, 0);
    expect(pick(1)).toBe('y');
  });

  it('sets a node aside after maxFails in a row, for failTimeout', () => {
    const { selector, pick } = make('fifo', [a, b]);
    selector.failed(a, 100);
    expect(pick(101)).toBe('a');
    selector.failed(a, 200);
    expect(pick(201)).toBe('b');
    expect(pick(1199)).toBe('b');
    expect(pick(1200)).toBe('a');
    selector.worked(a);
    selector.failed(a, 1300);
    expect(pick(1301)).toBe('a');
  });

  it('sets a node aside whose probes fail, until one succeeds', () => {
    const { selector, pick } = make('fifo', [a, b]);
    expect(selector.probed(a, false, 0)).toBeNull();
    expect(pick(1)).toBe('a');
    expect(selector.probed(a, false, 2)).toBe('aside');
    expect([pick(3), pick(1_000_000)]).toEqual(['b', 'b']);
    // Chosen all the same when no other was left: that it worked once is for the probes to say.
    selector.worked(a);
    expect(pick(4)).toBe('b');
    expect(selector.probed(a, true, 5)).toBe('fit');
    expect(pick(6)).toBe('a');
    expect(selector.probed(a, true, 7)).toBeNull();
  });

  it('takes a node back that failed dials as soon as a probe succeeds', () => {
    const { selector, pick } = make('fifo', [a, b]);
    for (const at of [0, 1]) selector.failed(a, at);
    expect(pick(2)).toBe('b');
    expect(selector.probed(a, true, 3)).toBe('fit');
    expect(pick(4)).toBe('a');
  });

  it('passes over a node that is away, while another is fit', () => {
    const away = new Set<N>([a]);
    const settings = { strategy: 'fifo', maxFails: 1, failTimeoutMs: 1000 } as const;
    const selector = new NodeSelector([a, b], settings, { random: () => 0, away: (n) => away.has(n) });
    const pick = (): string | undefined => selector.pick({ tried: new Set(), client: 'c', now: 0 })?.name;
    expect(pick()).toBe('b');
    away.add(b);
    expect(pick()).toBe('a');
    away.clear();
    expect(pick()).toBe('a');
  });

  it('takes a backup only when no other is fit, and anything when none is', () => {
    const { selector, pick } = make('fifo', [c, a]);
    expect(pick()).toBe('a');
    for (const n of [a, a]) selector.failed(n, 0);
    expect(pick(1)).toBe('c');
    for (const n of [c, c]) selector.failed(n, 0);
    expect(pick(1)).toBe('a');
  });

  it('does not choose again what this stream has tried, while another is left', () => {
    const { pick } = make('fifo', [a, b]);
    expect(pick(0, 'c', [a])).toBe('b');
    expect(pick(0, 'c', [a, b])).toBe('a');
    expect(make('fifo', []).pick()).toBeUndefined();
  });
});
