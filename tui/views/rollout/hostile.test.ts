import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { regions, ui } from '../../../test/frames/asia.ts';
import { HOSTILE, harmless } from '../../../test/frames/hostile.ts';
import type { Row } from '../../theme/row.ts';
import { regionsRows } from '../regions.ts';
import { publishPageRows } from '../sheets/publish.ts';
import type { Ui } from '../ui.ts';
import { type RolloutProps, rolloutRows } from './screen.ts';
import { targetPageRows } from './target.ts';

function rollout(bad: string): RolloutProps {
  return {
    id: bad,
    what: bad,
    verdict: 'changing',
    state: bad,
    by: { long: bad, short: bad },
    steps: Array.from({ length: 6 }, () => ({
      ...{ verdict: 'well' as const, what: bad, targets: 3, healthy: 3, started: bad, tookMs: 1, note: bad },
    })),
    lines: [{ label: bad, text: bad.repeat(9), loud: true }],
    total: 3,
    counts: [
      { state: 'healthy', verdict: 'well', n: 1 },
      { state: 'failed', verdict: 'wrong', n: 2 },
    ],
    onNow: { version: bad, n: 1 },
    rows: Array.from({ length: 20 }, () => ({
      ...{ name: bad, verdict: 'wrong' as const, state: 'failed' as const, forMs: 1, why: bad },
    })),
    cursor: 19,
    gate: {
      number: 1,
      readings: 3,
      at: bad,
      how: bad,
      regions: Array.from({ length: 5 }, () => ({
        ...{ region: bad, canaryNodes: 1, stableNodes: 1, canarySamples: 1, stableSamples: 1 },
      })),
      gates: [
        {
          gate: 'ttft95',
          limit: 25,
          verdict: 'fail',
          cells: Array.from({ length: 5 }, () => ({
            ...{ canary: 1e9, stable: null, change: 1e6, verdict: 'fail' as const },
          })),
        },
      ],
      largest: bad,
    },
    before: [{ id: bad, what: bad, verdict: 'well', state: bad, when: bad, took: bad, done: bad, by: bad }],
    error: bad,
    stale: false,
  };
}

function everyView(bad: string, u: Ui): readonly Row[] {
  const first = regions.rows[0];
  const peek = regions.peek;
  if (first === undefined || peek === null) throw new Error('no fixture');
  return [
    ...regionsRows(
      {
        ...regions,
        rows: [{ ...first, region: bad }],
        peek: {
          ...peek,
          region: bad,
          versions: [{ label: bad, n: 1 }],
          worst: { name: bad, ttft95Ms: 1 },
          facts: [bad],
        },
        core: bad,
        asOf: bad,
      },
      u,
    ),
    ...rolloutRows(rollout(bad), u),
    ...rolloutRows({ ...rollout(bad), rows: [] }, u),
    ...targetPageRows(
      {
        rollout: bad,
        name: bad,
        verdict: 'wrong',
        state: 'failed',
        forMs: 1,
        facts: [[bad, bad]],
        phases: [['prepare', 'wrong']],
        refusal: bad,
        log: [bad],
        scroll: 0,
        stale: false,
      },
      u,
    ),
    ...publishPageRows(
      {
        title: bad,
        aside: bad,
        facts: [{ label: bad, text: bad }],
        diff: {
          label: bad,
          added: 1,
          removed: 1,
          bases: [{ text: bad, chosen: true }],
          focused: true,
          lines: ['@@ -1,2 +1,2 @@', `-${bad}`, `+${bad}${bad}`, ` ${bad}`, bad],
          scroll: 1,
        },
        checks: [{ verdict: 'well', name: bad, text: bad }],
        warns: [{ verdict: 'warning', text: bad }],
        choices: [{ label: bad, options: [bad, bad], chosen: 1, focused: true }],
        reason: { label: bad, typed: bad, focused: true },
        type: { want: bad, typed: bad, focused: false },
        error: bad,
        keys: [{ key: bad, label: bad }],
        last: { key: bad, label: bad },
      },
      u,
    ),
  ];
}

describe('regions, rollouts and publications', () => {
  test.each(HOSTILE)('nothing of %j reaches the terminal, and every row keeps its width', (bad) => {
    for (const u of [ui(60, 15), ui(80, 24), ui(120, 40), ui(200, 50)]) harmless(everyView(bad, u), u);
    const plain = ui(80, 24, { depth: 'none', locale: { utf8: false } });
    harmless(everyView(bad, plain), plain);
  });

  test('nor of anything else', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (bad) => {
        const u = ui(80, 24);
        harmless(everyView(bad, u), u);
      }),
      { numRuns: 25 },
    );
  }, 30_000);

  test.each([15, 20, 24, 30, 40, 60])('at %i rows the rollout fits, its cursor in view', (height) => {
    for (const width of [60, 80, 120]) {
      const rows = rolloutRows(rollout('hk-1'), ui(width, height));
      expect(rows.length).toBeLessThanOrEqual(height - 5);
      expect(rows.some((r) => r.accent === true)).toBe(true);
    }
  });
});
