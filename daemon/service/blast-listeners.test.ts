import { expect, test } from 'vitest';
import type { ConfigHash } from '../../proto/vocab/ids.ts';
import { fakeEngine, fakeNode } from '../../test/fakes/console-master.ts';
import { ListenerChanges, listenerChange } from './blast-listeners.ts';
import type { RenderedDocument } from './rendering.ts';

const l = (service: string, addr: string, type = 'tcp') => ({ service, addr, type });
const rendered = (...listens: RenderedDocument['listens'][number][]) =>
  ({ hash: 'b'.repeat(64) as ConfigHash, listens }) as unknown as RenderedDocument;

test('an address decides: another name keeps it open, another host is another address', () => {
  const change = listenerChange(
    [l('a', ':443', 'tls'), l('b', '127.0.0.1:80'), l('c', '[::1]:81'), l('d', 'no address')],
    [l('z', ':443', 'tls'), l('b', ':80'), l('c', '[::1]:81', 'ws')],
  );
  expect(change).toEqual({
    closes: [l('b', '127.0.0.1:80')],
    opens: [l('b', ':80')],
    changes: [l('c', '[::1]:81', 'ws')],
    keeps: [l('z', ':443', 'tls')],
  });
});

test('nodes that run the same and get the same are worked out once; listeners that differ are not mixed up', () => {
  const all = new ListenerChanges();
  const to = rendered(l('a', ':2'));
  const node = (name: string, addr: string) =>
    fakeNode(name, { engine: fakeEngine({ listeners: [l('a', addr)] }) });
  const first = all.of(to, node('hk-1', ':1'));
  expect(all.of(to, node('hk-2', ':1'))).toBe(first);
  const other = all.of(to, node('hk-3', ':9'));
  expect(other.closes).toEqual([l('a', ':9')]);
  all.add(first, [{ service: 'a', addr: ':1', streams: 2 }]);
  all.add(first, [{ service: 'a', addr: ':1', streams: 3 }]);
  all.add(other, [{ service: 'a', addr: ':9', streams: null }]);
  expect(all.told()).toEqual({
    more: 0,
    told: [
      { change: 'closes', ...l('a', ':1'), nodes: 2, streams: 5 },
      { change: 'closes', ...l('a', ':9'), nodes: 1, streams: null },
      { change: 'opens', ...l('a', ':2'), nodes: 3, streams: null },
    ],
  });
});

test('what is told has a bound, and what is beyond it is counted', () => {
  const all = new ListenerChanges();
  for (let i = 0; i < 100; i++) {
    const node = fakeNode(`hk-${i}`, { engine: fakeEngine({ listeners: [] }) });
    all.add(all.of({ ...rendered(l('a', `:${1000 + i}`)), hash: `${i}` as ConfigHash }, node), []);
  }
  expect(all.told().told).toHaveLength(64);
  expect(all.told().more).toBe(36);
});
