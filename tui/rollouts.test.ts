import { describe, expect, test } from 'vitest';
import type { RolloutId, VersionLabel } from '../proto/vocab/ids.ts';
import type { Rollout, RolloutTarget } from '../proto/vocab/rollout.ts';
import { fakeAlert, fakeVersion } from '../test/fakes/console-master.ts';
import { fakeCounts, fakeRollout, fakeTarget } from '../test/fakes/console-rollouts.ts';
import { rig } from '../test/harness/console-rig.ts';
import { matchKey, whereAmI } from './keys/match.ts';
import { commandHint, completeCommand, parseCommand } from './store/command-line.ts';
import { cursorTarget, shownRollout, targetItems } from './store/rollouts-view.ts';
import { notice, rolloutBadges } from './store/select-header.ts';
import type { State } from './store/state.ts';

const ALL = ['hk-1', 'hk-2', 'us-1'];
const press = (s: State, name: string) => matchKey(s, { name, text: name.length === 1 ? name : '' });
const why = (s: State, key: string) => {
  const m = press(s, key);
  return m.kind === 'off' ? m.why.en : m.kind;
};

const steps = [3, 15, 70, 140].map((targets, i) => ({
  targets,
  startedAt: i === 0 ? 1 : null,
  endedAt: null,
  note: '',
}));
const going = (more: Partial<Rollout> = {}): Rollout =>
  fakeRollout('31', {
    steps,
    counts: fakeCounts({ healthy: 1, applying: 1, failed: 1, waiting: 137 }),
    ...more,
  });
const paused = (reason: 'manual' | 'step' | 'inconclusive' | 'master_suspect'): Partial<Rollout> => ({
  state: { kind: 'paused', reason, why: 'step 1 is over', phase: 'soaking', until: null },
});

const targets: readonly RolloutTarget[] = [
  fakeTarget('31', 'hk-1', { state: 'healthy', since: 5 }),
  fakeTarget('31', 'hk-2', { state: 'failed', since: 9, why: 'PREPARE: :8443 in use' }),
  fakeTarget('31', 'us-1', { state: 'soaking', since: 7 }),
  fakeTarget('31', 'us-2', { state: 'soaking', since: 8 }),
  fakeTarget('31', 'us-3', { state: 'waiting', since: 1 }),
];

/** A rollout goes on; screen 3 is open and its targets have been read. */
async function screen3(more: Partial<Rollout> = {}) {
  const r = rig(ALL);
  r.master.commit([
    {
      kind: 'version',
      key: 'v42',
      value: fakeVersion('v42', { parent: 'v1' as VersionLabel, createdAt: 5 }),
    },
  ]);
  r.master.putRollout(going(more), targets);
  await r.settle();
  r.meant({ kind: 'open-screen', screen: 'rollouts' });
  await r.settle();
  const arm = () => r.hub.dispatch({ kind: 'sheet-armed', sheet: r.state().sheet?.id ?? -1 });
  const type = (text: string) => r.meant({ kind: 'type', text });
  const asked = (what: string) => r.master.asked.filter((a) => a.startsWith(what));
  const here = () => {
    const shown = shownRollout(r.state().rollouts, r.state().picture.facts);
    if (shown === null) throw new Error('no rollout');
    return shown;
  };
  return { ...r, arm, type, asked, here };
}

describe('screen 3', () => {
  test('the open rollout, its targets read once a second and only while they are looked at', async () => {
    const r = await screen3();
    expect(whereAmI(r.state())).toBe('rollout');
    expect(r.here().id).toBe('31');
    const n = r.asked('getRollout').length;
    expect(n).toBe(1);
    await r.second();
    await r.second();
    expect(r.asked('getRollout').length - n).toBe(2);
    r.meant({ kind: 'next-pane' });
    const m = r.asked('getRollout').length;
    await r.second();
    // Beside it the nodes' notes want it, half as often.
    expect(r.asked('getRollout').length - m).toBeLessThanOrEqual(1);
  });

  test('targets worst first; those that go their way together are one row', async () => {
    const r = await screen3();
    const items = targetItems(r.state().rollouts, r.here());
    expect(items.map((i) => [i.target.node, i.target.state, i.others, i.more])).toEqual([
      ['hk-2', 'failed', [], 0],
      ['us-1', 'soaking', ['us-2'], 1],
      ['us-3', 'waiting', [], 136],
      ['hk-1', 'healthy', [], 0],
    ]);
    expect(cursorTarget(r.state().rollouts, r.here())?.node).toBe('hk-2');
    r.meant({ kind: 'move', by: 1 });
    expect(cursorTarget(r.state().rollouts, r.here())?.node).toBe('us-1');
  });

  test('Enter: the target, then its node; Esc peels one layer at a time', async () => {
    const r = await screen3();
    r.meant({ kind: 'describe' });
    expect([whereAmI(r.state()), r.state().rollouts.open]).toEqual(['target', 'hk-2']);
    r.meant({ kind: 'describe' });
    expect(r.state().place).toEqual({ kind: 'node', name: 'hk-2', from: 'rollouts' });
    r.meant({ kind: 'peel' });
    expect(whereAmI(r.state())).toBe('target');
    r.meant({ kind: 'peel' });
    expect(whereAmI(r.state())).toBe('rollout');
  });

  test('Tab: the versions and back; d: the diff of what is published, and back to the rollout', async () => {
    const r = await screen3();
    r.meant({ kind: 'next-pane' });
    expect(whereAmI(r.state())).toBe('versions');
    r.meant({ kind: 'next-pane' });
    r.meant({ kind: 'describe', version: true });
    expect([whereAmI(r.state()), r.state().configs.diff?.label]).toEqual(['version', 'v42']);
    r.meant({ kind: 'peel' });
    expect(whereAmI(r.state())).toBe('rollout');
  });

  test('the newest that is open; Right goes to the one before, and what was read is asked anew', async () => {
    const r = await screen3();
    r.master.putRollout(fakeRollout('30', { state: { kind: 'succeeded' }, createdAt: -5, endedAt: 1 }));
    await r.settle();
    r.meant({ kind: 'other', by: 1 });
    expect([r.here().id, r.state().rollouts.got]).toEqual(['30', null]);
    await r.settle();
    expect(r.asked('getRollout').at(-1)).toBe('getRollout 30');
    r.meant({ kind: 'other', by: -1 });
    expect(r.here().id).toBe('31');
    // It is over: until another one is open it is still what `3` shows.
    r.master.putRollout(going({ state: { kind: 'succeeded' }, endedAt: 9 }));
    await r.settle();
    expect(r.here().id).toBe('31');
  });

  test('what was read before it ended is read once more, then rarely', async () => {
    const r = await screen3();
    r.master.putRollout(
      going({ state: { kind: 'rolled_back', why: '' }, endedAt: 9, modRevision: 9 }),
      targets.map((t) => ({ ...t, state: 'reverted' as const })),
    );
    await r.settle();
    const n = r.asked('getRollout').length;
    await r.second();
    expect(r.asked('getRollout').length - n).toBe(1);
    expect(targetItems(r.state().rollouts, r.here()).map((i) => i.target.state)).toEqual(['reverted']);
    for (let i = 0; i < 4; i++) await r.second();
    expect(r.asked('getRollout').length - n).toBe(1);
  });

  test('no rollout yet: the keys say so', async () => {
    const r = rig(ALL);
    await r.settle();
    r.meant({ kind: 'open-screen', screen: 'rollouts' });
    for (const k of ['n', 'p', 'u', 'd', 'U'])
      expect(why(r.state(), k)).toMatch(/nothing was published by a rollout yet/);
    expect(why(r.state(), 'P')).toBe('intent');
  });
});

describe('verbs', () => {
  test.each([
    ['n', {}, 'rollout 31 is progressing'],
    ['p', {}, 'intent'],
    ['u', {}, 'intent'],
    ['n', paused('step'), 'intent'],
    ['p', paused('step'), 'intent'],
    ['n', { state: { kind: 'succeeded' } } as const, 'rollout 31 is succeeded'],
    ['p', { state: { kind: 'succeeded' } } as const, 'rollout 31 is succeeded'],
    ['u', { state: { kind: 'succeeded' } } as const, 'intent'],
    ['u', { state: { kind: 'rolled_back', why: '' } } as const, 'rollout 31 is rolled_back'],
  ])('%s with %j: %s, in the master’s words', async (key, more, said) => {
    const r = await screen3(more);
    expect(why(r.state(), key)).toBe(said);
  });

  test('elsewhere n and p are off and say where they work', async () => {
    const r = await screen3();
    r.meant({ kind: 'open-screen', screen: 'nodes' });
    for (const k of ['n', 'p']) expect(why(r.state(), k)).toMatch(/3 shows the rollout/);
  });

  test('before the master has answered no verb is offered', async () => {
    const r = await screen3();
    const { got: _, ...rollouts } = r.state().rollouts;
    const unread: State = { ...r.state(), rollouts: { ...rollouts, got: null } };
    expect(why(unread, 'n')).toMatch(/has not said yet/);
  });

  test('p acts at once: paused, then p resumes', async () => {
    const r = await screen3();
    r.meant({ kind: 'pause' });
    await r.settle();
    expect(r.asked('rolloutVerb')).toEqual(['rolloutVerb pause 31  ']);
    expect(r.here().state.kind).toBe('paused');
    r.meant({ kind: 'pause' });
    await r.settle();
    expect(r.asked('rolloutVerb').at(-1)).toBe('rolloutVerb resume 31  ');
  });

  test('n asks for the nodes of the next step', async () => {
    const r = await screen3(paused('step'));
    r.meant({ kind: 'rollout-verb', verb: 'promote', id: null });
    expect(r.state().sheet).toMatchObject({ kind: 'verb', verb: 'promote', nodes: 12, focus: 'type' });
    r.arm();
    r.type('11');
    r.meant({ kind: 'submit' });
    expect(r.state().sheet?.error?.en).toBe('11 is not 12');
    r.meant({ kind: 'erase-line' });
    r.type('12');
    r.meant({ kind: 'submit' });
    await r.settle();
    expect(r.asked('rolloutVerb')).toEqual(['rolloutVerb promote 31  ']);
    expect(r.state().sheet).toBeNull();
    expect(r.here().step).toBe(1);
  });

  test('where nobody is reached there is nothing to type', async () => {
    const r = await screen3({ ...paused('inconclusive'), step: 3 });
    r.meant({ kind: 'rollout-verb', verb: 'promote', id: null });
    r.arm();
    r.meant({ kind: 'submit' });
    await r.settle();
    expect(r.asked('rolloutVerb')).toHaveLength(1);
  });

  test('u wants a reason and the number that has it; one that succeeded is undone', async () => {
    const r = await screen3();
    r.meant({ kind: 'roll-back' });
    expect(r.state().sheet).toMatchObject({ kind: 'verb', verb: 'abort', nodes: 3, focus: 'reason' });
    r.arm();
    r.meant({ kind: 'submit' });
    expect(r.state().sheet?.error?.en).toBe('a reason is wanted');
    r.type('hk latency');
    r.meant({ kind: 'field', by: 1 });
    r.type('3');
    r.meant({ kind: 'submit' });
    await r.settle();
    expect(r.asked('rolloutVerb')).toEqual(['rolloutVerb abort 31  hk latency']);
    expect(r.here().state.kind).toBe('rolled_back');
    const done = await screen3({ state: { kind: 'succeeded' } });
    done.meant({ kind: 'roll-back' });
    expect(done.state().sheet).toMatchObject({ verb: 'undo' });
  });

  test('one more node gets it while the number is typed: the field empties and says so', async () => {
    const r = await screen3();
    r.meant({ kind: 'roll-back' });
    r.arm();
    r.meant({ kind: 'field', by: 1 });
    r.type('3');
    r.master.putRollout(going({ counts: fakeCounts({ healthy: 1, applying: 2, failed: 1, waiting: 136 }) }));
    await r.settle();
    expect(r.state().sheet).toMatchObject({
      typed: '',
      nodes: 4,
      error: { en: 'it was 3 nodes, now 4' },
    });
  });
});

test('where all targets are known the master is held to their number', async () => {
  const r = await screen3();
  const whole = targets.map((t) => ({ ...t, released: t.state !== 'waiting' }));
  r.master.putRollout(
    going({ counts: fakeCounts({ healthy: 1, failed: 1, soaking: 2, waiting: 1 }) }),
    whole,
  );
  await r.settle();
  await r.second();
  r.meant({ kind: 'roll-back' });
  expect(r.state().sheet).toMatchObject({ nodes: 4, exact: true });
  r.arm();
  r.type('why');
  r.meant({ kind: 'field', by: 1 });
  r.type('4');
  r.meant({ kind: 'submit' });
  await r.settle();
  expect(r.asked('rolloutVerb')).toEqual(['rolloutVerb abort 31 4 why']);
});

describe('U', () => {
  test('a dry run, the name of the fleet typed, and what was said is sent', async () => {
    const r = await screen3();
    r.meant({ kind: 'open-screen', screen: 'nodes' });
    expect(why(r.state(), 'U')).toBe('intent');
    r.meant({ kind: 'revert-last' });
    r.arm();
    r.meant({ kind: 'submit' });
    expect(r.state().sheet?.error?.en).toMatch(/not said yet who is hit/);
    await r.settle();
    expect(r.state().sheet).toMatchObject({ kind: 'revert', context: 'demo', preview: { by: 'abort' } });
    r.type('dem');
    r.meant({ kind: 'submit' });
    expect(r.state().sheet?.error?.en).toBe('dem is not demo');
    r.type('o');
    r.meant({ kind: 'submit' });
    await r.settle();
    expect(r.asked('revertLast')).toHaveLength(1);
    expect(r.here().state.kind).toBe('rolled_back');
    expect(why(r.state(), 'U')).toMatch(/U is off until the next publish/);
  });

  test('nothing to take back: the master says so, and there is nothing to type', async () => {
    const r = rig(ALL);
    await r.settle();
    expect(why(r.state(), 'U')).toMatch(/nothing to take back/);
    r.meant({ kind: 'revert-last' });
    await r.settle();
    expect(r.state().sheet).toMatchObject({
      kind: 'revert',
      preview: null,
      error: { en: expect.stringMatching(/nothing was published/) },
    });
  });
});

describe('publish with steps', () => {
  test('another strategy asks the master again and is what is sent', async () => {
    const r = await screen3();
    r.meant({ kind: 'publish', label: 'v42', target: { regions: ['hk'] } });
    r.arm();
    await r.settle();
    const sheet = () => {
      const s = r.state().sheet;
      if (s?.kind !== 'publish') throw new Error('no publication');
      return s;
    };
    expect(sheet().preview?.nodes).toHaveLength(2);
    expect(sheet().bases.map((b) => [b.label, b.nodes])).toEqual([['v1', 2]]);
    expect(sheet().diff?.lines).toBeInstanceOf(Array);
    r.type('slowly');
    r.meant({ kind: 'field', by: 1 });
    r.type('2');
    for (let i = 0; i < 2; i++) r.meant({ kind: 'field', by: 1 });
    expect(sheet().focus).toBe('strategy');
    r.meant({ kind: 'choose', by: 1 });
    expect(sheet()).toMatchObject({ pace: 1, preview: null, typed: '' });
    await r.settle();
    for (let i = 0; i < 3; i++) r.meant({ kind: 'field', by: 1 });
    r.type('2');
    r.meant({ kind: 'submit' });
    await r.settle();
    expect(r.asked('publish ')).toEqual(['publish v42 standard {"regions":["hk"]}']);
  });

  test('P elsewhere: the newest that was never published; on the regions to that region', async () => {
    const r = await screen3();
    r.master.commit([
      { kind: 'version', key: 'v43', value: fakeVersion('v43', { createdAt: 9, publications: [] }) },
    ]);
    await r.settle();
    r.meant({ kind: 'publish' });
    expect(r.state().sheet).toMatchObject({ kind: 'publish', label: 'v43' });
    r.meant({ kind: 'open-screen', screen: 'regions' });
    const s = r.state();
    r.hub.dispatch({ kind: 'sheet-armed', sheet: s.sheet?.id ?? -1 });
    r.meant({ kind: 'peel' });
    r.meant({ kind: 'open-screen', screen: 'regions' });
    r.meant({ kind: 'publish' });
    const sheet = r.state().sheet;
    expect(sheet?.kind === 'publish' ? [sheet.label, sheet.choices[0]] : sheet).toEqual([
      'v43',
      { regions: ['hk'], nodeType: 'edge' },
    ]);
  });

  test('the diff is scrolled by the arrows, fields by Tab', async () => {
    const r = await screen3();
    r.meant({ kind: 'publish', label: 'v42', target: null });
    r.arm();
    await r.settle();
    expect(press(r.state(), 'down')).toMatchObject({ intent: { kind: 'move', by: 1 } });
    expect(press(r.state(), 'pgup')).toMatchObject({ intent: { kind: 'page', by: -1 } });
    expect(press(r.state(), 'tab')).toMatchObject({ intent: { kind: 'field', by: 1 } });
    r.meant({ kind: 'move', by: -1 });
    expect(r.state().sheet).toMatchObject({ scroll: 0 });
  });
});

describe('what every screen says of it', () => {
  const text = (s: State) => {
    const n = notice(s);
    return n?.kind === 'text' ? n.text.en : n?.kind;
  };

  test('the badge and the notice follow it', async () => {
    const r = await screen3();
    expect(rolloutBadges(r.state())).toEqual([{ verdict: 'changing', n: 1 }]);
    expect(text(r.state())).toBeUndefined();
    r.meant({ kind: 'open-screen', screen: 'nodes' });
    expect(text(r.state())).toMatch(
      /^rollout 31 {2}v42 to everybody {2}step 1 of 4 {2}1 of 3 healthy {2}1 failed/,
    );
    r.master.putRollout(going(paused('step')));
    await r.settle();
    expect(rolloutBadges(r.state())).toEqual([{ verdict: 'paused', n: 1 }]);
    expect(text(r.state())).toBe('rollout 31 waits for a person after step 1 of 4   3 shows it');
    r.meant({ kind: 'open-screen', screen: 'rollouts' });
    expect(text(r.state())).toBe(
      'rollout 31 waits for a person after step 1 of 4   n promotes   u rolls back',
    );
  });

  test.each<[string, string, string, string]>([
    [
      'held back',
      '31 of 120 nodes lost, in hk and sg; dialled 8, 8 answer: look at this network first; NodeDown held back',
      "MasterSuspect: 31 of 120 nodes lost.  NodeDown held back, rollouts frozen.  Look at this master's network first",
      'MasterSuspect: 31 of 120 nodes lost.  NodeDown held back, rollouts frozen',
    ],
    [
      'over three minutes, none answers',
      '31 of 120 nodes lost, in hk and sg; dialled 8, 0 answer',
      'MasterSuspect: 31 of 120 nodes lost.  rollouts frozen.  dialled 8, 0 answer',
      'MasterSuspect: 31 of 120 nodes lost.  rollouts frozen',
    ],
  ])('a master in doubt comes before it: %s', async (_, value, en, short) => {
    const r = await screen3();
    r.master.putRollout(going(paused('master_suspect')));
    const { node: __, ...labels } = fakeAlert('MasterSuspect', '', {}).labels;
    r.master.putAlert(fakeAlert('MasterSuspect', '', { severity: 'critical', labels, value }));
    await r.settle();
    expect(notice(r.state())).toMatchObject({
      kind: 'text',
      verdict: 'unseen',
      text: { en },
      short: { en: short },
    });
    r.master.putAlert({
      ...fakeAlert('MasterSuspect', '', { value }),
      state: 'resolved',
      firingAt: 0,
      resolvedAt: 1,
    });
    await r.settle();
    expect(text(r.state())).toMatch(/^rollout 31/);
  });

  test('one that was rolled back is said for ten minutes, and a newer one that goes on before it', async () => {
    const r = await screen3();
    r.meant({ kind: 'open-screen', screen: 'nodes' });
    await r.second();
    const ended = r.state().picture.at ?? 0;
    const state = { kind: 'rolled_back', why: 'hk TTFT p95 +31.0 % of +25 %' } as const;
    r.master.putRollout(going({ state, endedAt: ended }));
    await r.settle();
    expect(text(r.state())).toBe('rollout 31  v42  rolled_back: hk TTFT p95 +31.0 % of +25 %');
    expect(rolloutBadges(r.state())).toEqual([]);
    const later: State = {
      ...r.state(),
      picture: { ...r.state().picture, at: ended + 10 * 60_000 },
    };
    expect(text(later)).toBeUndefined();
  });

  test('the nodes say what becomes of them, and no longer once it is over', async () => {
    const r = await screen3();
    await r.second();
    const of = (name: string) => r.state().nodes.items.find((i) => i.node.name === name)?.note?.text.en;
    expect(of('us-1')).toMatch(/^soaking \d+s$/);
    r.master.putRollout(going({ state: { kind: 'succeeded' }, endedAt: 9 }));
    await r.settle();
    expect(of('us-1')).toBeUndefined();
  });
});

describe(':', () => {
  test.each([
    ['publish v43', { kind: 'publish', label: 'v43', target: null }],
    ['publish v43 region=hk type=edge', { kind: 'publish', target: { regions: ['hk'], nodeType: 'edge' } }],
    ['publish v43 all', { kind: 'publish', target: {} }],
    ['publish v43 hk-1 rack=a3', { kind: 'publish', target: { nodes: ['hk-1'], labels: { rack: 'a3' } } }],
    ['promote', { kind: 'rollout-verb', verb: 'promote', id: null }],
    ['promote 31', { kind: 'rollout-verb', verb: 'promote', id: '31' }],
    ['promote 31 --full', { kind: 'rollout-verb', verb: 'promote_full', id: '31' }],
    ['abort 31', { kind: 'rollout-verb', verb: 'abort', id: '31' }],
    ['rollout 30', { kind: 'open-rollout', id: '30' }],
    ['revert', { kind: 'revert-last' }],
    ['nodes -l region=hk', { kind: 'open-screen', screen: 'nodes', filter: '-l region=hk' }],
    ['versions', { kind: 'open-screen', screen: 'rollouts', pane: 'versions' }],
    ['quit', { kind: 'quit' }],
  ])('%s', (line, intent) => {
    expect(parseCommand(`  ${line} `)).toMatchObject({ kind: 'intent', intent });
  });

  test.each([
    ['publish', /^:publish VERSION/],
    ['publish v1 type=moon', /^:publish VERSION/],
    ['publish v1 region=', /^:publish VERSION/],
    ['publish v1 __proto__=x', /^:publish VERSION/],
    ['promote 31 32', /^:promote/],
    ['promote --half', /^:promote/],
    ['rollout 1 2', /^:rollout/],
    ['dance', /no such command; there are: publish/],
  ])('%s is refused with what it should be', (line, said) => {
    const parsed = parseCommand(line);
    expect(parsed.kind === 'error' ? parsed.why.en : '').toMatch(said);
  });

  test('Tab completes to what is sure, the hint says the rest', () => {
    expect(completeCommand('pub')).toBe('publish ');
    expect(completeCommand('re')).toBe('re');
    expect(completeCommand('publish v')).toBe('publish v');
    expect(commandHint('prom')?.name).toBe('promote');
    expect(commandHint('re')).toBeNull();
  });

  test('as if the key had been pressed; what is wrong stays beside the line', async () => {
    const r = await screen3();
    const line = (text: string) => {
      r.meant({ kind: 'command-open' });
      r.type(text);
      r.meant({ kind: 'submit' });
    };
    line('rollout 99');
    expect(r.state().prompt).toMatchObject({ kind: 'command', error: { en: 'there is no rollout 99' } });
    r.meant({ kind: 'peel' });
    line('publish v42 region=hk');
    const sheet = r.state().sheet;
    expect(sheet?.kind === 'publish' ? [sheet.label, sheet.choices[0]] : sheet).toEqual([
      'v42',
      { regions: ['hk'] },
    ]);
    expect(r.state().prompt).toBeNull();
    r.arm();
    r.meant({ kind: 'peel' });
    line('abort 31');
    expect(r.state().sheet).toMatchObject({ kind: 'verb', verb: 'abort', rollout: '31' as RolloutId });
    r.arm();
    r.meant({ kind: 'peel' });
    line('publish v99');
    expect(r.state().sheet).toBeNull();
    expect(r.state().messages.list.at(-1)?.body).toMatchObject({ text: { en: 'there is no version v99' } });
  });

  test('without a master nothing acts, looking is free', async () => {
    const r = await screen3();
    r.master.down();
    await r.settle();
    r.meant({ kind: 'command-open' });
    r.type('promote 31');
    r.meant({ kind: 'submit' });
    expect(r.state().prompt).toMatchObject({ error: { en: 'no master' } });
    r.meant({ kind: 'erase-line' });
    r.type('regions');
    r.meant({ kind: 'submit' });
    expect(r.state().place).toEqual({ kind: 'screen', screen: 'regions' });
  });
});
