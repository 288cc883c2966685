import { describe, expect, it } from 'vitest';
import type { NodeName } from '../../../proto/vocab/ids.ts';
import { NODE_STATUSES, type NodeStatus } from '../../../proto/vocab/node.ts';
import { type AlertDraft, alertLabels, evaluateNodeDown, fingerprint, NODE_DOWN } from './node-down.ts';

const node = { name: 'hk-17' as NodeName, region: 'hk', nodeType: 'edge' as const };
const rule = { forMs: 60_000 };
const SEEN = Date.UTC(2026, 10, 24, 3, 7, 48);
const at = (status: NodeStatus, alert: AlertDraft | null, now: number) =>
  evaluateNodeDown(rule, node, { status, lastSeen: SEEN }, alert, now);
const pending = at('down', null, 1000) as AlertDraft;
const firing = at('down', pending, 61_000) as AlertDraft;
const resolved = at('ready', firing, 90_000) as AlertDraft;
const known = NODE_STATUSES.filter((s) => s !== 'down' && s !== 'unknown');

describe('NodeDown', () => {
  it('inactive -> pending -> firing -> resolved -> pending', () => {
    expect(pending).toEqual({
      state: 'pending',
      fingerprint: fingerprint(alertLabels(NODE_DOWN, node)),
      rule: 'NodeDown',
      severity: 'critical',
      labels: { alertname: 'NodeDown', node: 'hk-17', region: 'hk', type: 'edge' },
      value: 'last seen 03:07:48Z',
      pendingAt: 1000,
    });
    expect(at('down', pending, 60_999)).toBeNull();
    expect(firing).toMatchObject({ state: 'firing', firingAt: 61_000, pendingAt: 1000 });
    expect(resolved).toMatchObject({ state: 'resolved', firingAt: 61_000, resolvedAt: 90_000 });
    expect(at('down', resolved, 95_000)).toMatchObject({ state: 'pending', pendingAt: 95_000 });
  });

  it.each(known)('%s starts nothing, ends what fires, and makes what was pending never have been', (s) => {
    expect(at(s, null, 1)).toBeNull();
    expect(at(s, pending, 2000)).toBe('gone');
    expect(at(s, firing, 90_000)).toMatchObject({ state: 'resolved' });
    expect(at(s, resolved, 99_000)).toBeNull();
  });

  it('a master that has just begun does not know: nothing starts and nothing ends', () => {
    for (const alert of [null, pending, firing, resolved]) expect(at('unknown', alert, 1e9)).toBeNull();
    expect(at('down', firing, 1e9)).toBeNull();
  });

  it('says so when the node has not been seen by this master', () => {
    const next = evaluateNodeDown(rule, node, { status: 'down', lastSeen: null }, null, 1);
    expect(next).toMatchObject({ value: 'not seen since the master began' });
  });
});

it('the fingerprint is of the labels, in any order', () => {
  expect(fingerprint({ b: '2', a: '1' })).toBe(fingerprint({ a: '1', b: '2' }));
  expect(fingerprint({ a: '1' })).toMatch(/^[0-9a-f]{16}$/);
  expect(fingerprint({ a: '1' })).not.toBe(fingerprint({ a: '2' }));
});
