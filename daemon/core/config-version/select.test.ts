import { describe, expect, it } from 'vitest';
import type { ConfigVersion, Target } from '../../../proto/vocab/config-version.ts';
import type { NodeName, VersionLabel } from '../../../proto/vocab/ids.ts';
import { ALL_RELEASED, nextLabel, standing, tieWith, undo, winner } from './select.ts';
import { covers, describeTarget, intersect, rank, type Subject, targets } from './target.ts';

const n = (...names: string[]): NodeName[] => names as NodeName[];
const node = (name: string, over: Partial<Subject> = {}): Subject => ({
  name: name as NodeName,
  nodeType: 'edge',
  region: 'hk',
  labels: {},
  ...over,
});
type V = Pick<ConfigVersion, 'label' | 'parent' | 'publications'>;
/** `[revision, target]` each. */
const version = (label: string, pubs: [number, Target][], parent: string | null = null): V => ({
  label: label as VersionLabel,
  parent: parent as VersionLabel | null,
  publications: pubs.map(([revision, target]) => ({
    target,
    revision,
    publishedAt: revision,
    publishedBy: 'lin',
    reason: '',
  })),
});

const EVERYBODY: Target = {};
const EDGES: Target = { nodeType: 'edge' };
const HK: Target = { nodeType: 'edge', regions: ['hk'] };
const HK_SG: Target = { nodeType: 'edge', regions: ['hk', 'sg'] };
const SG_US: Target = { nodeType: 'edge', regions: ['sg', 'us'] };
const CANARY: Target = { labels: { ring: 'canary' } };

describe('targets', () => {
  it.each<[Target, Subject, boolean]>([
    [EVERYBODY, node('cn-1', { nodeType: 'core', region: 'cn' }), true],
    [{ nodes: [] }, node('hk-1'), true],
    [{ nodes: n('hk-1') }, node('hk-1'), true],
    [{ nodes: n('hk-1') }, node('hk-2'), false],
    [EDGES, node('cn-1', { nodeType: 'core' }), false],
    [HK_SG, node('sg-1', { region: 'sg' }), true],
    [HK_SG, node('us-1', { region: 'us' }), false],
    [CANARY, node('hk-1', { labels: { ring: 'canary' } }), true],
    [CANARY, node('hk-1', { labels: { ring: 'stable' } }), false],
    [{ labels: { toString: 'x' } }, node('hk-1'), false],
  ])('%j names %j: %s', (target, subject, hit) => {
    expect(targets(target, subject)).toBe(hit);
  });

  it('node > label > type and region > type or region > everybody', () => {
    const all: Target[] = [{ nodes: n('a'), nodeType: 'edge' }, CANARY, HK, EDGES, EVERYBODY];
    expect(all.map(rank)).toEqual([4, 3, 2, 1, 0]);
    expect(rank({ regions: ['hk'] })).toBe(1);
  });

  it.each<[Target, Target, boolean]>([
    [EVERYBODY, HK, true],
    [HK, EVERYBODY, false],
    [HK_SG, HK, true],
    [HK, HK_SG, false],
    [EDGES, { nodeType: 'core' }, false],
    [CANARY, { labels: { ring: 'canary', rack: 'a' } }, true],
    [{ nodes: n('a', 'b') }, { nodes: n('b') }, true],
    [{ nodes: n('a') }, { nodes: n('a', 'b') }, false],
  ])('%j covers %j: %s', (a, b, yes) => {
    expect(covers(a, b)).toBe(yes);
  });

  it('intersects to what both name, or to nothing', () => {
    expect(intersect(EDGES, { regions: ['hk'] })).toEqual(HK);
    expect(intersect(HK_SG, SG_US)).toEqual({ nodeType: 'edge', regions: ['sg'] });
    expect(intersect(EDGES, { nodeType: 'core' })).toBeNull();
    expect(intersect({ nodes: n('a') }, { nodes: n('b') })).toBeNull();
    expect(intersect(CANARY, { labels: { ring: 'stable' } })).toBeNull();
    expect(describeTarget(HK)).toBe('type=edge region=hk');
  });
});

describe('one winner a node', () => {
  const versions = [
    version('all', [[1, EVERYBODY]]),
    version('edges', [[2, EDGES]]),
    version('hk', [[3, HK]]),
    version('canary', [[4, CANARY]]),
    version('one', [[5, { nodes: n('hk-9') }]]),
    version('later', [[6, EVERYBODY]]),
  ];
  it.each<[Subject, string]>([
    [node('cn-1', { nodeType: 'core', region: 'cn' }), 'later'],
    [node('us-1', { region: 'us' }), 'edges'],
    [node('hk-1'), 'hk'],
    [node('hk-2', { labels: { ring: 'canary' } }), 'canary'],
    [node('hk-9', { labels: { ring: 'canary' } }), 'one'],
  ])('%j gets %s', (subject, label) => {
    expect(winner(standing(versions), subject, ALL_RELEASED)?.label).toBe(label);
  });

  it('nothing published is nobody’s', () => {
    expect(winner(standing([version('v1', [])]), node('hk-1'), ALL_RELEASED)).toBeNull();
  });

  it('the newest publication of a target wins, whichever version it is of', () => {
    const v1 = version('v1', [
      [1, EDGES],
      [3, EDGES],
    ]);
    expect(winner(standing([v1, version('v2', [[2, EDGES]])]), node('hk-1'), ALL_RELEASED)?.label).toBe('v1');
  });
});

describe('a tie is an equal rank that shares a part', () => {
  const stands = standing([version('v1', [[1, HK_SG]])]);
  it.each<[string, Target, boolean]>([
    ['v2', SG_US, true],
    ['v1', SG_US, false],
    ['v2', HK_SG, false],
    ['v2', HK, false],
    ['v2', { nodeType: 'edge', regions: ['hk', 'sg', 'us'] }, false],
    ['v2', { nodeType: 'core', regions: ['hk', 'us'] }, false],
    ['v2', EDGES, false],
  ])('%s to %j: %s', (label, target, tie) => {
    expect(tieWith(stands, label as VersionLabel, target)?.label ?? null).toBe(tie ? 'v1' : null);
  });

  it('labels that could both hold are one, before any node has both', () => {
    const canary = standing([version('v1', [[1, CANARY]])]);
    expect(tieWith(canary, 'v2' as VersionLabel, { labels: { rack: 'a3' } })?.label).toBe('v1');
  });
});

describe('undo', () => {
  const versions = [
    version('v1', [[1, EDGES]]),
    version('v2', [[2, EDGES]], 'v1'),
    version('v3', [[3, HK]], 'v2'),
    version('c1', [[4, { nodeType: 'core' }]]),
  ];
  const of = (
    label: string,
    target: Target,
    vs = versions,
    ran = (_: VersionLabel) => true,
    nodes: readonly Subject[] = [],
  ) => undo(vs, label as VersionLabel, target, ran, nodes);
  const no = (why: string) => ({ ok: false, why: expect.stringContaining(why) as string });

  it('brings back what ran on that target before', () => {
    expect(of('v2', {})).toEqual({ ok: true, to: 'v1', target: EDGES });
    expect(of('v3', {})).toEqual({ ok: true, to: 'v2', target: HK });
  });

  it('may be narrower, never wider: other nodes never had it', () => {
    const us = { nodeType: 'edge', regions: ['us'] };
    expect(of('v2', { regions: ['us'] })).toEqual({ ok: true, to: 'v1', target: us });
    expect(of('v2', { nodeType: 'core' })).toEqual(no('v2'));
  });

  it('does not put an old content over a newer publication', () => {
    expect(of('v1', {})).toEqual(no('v2'));
  });

  it('a version that was rolled back to is itself taken back to what ran before it', () => {
    const after = [...versions, version('v4', [[5, EDGES]], 'v2')];
    expect(of('v4', {}, after)).toMatchObject({ to: 'v2' });
  });

  it('passes over what no node ever ran', () => {
    expect(of('v3', {}, versions, (l) => l === 'v1')).toMatchObject({ to: 'v1' });
    expect(of('v3', {}, versions, () => false)).toEqual(no('nothing ran there'));
  });

  it('a version for named nodes gives way to what each of them had before, if it is one', () => {
    const hk1 = node('hk-1');
    const us1 = node('us-1', { region: 'us' });
    const named = (nodes: readonly Subject[]) => {
      const target = { nodes: nodes.map((n) => n.name) };
      return of('v9', {}, [...versions, version('v9', [[9, target]], 'c1')], () => true, [hk1, us1]);
    };
    expect(named([hk1])).toMatchObject({ ok: true, to: 'v3', target: { nodes: ['hk-1'] } });
    expect(named([us1])).toMatchObject({ ok: true, to: 'v2' });
    expect(named([hk1, us1])).toEqual(no('different versions'));
  });

  it('says why there is nothing', () => {
    expect(of('c1', {})).toEqual(no('nothing ran there'));
    expect(of('new', {}, [version('new', [])])).toEqual(no('not been published'));
  });
});

it('the next label is one above the highest there is', () => {
  expect(nextLabel([])).toBe('v1');
  expect(nextLabel(['v2', 'v10', 'hotfix', 'v1.0.1', 'v9x'])).toBe('v11');
});
