import fc from 'fast-check';
import { test } from 'vitest';
import { header, hk, ui } from '../../test/frames/asia.ts';
import { HOSTILE, harmless } from '../../test/frames/hostile.ts';
import type { Row } from '../theme/row.ts';
import { alertsRows } from './alerts.ts';
import { type DescribeProps, describeRows } from './describe.ts';
import { keybarRow, messageRow, peekRow } from './foot.ts';
import { headerRows } from './header.ts';
import { nodesTitleRow, nodeTableRows } from './node-table.ts';
import { firstRunRows, helpRows, orderByRow, promptRow } from './pages.ts';
import { confirmSheetRows } from './sheets/confirm.ts';
import { refusalSheetRows } from './sheets/refusal.ts';
import { resultSheetRows } from './sheets/result.ts';
import { silenceSheetRows } from './sheets/silence.ts';
import { typedSheetRows } from './sheets/typed.ts';
import type { Ui } from './ui.ts';

function everyView(bad: string, u: Ui): Row[] {
  const keys = [{ key: 'r', label: bad, off: true }];
  const node = {
    ...(hk[0] as (typeof hk)[number]),
    name: bad,
    region: bad,
    version: bad,
    engine: bad,
    agent: bad,
    labels: bad,
  };
  const describe: DescribeProps = {
    name: bad,
    region: bad,
    verdict: 'wrong',
    status: bad,
    firing: 1,
    labels: { [bad]: bad },
    place: { at: 1, of: 2 },
    seenMs: 1,
    instance: bad,
    axes: [{ axis: 'config_sync', verdict: 'wrong', word: bad, extra: bad }],
    failure: [bad, bad],
    engine: {
      kind: bad,
      version: bad,
      pid: 1,
      upMs: 1,
      generation: 1,
      reason: bad,
      listeners: [{ addr: bad, type: bad }],
    },
    agentVersion: bad,
    certificates: [{ name: bad, leftMs: 1, note: bad }],
    series: [
      {
        label: bad,
        values: [1, null, 3],
        decimals: 2,
        limit: 2,
        regionNow: 1,
        over: { wide: bad, narrow: bad },
      },
    ],
    marks: [{ minutesAgo: 1, letter: bad, legend: bad }],
    axis: [bad],
    alerts: [{ rule: bad, verdict: 'warning', state: bad, forMs: 1, text: bad, quiet: false }],
    commands: [{ at: bad, what: bad, who: bad, verdict: 'well', word: bad, tookMs: 1, text: bad }],
    log: [{ at: bad, level: bad, text: bad }],
    stale: false,
    scroll: 0,
  };
  return [
    ...headerRows(
      {
        ...header,
        context: bad,
        person: bad,
        clock: bad,
        notice: { kind: 'no-master', seconds: 4, reason: bad, attempt: 1, nextInSeconds: 2 },
      },
      u,
    ),
    ...headerRows({ ...header, aside: bad, notice: { kind: 'text', verdict: 'wrong', text: bad } }, u),
    nodesTitleRow(
      { filter: bad, shown: 1, total: 2, verdicts: [], marked: 0, asOf: bad, orderHeld: 1, range: null },
      u,
    ),
    ...nodeTableRows(
      {
        rows: [{ ...node, note: { verdict: 'wrong', text: bad } }],
        cursor: 0,
        sort: { column: 'note', down: true },
        heartbeatMs: 1000,
        stale: false,
        measured: { name: 400, region: 400, config: 400 },
      },
      u,
    ),
    peekRow({ node, engine: bad, engineUpMs: 1, regionGap99Ms: 1, alerts: [{ rule: bad, forMs: 1 }] }, u),
    messageRow({ kind: 'own', at: bad, verdict: 'well', text: bad, more: 2 }, u),
    messageRow({ kind: 'off', at: bad, key: bad, what: bad, why: bad }, u),
    keybarRow({ keys, last: null }, u),
    ...describeRows(describe, { ...u, height: 60 }),
    ...alertsRows(
      {
        counts: { firing: 1, pending: 0, acknowledged: 0, suppressed: 0 },
        alerts: [
          {
            rule: bad,
            on: bad,
            verdict: 'wrong',
            state: 'firing',
            forMs: 1,
            value: bad,
            next: bad,
            quiet: false,
          },
        ],
        resolved: [
          {
            rule: bad,
            on: bad,
            verdict: 'well',
            state: 'resolved',
            at: bad,
            value: bad,
            next: bad,
            quiet: true,
          },
        ],
        silences: [
          {
            id: bad,
            state: 'active',
            matchers: bad,
            alerts: 1,
            nodes: 1,
            ends: bad,
            left: bad,
            by: bad,
            comment: bad,
          },
        ],
        focus: 'alerts',
        cursor: 0,
        detail: {
          rule: bad,
          on: bad,
          severity: bad,
          fingerprint: bad,
          labels: { [bad]: bad },
          value: bad,
          pendingAt: bad,
          firingAt: bad,
          silencedBy: [bad],
        },
        watched: { heard: 1, total: 1 },
        stale: false,
        aside: bad,
      },
      { ...u, height: 60 },
    ),
    ...silenceSheetRows(
      {
        rule: bad,
        on: bad,
        durations: [bad],
        chosen: 0,
        ends: bad,
        comment: bad,
        focus: 'comment',
        matchers: [{ name: bad, op: bad, value: bad }],
        preview: {
          alerts: [{ verdict: 'wrong', rule: bad, on: bad, text: bad }],
          spared: [{ rule: bad, on: bad }],
          nodes: 1,
          total: 1,
        },
        count: { want: bad, typed: bad },
        error: bad,
        last: null,
      },
      u,
    ),
    ...typedSheetRows(
      {
        title: bad,
        aside: bad,
        facts: [{ label: bad, text: bad }],
        reason: { label: bad, typed: bad },
        type: { want: bad, what: bad, typed: bad },
        focus: 'type',
        error: bad,
        keys,
        last: null,
      },
      u,
    ),
    ...confirmSheetRows(
      { title: bad, aside: bad, lines: [{ text: bad }], question: bad, yes: bad, no: bad, keys },
      u,
    ),
    ...resultSheetRows(
      {
        title: bad,
        aside: { verdict: 'changing', text: bad },
        counts: [{ verdict: 'well', n: 1, word: bad }],
        settled: 1,
        total: 1,
        rows: [{ name: bad, verdict: 'wrong', state: bad, tookMs: 1, output: bad }],
        cursor: 0,
        keys,
        last: null,
      },
      u,
    ),
    ...refusalSheetRows(
      {
        title: bad,
        at: bad,
        code: bad,
        what: bad,
        where: bad,
        source: { line: 1, column: 9, text: bad },
        todo: bad,
        trace: bad,
        keys,
        last: null,
      },
      u,
    ),
    ...firstRunRows(
      { command: bad, leftMs: 1, type: 'edge', region: bad, published: bad, advertise: bad, error: null },
      u,
    ),
    ...helpRows(
      {
        screen: bad,
        on: bad,
        marked: 0,
        sections: [{ title: bad, rows: [{ keys: bad, text: bad, off: bad }] }],
        scroll: 0,
      },
      u,
    ),
    orderByRow({ screen: bad, count: 1, keys: [{ key: bad, label: bad }] }, u),
    promptRow({ sign: '/', typed: bad, error: bad, hint: bad }, u),
  ];
}

function check(bad: string, u: Ui): void {
  harmless(everyView(bad, u), u);
}

test.each(HOSTILE)('nothing of %j reaches the terminal, and every row keeps its width', (bad) => {
  for (const u of [ui(60, 24), ui(80, 24), ui(120, 40), ui(200, 50)]) check(bad, u);
  check(bad, ui(80, 24, { depth: 'none', locale: { utf8: false } }));
});

test('nor of anything else', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (bad) => {
      check(bad, ui(80, 24));
    }),
    { numRuns: 25 },
  );
}, 30_000);
