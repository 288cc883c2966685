import { expect, it } from 'vitest';
import type { NodeName } from '../../proto/vocab/ids.ts';
import type { Node } from '../../proto/vocab/node.ts';
import { seeded } from '../../test/fakes/traffic.ts';
import { Lookout } from './lookout.ts';
import type { Snapshot } from './ports.ts';
import { Sessions } from './sessions.ts';

const BEGAN = 1_000_000;
const SECOND = 1000;

const nodeOf = (i: number, more: Partial<Node> = {}): Node =>
  ({
    ...{
      name: `n-${i}`,
      region: 'hk',
      nodeType: 'edge',
      identity: 'accepted',
      initialized: true,
      joinedAt: 0,
    },
    ...more,
  }) as unknown as Node;

it.each([1, 2, 3, 4, 5, 6, 7, 8])(
  'asks about every node that is down or not known, whatever comes and goes (%i)',
  (seed) => {
    const random = seeded(seed);
    const chance = (p: number): boolean => random() < p;
    const sessions = new Sessions({ heartbeatMs: 3000, masterStartedAt: BEGAN });
    const lookout = new Lookout(sessions);
    let nodes: readonly Node[] = Array.from({ length: 40 }, (_, i) => nodeOf(i));
    let alerted: ReadonlySet<string> = new Set();
    const quiet = new Set<string>();
    let asked = 0;
    for (let t = 1; t <= 400; t++) {
      // Sometimes the master does not run for a while.
      const now = BEGAN + t * SECOND + (t > 250 ? 20 * SECOND : 0);
      for (const n of nodes) {
        if (chance(0.004)) quiet.add(n.name);
        if (chance(0.03)) quiet.delete(n.name);
        if (quiet.has(n.name)) {
          if (chance(0.2)) sessions.ended(n.name);
        } else if (sessions.get(n.name)?.connected !== true) sessions.began(n.name, '127.0.0.1', now);
        else if (chance(0.33)) sessions.heard(n.name, now);
      }
      if (chance(0.02)) nodes = [...nodes, nodeOf(100 + t, { joinedAt: now, initialized: chance(0.5) })];
      if (chance(0.02)) nodes = nodes.map((n, i) => (i === t % 40 ? { ...n, identity: 'revoked' } : n));
      if (chance(0.05)) alerted = new Set([...quiet].slice(0, 3));

      const view = { list: () => nodes } as unknown as Snapshot;
      const { calm, doubtful } = lookout.look(view, alerted, now);
      const status = (n: Node) => sessions.status(n, now, nodes.length);
      const accepted = nodes.filter((n) => n.identity === 'accepted');
      const names = new Set<NodeName>(doubtful.map((n) => n.name));
      for (const n of accepted) {
        if (['down', 'unknown'].includes(status(n)) || alerted.has(n.name)) expect(names).toContain(n.name);
      }
      const rest = accepted.filter((n) => !names.has(n.name) && n.initialized).map((n) => n.name);
      expect(calm.map((n) => n.name)).toEqual(rest);
      asked += names.size;
    }
    expect(asked).toBeGreaterThan(0);
  },
);

it('looks at all again only when one of them could be down', () => {
  const sessions = new Sessions({ heartbeatMs: 10_000, masterStartedAt: BEGAN });
  const nodes = Array.from({ length: 100 }, (_, i) => nodeOf(i));
  let read = 0;
  const status = sessions.status.bind(sessions);
  sessions.status = (...args) => {
    read += 1;
    return status(...args);
  };
  const lookout = new Lookout(sessions);
  const alerted = new Set<string>();
  const view = { list: () => nodes } as unknown as Snapshot;
  for (const n of nodes) sessions.began(n.name, '127.0.0.1', BEGAN);
  for (let t = 0; t < 300; t++) {
    const now = BEGAN + t * SECOND;
    if (t % 10 === 0) for (const n of nodes) sessions.heard(n.name, now);
    expect(lookout.look(view, alerted, now).calm).toHaveLength(100);
  }
  // Every 30 to 40 s, and not every second.
  expect(read / 100).toBeLessThanOrEqual(10);
});
