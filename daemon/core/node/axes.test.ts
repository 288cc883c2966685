import { describe, expect, it } from 'vitest';
import type { AgentHello, ConfigStatusReport } from '../../../proto/vocab/agent-link.ts';
import type { ConfigHash, VersionLabel } from '../../../proto/vocab/ids.ts';
import type { ConfigSync, Node } from '../../../proto/vocab/node.ts';
import { fakeEngine, fakeNode } from '../../../test/fakes/console-master.ts';
import { hello as anyHello } from '../../../test/fakes/services.ts';
import { answered, drifted, greeted, offerDue, offered, offerLost, retarget } from './axes.ts';

const A = 'aa'.repeat(32) as ConfigHash;
const B = 'bb'.repeat(32) as ConfigHash;
const C = 'cc'.repeat(32) as ConfigHash;
const v = (label: string, hash: ConfigHash) => ({ version: label as VersionLabel, hash });
const node = (over: Partial<Node>): Node =>
  fakeNode('hk-1', { rejectedHash: null, failure: null, target: null, effective: null, ...over });
const SYNCS: ConfigSync[] = ['in_sync', 'out_of_sync', 'applying', 'failed', 'drifted', 'unknown'];

describe('retarget', () => {
  it('-> out_of_sync, from wherever it was, when it runs something else', () => {
    for (const configSync of SYNCS) {
      const next = retarget(node({ configSync, target: v('v1', A), effective: v('v1', A) }), v('v2', B));
      expect(next).toMatchObject({ configSync: 'out_of_sync', target: v('v2', B), failure: null });
    }
  });

  it('-> in_sync when it runs the very content already, under its new label', () => {
    const refused = node({ configSync: 'failed', target: v('v2', B), effective: v('v1', A) });
    const next = retarget(refused, v('v3', A));
    expect(next).toMatchObject({ configSync: 'in_sync', effective: v('v3', A), failure: null });
  });

  it('-> failed when it has refused that content: it is not offered again', () => {
    const next = retarget(node({ configSync: 'in_sync', rejectedHash: B }), v('v3', B));
    expect(next.configSync).toBe('failed');
    expect(offerDue(next)).toBe(false);
  });

  it('-> unknown when nothing is published for it any more', () => {
    const next = retarget(node({ target: v('v1', A), configSync: 'in_sync' }), null);
    expect(next).toMatchObject({ target: null, configSync: 'unknown' });
  });

  it('leaves the very node alone when nothing changes, so that nothing is journalled', () => {
    const n = node({ target: v('v1', A), configSync: 'applying' });
    expect(retarget(n, v('v1', A))).toBe(n);
  });
});

describe('offered', () => {
  it.each<[ConfigSync, boolean]>([
    ['out_of_sync', true],
    ['drifted', true],
    ['in_sync', false],
    ['failed', false],
    ['unknown', false],
  ])('%s -> applying: %s', (configSync, legal) => {
    const n = node({ configSync });
    if (legal) expect(offered(n).configSync).toBe('applying');
    else expect(() => offered(n)).toThrow(/not an arrow/);
  });

  it('applying -> out_of_sync when the session ends before an answer, nothing else moves', () => {
    for (const configSync of SYNCS) {
      const after = offerLost(node({ configSync })).configSync;
      expect(after).toBe(configSync === 'applying' ? 'out_of_sync' : configSync);
    }
  });

  it('is due to a node that is behind and has not refused it', () => {
    for (const configSync of SYNCS) {
      const behind = configSync === 'out_of_sync' || configSync === 'drifted';
      expect(offerDue(node({ configSync, target: v('v1', A) }))).toBe(behind);
      expect(offerDue(node({ configSync, target: v('v1', A), rejectedHash: A }))).toBe(false);
      expect(offerDue(node({ configSync, target: null }))).toBe(false);
    }
  });
});

const ack = (hash: ConfigHash): ConfigStatusReport => ({
  status: 'applied',
  nonce: '01',
  effectiveHash: hash,
  engine: fakeEngine({ documentHash: hash, generation: 9 }),
  warnings: ['slow'],
});
const nack = (rejectedHash: ConfigHash, effectiveHash: ConfigHash): ConfigStatusReport => ({
  status: 'failed',
  nonce: '01',
  effectiveHash,
  engine: null,
  warnings: [],
  phase: 'prepare',
  rejectedHash,
  reverted: false,
  refusal: { code: 'invalid', message: ':443 in use' },
  logTail: 'bind: in use',
});

describe('answered', () => {
  const applying = node({
    configSync: 'applying',
    target: v('v2', B),
    effective: v('v1', A),
    initialized: false,
  });

  it('ACK: applying -> in_sync, initialized, with what the engine read back', () => {
    expect(answered(applying, ack(B), 5)).toMatchObject({
      configSync: 'in_sync',
      initialized: true,
      effective: v('v2', B),
      engine: { generation: 9 },
      warnings: ['slow'],
      failure: null,
    });
  });

  it('NACK: applying -> failed, with phase, reason and log, and what it goes on running', () => {
    expect(answered(applying, nack(B, A), 5)).toMatchObject({
      configSync: 'failed',
      rejectedHash: B,
      effective: v('v1', A),
      failure: { phase: 'prepare', refusal: { message: ':443 in use' }, logTail: 'bind: in use', at: 5 },
    });
  });

  it('an answer that newer facts have overtaken says what it runs, not where it stands', () => {
    expect(answered(applying, ack(A), 5)).toMatchObject({ configSync: 'applying', effective: v('v1', A) });
    expect(answered(applying, nack(C, A), 5)).toMatchObject({ configSync: 'applying', failure: null });
  });

  it('a refusal of something older does not make it forget that it refused its target', () => {
    const failed = answered(applying, nack(B, A), 5);
    expect(answered(failed, nack(C, A), 6)).toMatchObject({ configSync: 'failed', rejectedHash: B });
  });

  it('in_sync -> drifted when it went back to something else unasked', () => {
    const inSync = answered(applying, ack(B), 5);
    expect(answered(inSync, ack(A), 6).configSync).toBe('drifted');
    expect(answered(inSync, nack(B, A), 6).configSync).toBe('failed');
  });

  it('being at it changes nothing', () => {
    const report: ConfigStatusReport = { ...ack(B), status: 'applying', phase: 'switch' };
    expect(answered(applying, report, 5)).toBe(applying);
  });
});

describe('greeted', () => {
  const ran = { target: v('v1', A), configSync: 'in_sync' as const };
  const applying = { target: v('v2', B), configSync: 'applying' as const };
  const known = { target: v('v2', B), configSync: 'failed' as const, rejectedHash: B };
  it.each<[string, Partial<Node>, Partial<AgentHello>, ConfigSync]>([
    ['runs its target', applying, { effectiveHash: B }, 'in_sync'],
    ['runs an older one', applying, { effectiveHash: A }, 'out_of_sync'],
    ['ran its target when last heard', ran, { effectiveHash: B }, 'drifted'],
    ['runs nothing', applying, { effectiveHash: null }, 'out_of_sync'],
    ['has refused it, and we know', known, { effectiveHash: A }, 'failed'],
    ['has refused it, and we never heard', applying, { effectiveHash: A, rejectedHash: B }, 'failed'],
    ['is meant to run nothing', { target: null }, { effectiveHash: A }, 'unknown'],
  ])('%s', (_, is, says, expected) => {
    const next = greeted(node(is), { ...anyHello, ...says });
    expect(next.configSync).toBe(expected);
    expect(offerDue(next)).toBe(expected === 'drifted' || expected === 'out_of_sync');
  });
});

describe('drifted', () => {
  const inSync = node({ configSync: 'in_sync', target: v('v1', A), effective: v('v1', A) });

  it('in_sync -> drifted when the engine runs something else, and the offer is due again', () => {
    const next = drifted(inSync, fakeEngine({ documentHash: B }));
    expect(next).toMatchObject({ configSync: 'drifted', effective: { version: null, hash: B } });
    expect(offerDue(next)).toBe(true);
  });

  it('a restarted engine with the same document is only noted', () => {
    const next = drifted(inSync, fakeEngine({ documentHash: A, instance: 'other' }));
    expect(next).toMatchObject({ configSync: 'in_sync', engine: { instance: 'other' } });
  });
});
