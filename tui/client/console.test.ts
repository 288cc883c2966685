import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Entity, WatchEvent } from '../../proto/vocab/watch.ts';
import { fakeAlert, fakeNode, fakeVersion } from '../../test/fakes/console-master.ts';
import { rig } from '../../test/harness/console-rig.ts';
import type { Intent } from '../store/intent.ts';
import { currentMessage } from '../store/message.ts';
import { cursorItem } from '../store/nodes-view.ts';
import { dataAge, notice } from '../store/select-header.ts';
import { shownMessage } from '../store/select-message.ts';
import type { State } from '../store/state.ts';

const shown = (s: State) => s.nodes.shown.map((i) => i.node.name);
const cursor = (s: State) => cursorItem(s.nodes)?.node.name;

describe('the stream', () => {
  test('a snapshot, then changes, then deletions', async () => {
    const r = rig();
    await r.settle();
    expect(r.state().connection.kind).toBe('live');
    expect(shown(r.state())).toEqual(['hk-1', 'hk-2', 'us-1']);
    r.master.putNode(fakeNode('sg-1'));
    await r.settle();
    expect(r.state().fleet.facts.node.size).toBe(4);
    r.master.commit([], [{ kind: 'node', key: 'hk-2' }]);
    await r.settle();
    expect(r.state().fleet.facts.node.has('hk-2')).toBe(false);
  });

  test('a gap is not shown: the stream starts again from what is known', async () => {
    const r = rig();
    await r.settle();
    r.master.loseOne([{ kind: 'node', key: 'lost-1', value: fakeNode('lost-1') }]);
    r.master.putNode(fakeNode('sg-1'));
    await r.settle();
    expect(r.effects).toContainEqual({ kind: 'resubscribe' });
    await r.settle();
    expect([...r.state().fleet.facts.node.keys()]).toEqual(['hk-1', 'hk-2', 'us-1', 'lost-1', 'sg-1']);
    expect(r.state().fleet.revision).toBe(r.master.revision);
  });

  test('too old to resume: everything is read again, what was there stays until it is whole', async () => {
    const r = rig();
    await r.settle();
    r.master.down();
    r.master.commit([], [{ kind: 'node', key: 'hk-1' }]);
    r.master.compact();
    r.time.advance(11_000);
    r.master.up();
    await r.settle();
    expect(shown(r.state())).toEqual(['hk-2', 'us-1']);
    expect(notice(r.state())).toMatchObject({ kind: 'back', whole: true });
  });

  test('no master: the data stays, with its age; it comes back by itself', async () => {
    const r = rig();
    await r.second();
    r.master.down('connection reset', 6_000);
    r.time.advance(47_000);
    r.hub.dispatch({ kind: 'tick' });
    expect(notice(r.state())).toMatchObject({ kind: 'no-master', forMs: 47_000, reason: 'connection reset' });
    expect(dataAge(r.state())?.kind).toBe('stale');
    expect(shown(r.state())).toHaveLength(3);
    r.master.putNode(fakeNode('new-1'));
    r.master.up();
    await r.settle();
    expect(notice(r.state())).toMatchObject({ kind: 'back', whole: false, changes: 1 });
    expect(r.state().fleet.facts.node.has('new-1')).toBe(true);
  });
});

describe('the list', () => {
  test('until a key is pressed the cursor stands on the worst', async () => {
    const r = rig();
    await r.second();
    r.master.status('us-1', 'down');
    await r.second();
    expect(shown(r.state())[0]).toBe('us-1');
    expect(cursor(r.state())).toBe('us-1');
  });

  test('order is held for 3 s after a key; the cursor belongs to the node', async () => {
    const r = rig();
    await r.second();
    r.meant({ kind: 'move', by: 1 });
    expect(cursor(r.state())).toBe('hk-2');
    r.master.status('us-1', 'down');
    await r.second();
    expect(shown(r.state())).toEqual(['hk-1', 'hk-2', 'us-1']);
    expect(r.state().nodes.wouldMove).toBe(3);
    await r.second();
    await r.second();
    await r.second();
    expect(shown(r.state())).toEqual(['us-1', 'hk-1', 'hk-2']);
    expect(cursor(r.state())).toBe('hk-2');
  });

  test('who goes keeps a grey row until the next order, newcomers wait at the end', async () => {
    const r = rig();
    await r.second();
    r.meant({ kind: 'move', by: 1 });
    r.master.commit(
      [{ kind: 'node', key: 'aa-1', value: fakeNode('aa-1') }],
      [{ kind: 'node', key: 'hk-1' }],
    );
    await r.settle();
    expect(shown(r.state())).toEqual(['hk-1', 'hk-2', 'us-1', 'aa-1']);
    expect(r.state().nodes.shown[0]).toMatchObject({ gone: true, note: { text: { en: 'gone' } } });
    r.meant({ kind: 'order-by', column: 'name' });
    expect(shown(r.state())).toEqual(['aa-1', 'hk-2', 'us-1']);
  });

  test('a filter that does not compile filters nothing; Esc takes it away', async () => {
    const r = rig();
    await r.second();
    r.meant({ kind: 'filter-open' });
    for (const c of 'hk') r.meant({ kind: 'type', text: c });
    expect(shown(r.state())).toEqual(['hk-1', 'hk-2']);
    r.meant({ kind: 'type', text: '(' });
    expect(shown(r.state())).toHaveLength(3);
    expect(r.state().nodes.filter.error).not.toBeNull();
    r.meant({ kind: 'erase' });
    r.meant({ kind: 'submit' });
    expect(shown(r.state())).toEqual(['hk-1', 'hk-2']);
    r.meant({ kind: 'peel' });
    expect(shown(r.state())).toHaveLength(3);
  });

  test('a frozen picture stands still, and catches up', async () => {
    const r = rig();
    await r.second();
    r.meant({ kind: 'freeze' });
    r.master.putNode(fakeNode('aa-1'));
    await r.second();
    expect(r.state().nodes.items).toHaveLength(3);
    r.meant({ kind: 'freeze' });
    await r.second();
    expect(r.state().nodes.items).toHaveLength(4);
  });
});

describe('acts', () => {
  const text = (s: State) => {
    const m = shownMessage(s);
    return m === null || m.kind === 'off' ? '' : m.text.en;
  };

  test('r on one node acts at once and the line follows what the stream says', async () => {
    const r = rig();
    await r.second();
    r.meant({ kind: 'reload' });
    await r.settle(0);
    expect(text(r.state())).toBe('reload hk-1: queued');
    await r.settle(110);
    expect(text(r.state())).toBe('reload hk-1: received');
    await r.settle(2_000);
    expect(text(r.state())).toBe(
      'reload hk-1: succeeded 1.8 s, 12 streams kept, generation 4 → 5, unchanged',
    );
    r.time.advance(11_000);
    r.hub.dispatch({ kind: 'tick' });
    expect(currentMessage(r.state().messages, r.state().now)).toBeNull();
  });

  test('a marked set asks; keys before the sheet is armed are dropped and said so', async () => {
    const r = rig();
    await r.second();
    r.meant({ kind: 'mark' });
    r.meant({ kind: 'mark' });
    r.meant({ kind: 'reload' });
    expect(r.state().sheet).toMatchObject({ kind: 'reload', nodes: ['hk-1', 'hk-2'], armed: false });
    r.meant({ kind: 'yes' });
    expect(r.state().sheet?.error?.en).toMatch(/came before the question/);
    expect(r.master.asked.filter((a) => a.startsWith('runCommand'))).toEqual([]);
    r.hub.dispatch({ kind: 'sheet-armed', sheet: r.state().sheet?.id ?? 0 });
    r.meant({ kind: 'submit' });
    expect(r.state().sheet).toBeNull();
    r.meant({ kind: 'reload' });
    r.hub.dispatch({ kind: 'sheet-armed', sheet: r.state().sheet?.id ?? 0 });
    r.meant({ kind: 'yes' });
    expect(r.master.asked.filter((a) => a.startsWith('runCommand'))).toEqual(['runCommand reload hk-1 hk-2']);
  });

  test('a rollback wants a reason and the exact number, and nothing is shown before the stream says so', async () => {
    const r = rig();
    r.master.commit([{ kind: 'version', key: 'v1', value: fakeVersion('v1', { parent: 'v0' as never }) }]);
    await r.second();
    r.meant({ kind: 'roll-back' });
    await r.settle(0);
    r.hub.dispatch({ kind: 'sheet-armed', sheet: r.state().sheet?.id ?? 0 });
    r.meant({ kind: 'submit' });
    expect(r.state().sheet?.error?.en).toMatch(/reason/);
    r.meant({ kind: 'type', text: 'latency' });
    r.meant({ kind: 'field', by: 1 });
    r.meant({ kind: 'type', text: '2' });
    r.meant({ kind: 'submit' });
    expect(r.state().sheet?.error?.en).toBe('2 is not 3');
    r.meant({ kind: 'erase' });
    r.meant({ kind: 'type', text: '3' });
    r.meant({ kind: 'submit' });
    expect(r.state().sheet).toMatchObject({ sending: true });
    expect(r.state().fleet.facts.version.has('v2')).toBe(false);
    await r.settle(0);
    expect(r.state().sheet).toBeNull();
    expect(r.master.asked.at(-1)).toBe('rollback v1 3 latency');
    expect(text(r.state())).toMatch(/^v2 puts back v0 on 3 nodes/);
  });

  test('if the number changes while it is typed, the field empties and says so', async () => {
    const r = rig();
    r.master.commit([{ kind: 'version', key: 'v1', value: fakeVersion('v1', { parent: 'v0' as never }) }]);
    await r.second();
    r.meant({ kind: 'roll-back' });
    await r.settle(0);
    const sheet = r.state().sheet;
    if (sheet?.kind !== 'rollback' || sheet.preview === null) throw new Error('no preview');
    r.hub.dispatch({ kind: 'sheet-armed', sheet: sheet.id });
    r.meant({ kind: 'field', by: 1 });
    r.meant({ kind: 'type', text: '3' });
    const preview = { ...sheet.preview, nodes: sheet.preview.nodes.slice(1) };
    r.hub.dispatch({ kind: 'rollback-preview', sheet: sheet.id, preview });
    expect(r.state().sheet).toMatchObject({ typed: '', error: { en: 'it was 3 nodes, now 2' } });
  });

  test('a preview is asked again every 5 s while its sheet is open', async () => {
    const r = rig();
    r.master.commit([{ kind: 'version', key: 'v1', value: fakeVersion('v1', { parent: 'v0' as never }) }]);
    await r.second();
    r.meant({ kind: 'roll-back' });
    await r.settle(0);
    r.hub.dispatch({ kind: 'sheet-armed', sheet: r.state().sheet?.id ?? 0 });
    r.meant({ kind: 'field', by: 1 });
    r.meant({ kind: 'type', text: '3' });
    r.master.commit([], [{ kind: 'node', key: 'us-1' }]);
    for (let i = 0; i < 6; i++) await r.second();
    expect(r.master.asked.filter((a) => a === 'previewRollback v1')).toHaveLength(2);
    expect(r.state().sheet).toMatchObject({ typed: '', error: { en: 'it was 3 nodes, now 2' } });
  });

  test('a silence of the alert under the cursor; its row is suppressed when the stream says so', async () => {
    const r = rig();
    r.master.putAlert(fakeAlert('NodeDown', 'hk-2', { severity: 'critical' }));
    await r.second();
    r.meant({ kind: 'open-screen', screen: 'alerts' });
    r.meant({ kind: 'silence' });
    await r.settle(0);
    const sheet = r.state().sheet;
    expect(sheet).toMatchObject({
      kind: 'silence',
      rule: 'NodeDown',
      on: 'hk-2',
      preview: { totalNodes: 3 },
    });
    r.hub.dispatch({ kind: 'sheet-armed', sheet: sheet?.id ?? 0 });
    r.meant({ kind: 'submit' });
    expect(r.state().sheet?.error?.en).toMatch(/comment/);
    r.meant({ kind: 'type', text: 'wei is on it' });
    r.meant({ kind: 'submit' });
    await r.settle();
    expect(r.state().sheet).toBeNull();
    expect(r.state().alerts.lists.live.map((i) => i.state)).toEqual(['suppressed']);
    r.meant({ kind: 'next-pane' });
    r.meant({ kind: 'expire-silence' });
    r.hub.dispatch({ kind: 'sheet-armed', sheet: r.state().sheet?.id ?? 0 });
    r.meant({ kind: 'yes' });
    await r.settle();
    expect(r.state().alerts.lists.live.map((i) => i.state)).toEqual(['firing']);
  });

  test("a refusal is an error until Esc, in the master's own words", async () => {
    const r = rig();
    await r.second();
    r.master.down();
    r.meant({ kind: 'reload' });
    await r.settle(0);
    r.time.advance(60_000);
    r.hub.dispatch({ kind: 'tick' });
    expect(text(r.state())).toBe('reload: no master answers');
    r.meant({ kind: 'peel' });
    expect(text(r.state())).toBe('');
  });

  test('an open page is asked for again every second', async () => {
    const r = rig();
    await r.second();
    r.meant({ kind: 'describe' });
    await r.settle(0);
    expect(r.state().detail).toMatchObject({ name: 'hk-1', detail: { node: { name: 'hk-1' } } });
    const before = r.master.asked.length;
    await r.second();
    await r.second();
    expect(r.master.asked.slice(before).filter((a) => a === 'nodeDetail hk-1')).toHaveLength(2);
  });

  test('an empty fleet asks for one join token, once', async () => {
    const r = rig([]);
    for (let i = 0; i < 8; i++) await r.second();
    expect(r.master.asked.filter((a) => a.startsWith('createToken'))).toHaveLength(1);
    expect(r.state().firstRun).toMatchObject({ kind: 'made', region: 'hk' });
  });
});

// Any history of the fleet, of keys and of broken links ends with what the master has.
const NAMES = ['a-1', 'b-2', 'c-3', 'd-4'];
const happening = fc.oneof(
  fc.record({
    kind: fc.constant('put' as const),
    name: fc.constantFrom(...NAMES),
    region: fc.constantFrom('hk', 'us'),
  }),
  fc.record({ kind: fc.constant('delete' as const), name: fc.constantFrom(...NAMES) }),
  fc.record({ kind: fc.constant('lose' as const), name: fc.constantFrom(...NAMES) }),
  fc.record({ kind: fc.constant('down' as const) }),
  fc.record({ kind: fc.constant('up' as const) }),
  fc.record({ kind: fc.constant('compact' as const) }),
  fc.record({ kind: fc.constant('restart' as const) }),
  fc.record({ kind: fc.constant('second' as const) }),
  fc.record({
    kind: fc.constant('key' as const),
    intent: fc.constantFrom<Intent>(
      { kind: 'move', by: 1 },
      { kind: 'jump', to: 'last' },
      { kind: 'mark' },
      { kind: 'order-turn' },
      { kind: 'order-shift', by: 1 },
      { kind: 'describe' },
      { kind: 'peel' },
      { kind: 'filter-open' },
      { kind: 'type', text: 'a' },
      { kind: 'erase' },
      { kind: 'submit' },
      { kind: 'help' },
      { kind: 'reload' },
      { kind: 'silence' },
      { kind: 'open-screen', screen: 'alerts' },
      { kind: 'open-screen', screen: 'nodes' },
      { kind: 'last-screen' },
      { kind: 'refresh' },
    ),
  }),
);

test('any history ends with what the master has, and the cursor on a row that is there', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(happening, { maxLength: 40 }), async (history) => {
      const r = rig(NAMES.slice(0, 2));
      for (const h of history) {
        if (h.kind === 'put') r.master.putNode(fakeNode(h.name, { region: h.region }));
        else if (h.kind === 'delete') r.master.commit([], [{ kind: 'node', key: h.name }]);
        else if (h.kind === 'lose') {
          const lost: Entity = { kind: 'node', key: h.name, value: fakeNode(h.name, { region: 'lost' }) };
          r.master.loseOne([lost]);
        } else if (h.kind === 'down') r.master.down();
        else if (h.kind === 'up') r.master.up();
        else if (h.kind === 'compact') r.master.compact();
        else if (h.kind === 'restart') {
          r.master.down();
          r.master.storeId += 'x';
        } else if (h.kind === 'second') await r.second();
        else r.meant(h.intent);
        const s = r.state();
        if (s.nodes.shown.length > 0) expect(shown(s)).toContain(s.nodes.cursor);
        expect(s.nodes.top).toBeLessThanOrEqual(Math.max(0, s.nodes.shown.length - 1));
      }
      r.master.up();
      await r.settle(5_000);
      // Whatever was lost last shows itself with the next change.
      r.master.putNode(fakeNode('last-9'));
      await r.settle();
      await r.settle();
      const { nodes } = await r.master.listNodes();
      const mine = [...r.state().fleet.facts.node.values()];
      const byName = (list: readonly { name: string }[]) =>
        [...list].sort((a, b) => (a.name < b.name ? -1 : 1));
      expect(byName(mine)).toEqual(byName(nodes));
      expect(r.state().fleet.revision).toBe(r.master.revision);
    }),
    { numRuns: 100 },
  );
});

test('a record of the stream never changes what was before', () => {
  const r = rig();
  const before = r.state().fleet;
  const event: WatchEvent = { kind: 'end', revision: 9 };
  r.hub.dispatch({ kind: 'stream', events: [event] });
  expect(before.stream.kind).toBe('none');
});
