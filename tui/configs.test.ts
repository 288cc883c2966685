import { describe, expect, test } from 'vitest';
import type { VersionLabel } from '../proto/vocab/ids.ts';
import { fakeNode, fakeVersion } from '../test/fakes/console-master.ts';
import { rig } from '../test/harness/console-rig.ts';
import { matchKey } from './keys/match.ts';
import { configIndex, history, publishChoices, targetWords } from './store/configs-view.ts';
import type { PublishSheet } from './store/sheets/publish.ts';
import type { State } from './store/state.ts';

const ALL = ['hk-1', 'hk-2', 'us-1'];
const label = (s: State) => s.configs.cursor;
const press = (s: State, name: string) => matchKey(s, { name, text: name.length === 1 ? name : '' });

/** v1 on everybody, v2 above it and on nobody; the screen of versions is open. */
async function versions() {
  const r = rig(ALL);
  r.master.commit([
    {
      kind: 'version',
      key: 'v2',
      value: fakeVersion('v2', { parent: 'v1' as VersionLabel, publications: [], createdAt: 5 }),
    },
  ]);
  await r.settle();
  r.meant({ kind: 'open-screen', screen: 'rollouts' });
  r.meant({ kind: 'next-pane' });
  const sheet = (): PublishSheet => {
    const s = r.state().sheet;
    if (s?.kind !== 'publish') throw new Error('no sheet of a publication');
    return s;
  };
  const arm = () => r.hub.dispatch({ kind: 'sheet-armed', sheet: r.state().sheet?.id ?? -1 });
  const type = (text: string) => r.meant({ kind: 'type', text });
  return { ...r, sheet, arm, type };
}

describe('versions', () => {
  test('newest first, with who runs them; the cursor stays with its version', async () => {
    const r = await versions();
    const { items } = r.state().configs;
    expect(items.map((i) => [i.version.label, i.running, i.wanted])).toEqual([
      ['v2', 0, 0],
      ['v1', 3, 3],
    ]);
    expect(label(r.state())).toBe('v2');
    r.meant({ kind: 'move', by: 1 });
    expect(label(r.state())).toBe('v1');
    r.master.commit([
      { kind: 'version', key: 'v3', value: fakeVersion('v3', { createdAt: 9, publications: [] }) },
    ]);
    await r.settle();
    expect([label(r.state()), configIndex(r.state().configs)]).toEqual(['v1', 2]);
    expect(history(r.state().configs).map((h) => h.label)).toEqual(['v1']);
  });

  test('d asks what differs from the parent, and Esc closes it; the first of its line says so', async () => {
    const r = await versions();
    r.meant({ kind: 'describe' });
    expect(r.state().configs.diff).toMatchObject({ label: 'v2', from: 'v1', lines: null });
    await r.settle();
    expect(r.master.asked).toContain('diffConfigs v1 v2');
    expect(r.state().configs.diff?.lines).toBeInstanceOf(Array);
    r.meant({ kind: 'peel' });
    expect(r.state().configs.diff).toBeNull();
    r.meant({ kind: 'move', by: 1 });
    r.meant({ kind: 'describe' });
    expect(r.state().configs.diff).toBeNull();
  });

  test('a diff that comes after it was closed is not shown', async () => {
    const r = await versions();
    r.meant({ kind: 'describe' });
    r.meant({ kind: 'peel' });
    await r.settle();
    expect(r.state().configs.diff).toBeNull();
  });

  test('where it could go: where the one before it went comes first, and nothing twice', async () => {
    const r = await versions();
    const v2 = r.state().configs.items[0]?.version;
    if (v2 === undefined) throw new Error('no v2');
    expect(publishChoices(v2, r.state().picture.facts).map(targetWords)).toEqual([
      'everybody',
      'type=edge',
      'type=core',
      'region=hk',
      'region=us',
    ]);
  });
});

describe('publish', () => {
  test('who is hit first, then why and the number; anything else does not pass', async () => {
    const r = await versions();
    r.meant({ kind: 'publish' });
    r.arm();
    r.meant({ kind: 'submit' });
    expect(r.sheet().error?.en).toMatch(/not said yet who is hit/);
    await r.settle();
    expect(r.sheet().preview?.nodes.map((n) => n.name)).toEqual(ALL);
    r.meant({ kind: 'submit' });
    expect(r.sheet().error?.en).toMatch(/a reason is wanted/);
    r.type('why not');
    r.meant({ kind: 'field', by: 1 });
    r.type('2');
    r.meant({ kind: 'submit' });
    expect(r.sheet().error?.en).toBe('2 is not 3');
    expect(r.master.asked.filter((a) => a.startsWith('publish '))).toEqual([]);
    r.meant({ kind: 'erase' });
    r.type('3');
    r.meant({ kind: 'submit' });
    await r.settle();
    expect(r.master.asked).toContain('publish v2 {}');
    expect(r.state().sheet).toBeNull();
    // What it began is looked at, from wherever it was asked for.
    expect(r.state()).toMatchObject({
      place: { kind: 'screen', screen: 'rollouts' },
      rollouts: { pane: 'rollout', chosen: '1' },
    });
  });

  test('another target empties what was typed, and an answer about the one before is none', async () => {
    const r = await versions();
    r.meant({ kind: 'publish' });
    r.arm();
    await r.settle();
    r.meant({ kind: 'field', by: 1 });
    r.type('3');
    const { preview } = r.sheet();
    for (let i = 0; i < 3; i++) r.meant({ kind: 'choose', by: 1 });
    expect(r.sheet()).toMatchObject({ chosen: 3, preview: null, typed: '' });
    if (preview === null) throw new Error('no preview');
    r.hub.dispatch({ kind: 'publish-preview', sheet: r.sheet().id, chosen: 0, pace: 0, preview });
    expect(r.sheet().preview).toBeNull();
    await r.settle();
    expect(r.sheet().preview?.nodes.map((n) => n.name)).toEqual(['hk-1', 'hk-2']);
  });

  test('a node that joins while the number is typed empties it', async () => {
    const r = await versions();
    r.meant({ kind: 'publish' });
    r.arm();
    await r.settle();
    r.meant({ kind: 'field', by: 1 });
    r.type('3');
    r.master.putNode(fakeNode('sg-1'));
    for (let i = 0; i < 7; i++) await r.second();
    expect(r.sheet()).toMatchObject({
      typed: '',
      error: { en: expect.stringMatching(/it was 3 nodes, now 4/) },
    });
  });

  test('u takes back the version under the cursor, where it is on a node', async () => {
    const r = await versions();
    expect(press(r.state(), 'u')).toMatchObject({
      kind: 'off',
      why: { en: expect.stringMatching(/on no node/) },
    });
    r.meant({ kind: 'move', by: 1 });
    r.meant({ kind: 'roll-back' });
    expect(r.state().sheet).toMatchObject({ kind: 'rollback', label: 'v1' });
  });
});

describe('orders', () => {
  test('x drains, asked by y; x again ends the drain', async () => {
    const r = rig(ALL);
    await r.settle();
    r.meant({ kind: 'drain' });
    r.hub.dispatch({ kind: 'sheet-armed', sheet: r.state().sheet?.id ?? -1 });
    r.meant({ kind: 'submit' });
    expect(r.state().sheet).toBeNull();
    expect(r.master.asked.some((a) => a.startsWith('runCommand'))).toBe(false);
    r.meant({ kind: 'drain' });
    r.hub.dispatch({ kind: 'sheet-armed', sheet: r.state().sheet?.id ?? -1 });
    r.meant({ kind: 'yes' });
    await r.settle();
    expect(r.master.asked.at(-1)).toBe('runCommand drain hk-1');
    r.master.putNode(fakeNode('hk-1', { drain: 'drained' }));
    await r.settle();
    r.meant({ kind: 'drain' });
    expect(r.state().sheet).toMatchObject({ kind: 'order', type: 'undrain' });
  });

  test('R asks even for one node', async () => {
    const r = rig(ALL);
    await r.settle();
    r.meant({ kind: 'restart' });
    expect(r.state().sheet).toMatchObject({ kind: 'order', type: 'restart', nodes: ['hk-1'] });
    expect(r.effects.some((e) => e.kind === 'order')).toBe(false);
  });
});
