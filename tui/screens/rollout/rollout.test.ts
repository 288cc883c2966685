import { describe, expect, test } from 'vitest';
import type { RolloutState } from '../../../proto/vocab/rollout.ts';
import { ui } from '../../../test/frames/asia.ts';
import { drawn, golden } from '../../../test/frames/golden.ts';
import { blast43, diff43, revert31 } from '../../../test/frames/publish43.ts';
import { NOW, state31 } from '../../../test/frames/rollout31.ts';
import type { Intent } from '../../store/intent.ts';
import { reduce } from '../../store/reducer.ts';
import type { ConsoleEvent, State } from '../../store/state.ts';
import { numbered } from '../../views/sheets/publish.ts';
import type { Ui } from '../../views/ui.ts';
import { measure } from '../nodes.ts';
import { screenRows } from '../screen.ts';

function frame(state: State, u: Ui): string[] {
  return drawn(screenRows(state, u, { context: 'default', shownAt: NOW, measured: measure(state) }), u);
}

function play(state: State, ...events: readonly ConsoleEvent[]): State {
  return events.reduce((s, e) => reduce(s, e, NOW).state, state);
}
const meant = (intent: Intent): ConsoleEvent => ({ kind: 'intent', intent });
const armed = (state: State): State => play(state, { kind: 'sheet-armed', sheet: state.sheet?.id ?? -1 });

/** What the design has and nobody measures, or says otherwise: by row of the frame, from 1. */
const OURS: Readonly<Record<number, RegExp>> = {
  // What the strategy makes it take at least: what nodes take to apply it nobody knows.
  9: /100 % +140 +- +- +- +70 more nodes; at least 7m30s at 8 at once/,
  // The master's own words, its clock from here.
  11: /Waits for +6 targets to stay healthy for 30s: 18 s left; then gate reading 3 of 3 at 03:12:40 \(33 s\)/,
  // Who soaks has not come to rest: the master counts it as not executed.
  13: /failed 1 of 59 executed, 1.7 %; aborts above 2 %: one more failure aborts. +deadline 03:21:20 \(9m13s\)/,
  // Who promoted it last is in the steps of that rollout.
  37: /140 of 140 +by mei/,
};

describe('rollout 31', () => {
  test('120x40: the body of the design, but for what nobody measures', () => {
    const got = frame(state31(), ui(120, 40));
    const want = golden('rollout-120x40');
    for (let y = 3; y < 38; y++) {
      const ours = OURS[y + 1];
      if (ours === undefined) expect(got[y], `row ${y + 1}`).toBe(want[y]);
      else expect(got[y], `row ${y + 1}`).toMatch(ours);
    }
    expect(got[0]?.slice(0, 50)).toBe(want[0]?.slice(0, 50));
  });

  test.each([
    ['rollout-80x24', state31(), ui(80, 24)],
    ['rollout-zh-80x24', state31(), ui(80, 24, { locale: { lang: 'zh' } })],
    ['rollout-ascii-80x24', state31(), ui(80, 24, { locale: { utf8: false } })],
  ])('%s', (name, state, u) => {
    expect(frame(state, u)).toEqual(golden(name));
  });

  test('what ended it is said whole, and who began it gives way to what it does', () => {
    const why = `1 of 1 failed in the first step; hk-1: ${'PREPARE: port 22222 is in use by another program; '.repeat(3)}`;
    const rows = frame(state31({}, { state: { kind: 'rolled_back', why } }), ui(80, 24));
    expect(rows[3]).toMatch(/▲ rolled_back {2,}/);
    const text = rows
      .map((r) => r.trim())
      .join(' ')
      .replace(/ +/g, ' ');
    expect(text).toContain(`Because ${why.trim()}`);
    const narrow = frame(state31(), ui(80, 24))[3] ?? '';
    expect(narrow).toContain('progressing, step 3 of 4');
  });

  test('a target that failed and went back: its phase, and an offer that was there', () => {
    const at31 = play(state31(), meant({ kind: 'describe' }));
    const { got } = at31.rollouts;
    if (got === null) throw new Error('the twin has targets');
    const targets = got.targets.map((t) =>
      t.state === 'failed'
        ? { ...t, released: false, offeredAt: null, switchedAt: null, why: 'SWITCH: it did not come up' }
        : t,
    );
    const nodes = new Map(
      [...at31.picture.facts.node].map(([k, n]) => [k, { ...n, failure: null }] as const),
    );
    const facts = { ...at31.picture.facts, node: nodes };
    const state = {
      ...at31,
      rollouts: { ...at31.rollouts, got: { ...got, targets } },
      picture: { ...at31.picture, facts },
    };
    const text = frame(state, ui(120, 40)).join('\n');
    expect(text).toMatch(/times +offer taken back +switched -/);
    expect(text).toMatch(/phases +● validate +● prepare +✗ switch +· confirm/);
  });

  test('the cursor of a long list is in view', () => {
    let state = state31();
    for (let i = 0; i < 9; i++) state = play(state, meant({ kind: 'move', by: 1 }));
    const rows = frame(state, ui(80, 24));
    expect(rows.some((r) => r.startsWith('> '))).toBe(true);
  });

  test.each([
    ['target-80x24', ui(80, 24)],
    ['target-120x40', ui(120, 40)],
  ])('%s: Enter on the first target', (name, u) => {
    expect(frame(play(state31(), meant({ kind: 'describe' })), u)).toEqual(golden(name));
  });

  test('no master: grey, as of when, and no key acts', () => {
    const state = play(state31(), {
      kind: 'link',
      event: { kind: 'waiting', attempt: 2, reason: 'connection reset', retryAt: NOW + 6000 },
    });
    const u = ui(80, 24);
    const rows = screenRows(state, u, { context: 'default', shownAt: NOW, measured: measure(state) });
    expect(drawn(rows, u)[2]).toMatch(/no master/);
    expect(new Set(rows.slice(3, 20).flatMap((r) => r.segs.map((s) => s.token)))).toEqual(new Set(['stale']));
    expect(drawn(rows, u).at(-1)).toMatch(/pause \(off\)/);
  });
});

describe('the notice row', () => {
  const notice = (state: State, u: Ui) => frame(state, u)[2];
  const nodes: Partial<State> = { place: { kind: 'screen', screen: 'nodes' } };

  test('on every other screen, wide and narrow, as designed', () => {
    expect(notice(state31(nodes), ui(120, 40))).toBe(golden('notices-120x7')[5]);
    expect(notice(state31(nodes), ui(80, 24))).toBe(golden('nodes-80x24')[2]);
    expect(notice(state31(nodes), ui(80, 24, { locale: { lang: 'zh' } }))).toBe(golden('nodes-zh-80x24')[2]);
  });

  test('paused, on its own screen: the keys that answer', () => {
    const paused: RolloutState = {
      kind: 'paused',
      reason: 'inconclusive',
      why: 'sg aborted 612 of 1,000 samples',
      phase: 'analysing',
      until: null,
    };
    const state = state31({}, { state: paused });
    expect(notice(state, ui(120, 40))).toBe(golden('notices-120x7')[4]);
    expect(frame(state, ui(80, 24))[0]).toMatch(/\[3 Rollouts ‖1\]/);
    const long = { ...paused, why: 'hk TTFT p95 -23.6 % of +25 %, which 191 samples cannot settle' };
    expect(notice(state31({}, { state: long }), ui(120, 40))).toMatch(
      /paused inconclusive {3}p analyse again .* u roll back/,
    );
    expect(notice(state31(nodes, { state: paused }), ui(120, 40))).toMatch(/samples {3}3 shows it/);
  });
});

describe('publish', () => {
  const open = (state: State, preview = blast43): State => {
    const asked = play(state, meant({ kind: 'publish', label: 'v43', target: { regions: ['hk'] } }));
    const id = asked.sheet?.id ?? -1;
    const said = play(
      asked,
      { kind: 'publish-preview', sheet: id, chosen: 0, pace: 0, preview },
      {
        kind: 'publish-diff',
        sheet: id,
        from: 'v41',
        diff: { unified: diff43, added: 3, removed: 3 },
      },
    );
    return play(
      armed(said),
      meant({ kind: 'type', text: 'move off cn-上海-03, free :8443 for nginx' }),
      meant({ kind: 'field', by: 1 }),
      meant({ kind: 'type', text: '64' }),
    );
  };

  test.each([
    ['publish-ours-120x40', ui(120, 40)],
    ['publish-80x24', ui(80, 24)],
    ['publish-zh-80x24', ui(80, 24, { locale: { lang: 'zh' } })],
  ])('%s', (name, u) => {
    expect(frame(open(state31()), u)).toEqual(golden(name));
  });

  test('who is hit and how stands as designed, but for what nobody measures', () => {
    const got = frame(open(state31()), ui(120, 40));
    const want = golden('publish-120x40');
    const row = (rows: readonly string[], label: string) => rows.find((r) => r.startsWith(`  ${label} `));
    for (const label of ['nodes', 'listeners', 'routes', 'supersedes'])
      expect(row(got, label)).toBe(row(want, label));
    // How long the oldest is open is told of a drain only; the figures of the fixture are those of its nodes.
    expect(row(got, 'streams')).toMatch(
      /40,344 live {3}0 cut {3}1,204 on edge-wss :8443 finish where they are before it closes/,
    );
    // What the strategy makes it take, and no estimate of what nodes take.
    expect(row(got, 'steps')).toMatch(
      /1 node, you promote {3}10 % = 7 {3}50 % = 32 {3}100 % = 64 {3}8 at once {3}at least 17 min/,
    );
    expect(got.filter((r) => r.startsWith(' Checked')).join('')).toMatch(
      /schema ● {3}variables ● .*64 of 64 render/,
    );
  });

  test('what cannot be, and what is cut, is said first and loud; a master of before says less', () => {
    const bad = blast43.nodes.map((n, i) =>
      i < 2 ? { ...n, change: 'unfit' as const, why: 'this node lacks selector.least' } : n,
    );
    const worse = {
      ...blast43,
      nodes: bad,
      streamsCut: 212,
      routes: [],
      routesUnknown: 3,
      checks: blast43.checks.map((c) =>
        c.check === 'engines'
          ? { ...c, verdict: 'fail' as const, bad: 2, passed: 62, why: 'hk-01: it lacks selector.least' }
          : c,
      ),
    };
    const text = frame(open(state31(), worse), ui(120, 40)).join('\n');
    expect(text).toMatch(/63 get it in steps, 2 of them would refuse/);
    expect(text).toMatch(
      /cannot +hk-01, hk-02: this node lacks selector\.least; while one cannot, nobody gets it/,
    );
    expect(text).toMatch(/212 would be cut: their nodes wait until they are over/);
    expect(text).toMatch(/routes +3 run what is no version here any more: not compared/);
    expect(text).toMatch(/engines ✗ 2 of 64 not: hk-01: it lacks selector\.least/);
    const before = { ...blast43, listeners: [], routes: [], checks: [], warnings: [] };
    const old = frame(open(state31(), before), ui(120, 40)).join('\n');
    expect(old).toMatch(/closes edge-wss :8443 on 28/);
    expect(old).not.toMatch(/0 cut|Checked| routes /);
  });

  test('a refusal of the master is said whole, and nothing is asked any more', () => {
    const asked = play(state31(), meant({ kind: 'publish', label: 'v43', target: { regions: ['hk'] } }));
    const message = `v42 is published to type=edge, as close as region=hk and only partly the same: a node in both would get either. Publish to a target within it, around it, or closer`;
    const state = play(asked, {
      ...{ kind: 'failed', sheet: asked.sheet?.id ?? -1, what: { en: 'preview', zh: '预览' } },
      failure: { code: 'conflict', message, refusals: [] },
    });
    const text = frame(state, ui(80, 24))
      .map((r) => r.trim())
      .join(' ')
      .replace(/ +/g, ' ');
    expect(text).toContain('Publish to a target within it, around it, or closer');
    expect(text).not.toMatch(/Asking the master/);
  });

  test('the diff is drawn as designed: both numbers, what is the same by its length', () => {
    const got = frame(open(state31()), ui(120, 40));
    const want = golden('publish-120x40');
    // The lines of sh3 are written out: they fit.
    const lines = want
      .slice(14, 28)
      .filter((l) => /^ +\d+ | … \d+ lines the same *$/.test(l) && !l.includes('sh3'));
    expect(lines).toHaveLength(12);
    for (const line of lines) expect(got).toContain(line);
    expect(got[2]).toBe(want[2]?.replace('03:12:05', '03:12:07'));
  });
});

test('a long line of a diff is cut where both sides agree, never at the difference', () => {
  const long = 'a: b, '.repeat(30);
  const u = ui(80, 24);
  const rows = drawn(numbered(['@@ -1,1 +1,1 @@', `-${long}x: 1`, `+${long}x: 2`], u), u);
  expect(rows[0]).toMatch(/- a: b.*… a: b.*x: 1 *$/);
  expect(rows[1]).toMatch(/\+ a: b.*… a: b.*x: 2 *$/);
  for (const r of rows) expect(r).toHaveLength(80);
});

describe('U', () => {
  const open = (state: State): State => {
    const asked = play(state, meant({ kind: 'revert-last' }));
    return play(
      armed(asked),
      { kind: 'revert-preview', sheet: asked.sheet?.id ?? -1, preview: revert31 },
      meant({ kind: 'type', text: 'prod-a' }),
    );
  };

  test.each([
    ['revert-ours-80x24', ui(80, 24)],
    ['revert-zh-80x24', ui(80, 24, { locale: { lang: 'zh' } })],
  ])('%s', (name, u) => {
    expect(frame(open(state31()), u)).toEqual(golden(name));
  });
});
