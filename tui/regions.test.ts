import { describe, expect, test } from 'vitest';
import { fakeNode } from '../test/fakes/console-master.ts';
import { rig } from '../test/harness/console-rig.ts';
import { matchKey } from './keys/match.ts';
import { barOf, cursorRegion } from './store/regions-view.ts';
import type { State } from './store/state.ts';

const ALL = ['hk-1', 'hk-2', 'us-1', 'sg-1'];
const press = (s: State, name: string) => matchKey(s, { name, text: name.length === 1 ? name : '' });
const names = (s: State) => s.regions.items.map((i) => `${i.region} ${i.nodeType}`);

/** Three regions of edges and one of cores; the regions are on screen. */
async function regions() {
  const r = rig(ALL);
  r.master.putNode(fakeNode('cn-1', { region: 'cn', nodeType: 'core' }));
  await r.settle();
  await r.second();
  r.meant({ kind: 'open-screen', screen: 'regions' });
  const arm = () => r.hub.dispatch({ kind: 'sheet-armed', sheet: r.state().sheet?.id ?? -1 });
  return { ...r, arm };
}

describe('regions', () => {
  test('nodes by region and type, with the figures of the stream; worst first on entry', async () => {
    const r = await regions();
    expect(names(r.state())).toEqual(['cn core', 'hk edge', 'sg edge', 'us edge']);
    const hk = r.state().regions.items[1];
    expect([hk?.nodes.length, hk?.figures?.streams, hk?.figures?.ttft95Ms]).toEqual([2, 24, 412]);
    expect(r.state().regions.all?.nodes).toHaveLength(4);
    r.master.status('us-1', 'down');
    await r.second();
    expect(r.state().regions.items.find((i) => i.region === 'us')?.counts.wrong).toBe(1);
    r.meant({ kind: 'open-screen', screen: 'regions' });
    expect(names(r.state())[0]).toBe('us edge');
  });

  test('the cursor stays with its region when the order is held, and when it is applied', async () => {
    const r = await regions();
    r.meant({ kind: 'move', by: 1 });
    expect(cursorRegion(r.state().regions)?.region).toBe('hk');
    r.master.status('us-1', 'down');
    await r.second();
    expect(names(r.state())).toEqual(['cn core', 'hk edge', 'sg edge', 'us edge']);
    for (let i = 0; i < 4; i++) await r.second();
    expect(names(r.state())[0]).toBe('us edge');
    expect(cursorRegion(r.state().regions)?.region).toBe('hk');
  });

  test('Enter: its nodes, by a filter that can be changed', async () => {
    const r = await regions();
    r.meant({ kind: 'move', by: 1 });
    r.meant({ kind: 'describe' });
    expect(r.state().place).toEqual({ kind: 'screen', screen: 'nodes' });
    expect(r.state().nodes.filterText).toBe('-l region=hk type=edge');
    expect(r.state().nodes.shown.map((i) => i.node.name)).toEqual(['hk-1', 'hk-2']);
  });

  test('r: a dry run, then the number of nodes typed, then eight at a time', async () => {
    const r = await regions();
    r.meant({ kind: 'move', by: 1 });
    r.meant({ kind: 'reload' });
    r.arm();
    r.meant({ kind: 'submit' });
    expect(r.state().sheet?.error?.en).toMatch(/not said yet who is hit/);
    await r.settle();
    r.meant({ kind: 'submit' });
    expect(r.state().sheet?.error?.en).toBe('type 2');
    r.meant({ kind: 'type', text: '2' });
    r.meant({ kind: 'submit' });
    expect(r.state().sheet).toBeNull();
    const target = { regions: ['hk'], nodeType: 'edge' };
    expect(r.effects.at(-1)).toEqual({ kind: 'reload', target, paced: true });
    await r.settle();
    expect(r.master.asked.at(-1)).toBe(`runCommand reload ${JSON.stringify(target)}`);
  });

  test('x: the number typed even for one node; Esc says no', async () => {
    const r = await regions();
    r.meant({ kind: 'drain' });
    expect(r.state().sheet).toMatchObject({ kind: 'order', type: 'drain', region: 'cn', nodes: ['cn-1'] });
    r.arm();
    r.meant({ kind: 'yes' });
    expect(r.state().sheet?.kind).toBe('order');
    r.meant({ kind: 'type', text: '1' });
    r.meant({ kind: 'submit' });
    expect(r.effects.at(-1)).toMatchObject({ kind: 'order', type: 'drain', target: { regions: ['cn'] } });
  });

  test('m: the region by its labels', async () => {
    const r = await regions();
    r.meant({ kind: 'silence' });
    expect(r.state().sheet).toMatchObject({
      kind: 'silence',
      on: 'cn core',
      matchers: [
        { name: 'region', value: 'cn' },
        { name: 'type', value: 'core' },
      ],
    });
  });

  test('an empty fleet has nothing to act on, and says so', async () => {
    const r = rig([]);
    await r.settle();
    r.meant({ kind: 'open-screen', screen: 'regions' });
    expect(press(r.state(), 'r')).toMatchObject({ kind: 'off', why: { en: 'there is no node yet' } });
  });

  test('t: over how long the bars go; what does not come with the figures is asked for, and again', async () => {
    const r = await regions();
    const asked = () => r.master.asked.filter((a) => a.startsWith('regionSeries'));
    const bar = (region: string) => {
      const v = r.state().regions;
      const item = v.items.find((i) => i.region === region);
      if (item === undefined) throw new Error(`no ${region}`);
      return barOf(v, item);
    };
    expect(bar('hk')).toHaveLength(24);
    expect(press(r.state(), 't')).toMatchObject({ kind: 'intent', intent: { kind: 'window' } });
    r.meant({ kind: 'window' });
    expect(bar('hk')).toEqual([]);
    await r.settle();
    expect(asked()).toEqual([`regionSeries ${60 * 60_000} ${3 * 60_000}`]);
    expect(bar('hk').slice(0, 4)).toEqual([null, null, null, 603]);
    expect(bar('hk')).toHaveLength(20);
    // A first token is taken at the edge: cores are not asked about.
    expect(bar('cn')).toEqual([]);
    for (let i = 0; i < 180; i++) await r.second();
    expect(asked()).toHaveLength(2);
    for (const cells of [18, 24]) {
      r.meant({ kind: 'window' });
      await r.settle();
      expect(bar('hk')).toHaveLength(cells);
    }
    r.meant({ kind: 'window' });
    expect(bar('hk')).toHaveLength(10);
    r.meant({ kind: 'window' });
    expect(bar('hk')).toHaveLength(24);
    expect(asked()).toHaveLength(4);
  });

  test('an answer for a window that was left is not taken', async () => {
    const r = await regions();
    r.meant({ kind: 'window' });
    r.hub.dispatch({ kind: 'region-series', window: 3, series: [] });
    expect(r.state().regions.series).toBeNull();
  });
});
