import { describe, expect, test } from 'vitest';
import { header, hk, node, ui, wideNotice, worst, zhNotes } from '../../test/frames/asia.ts';
import { drawn, golden } from '../../test/frames/golden.ts';
import type { Row } from '../theme/row.ts';
import type { KeyHint, Message } from './foot.ts';
import { keybarRow, messageRow, peekRow } from './foot.ts';
import { composeFrame } from './frame.tsx';
import { headerRows } from './header.ts';
import { nodesTitleRow, nodeTableRows } from './node-table.ts';
import type { Ui } from './ui.ts';

const keys = (say: (en: string, zh: string) => string): KeyHint[] => [
  { key: 'Enter', label: say('describe', '详情') },
  { key: 'l', label: say('logs', '日志') },
  { key: 'r', label: say('reload', '重载'), count: 2 },
  { key: 'x', label: say('drain', '排空'), count: 2, spare: true },
  { key: 'm', label: say('silence', '静默') },
  { key: '/', label: say('filter', '过滤') },
  { key: 'o', label: say('order', '排序') },
  { key: ':', label: say('command', '命令'), short: say('cmd', '命令') },
];

const lost: Extract<Message, { kind: 'event' }> = {
  kind: 'event',
  at: '03:11:45',
  verdict: 'unseen',
  text: 'us-09 disconnected; its 889 streams go on without the agent',
};

function hkFrame(u: Ui, a: { notice: string; filterWords: typeof hk; message: string }): Row[] {
  const zh = u.theme.lang === 'zh';
  const cursor = a.filterWords[14];
  return [
    ...composeFrame(
      {
        header: headerRows({ ...header, notice: { kind: 'text', verdict: 'changing', text: a.notice } }, u),
        body: [
          nodesTitleRow(
            {
              filter: '/hk',
              shown: 64,
              total: 200,
              verdicts: [
                { verdict: 'wrong', n: 2 },
                { verdict: 'warning', n: 2 },
                { verdict: 'changing', n: 4 },
                { verdict: 'well', n: 56 },
              ],
              marked: 1,
              asOf: null,
              orderHeld: 0,
              range: { from: 1, to: 16 },
            },
            u,
          ),
          ...nodeTableRows(
            {
              rows: a.filterWords,
              cursor: 14,
              sort: { column: 'ttft95', down: true },
              heartbeatMs: 10_000,
              stale: false,
            },
            u,
          ),
        ],
        foot: [
          peekRow(
            cursor === undefined
              ? null
              : { node: cursor, engine: null, engineUpMs: null, regionGap99Ms: null, alerts: [] },
            u,
          ),
          messageRow({ ...lost, text: a.message }, u),
          keybarRow(
            {
              keys: keys((e, z) => (zh ? z : e)),
              last: { key: '?', label: zh ? '全部键' : 'all keys', short: zh ? '全部' : 'all' },
            },
            u,
          ),
        ],
      },
      u,
    ),
  ];
}

const narrowNotice = 'rollout 31  v42  step 3/4  58 of 70 healthy  1 failed   hk TTFT95 +24.7 %';
const narrowMessage = 'us-09 disconnected; its 889 streams go on without the agent';

describe('the nodes screen', () => {
  test('80x24: filter, another order, a mark, a Chinese name under the cursor', () => {
    const u = ui(80, 24);
    const rows = hkFrame(u, { notice: narrowNotice, filterWords: hk, message: narrowMessage });
    expect(drawn(rows, u)).toEqual(golden('nodes-80x24'));
  });

  test('80x24 in ASCII without colour', () => {
    const u = ui(80, 24, { depth: 'none', locale: { utf8: false } });
    const rows = hkFrame(u, { notice: narrowNotice, filterWords: hk, message: narrowMessage });
    expect(drawn(rows, u)).toEqual(golden('nodes-ascii-80x24'));
  });

  test('80x24 in Chinese', () => {
    const u = ui(80, 24, { locale: { lang: 'zh' } });
    const zh = hk.map((n) => {
      const words = zhNotes[n.name];
      return n.note === null || words === undefined ? n : { ...n, note: { ...n.note, text: words } };
    });
    const rows = hkFrame(u, {
      notice: '发布 31  v42  第 3/4 步  70 台中 58 台健康  1 台失败   hk TTFT95 +24.7 %',
      filterWords: zh,
      message: 'us-09 失联; 其 889 条流照常运行',
    });
    expect(drawn(rows, u)).toEqual(golden('nodes-zh-80x24'));
  });

  test('120x40: heads, the worst rows, the foot', () => {
    const u = ui(120, 40);
    const at = worst[3] ?? node('none', 'well', 'v1', [0, 0, 0, 0, 0, 0, 0]);
    const rows = composeFrame(
      {
        header: headerRows({ ...header, notice: wideNotice }, u),
        body: [
          nodesTitleRow(
            {
              filter: null,
              shown: 200,
              total: 200,
              verdicts: [
                { verdict: 'wrong', n: 2 },
                { verdict: 'unseen', n: 1 },
                { verdict: 'warning', n: 4 },
                { verdict: 'changing', n: 9 },
                { verdict: 'aside', n: 1 },
                { verdict: 'well', n: 183 },
              ],
              marked: 2,
              asOf: null,
              orderHeld: 0,
              range: { from: 1, to: 32 },
            },
            u,
          ),
          ...nodeTableRows(
            {
              rows: worst,
              cursor: 3,
              sort: { column: 'status', down: true },
              heartbeatMs: 10_000,
              stale: false,
            },
            u,
          ),
        ],
        foot: [
          peekRow(
            {
              node: at,
              engine: 'embedded 1.4.2',
              engineUpMs: 532_800_000,
              regionGap99Ms: 63,
              alerts: [
                { rule: 'LatencyP99High', forMs: 337_000 },
                { rule: 'Buffering', forMs: 297_000 },
              ],
            },
            u,
          ),
          messageRow(
            {
              ...lost,
              text: 'us-09 disconnected, last seen 03:11:35; its 889 streams go on without the agent',
            },
            u,
          ),
          keybarRow({ keys: keys((e) => e), last: { key: '?', label: 'all keys' } }, u),
        ],
      },
      u,
    );
    const want = golden('nodes-120x40');
    const got = drawn(rows, u);
    expect(got).toHaveLength(40);
    expect(got.slice(0, 12)).toEqual(want.slice(0, 12));
    expect(got.slice(37)).toEqual(want.slice(37));
  });

  test('the master is gone: everything grey and dated', () => {
    const u = ui(80, 24);
    const want = golden('no-master-80x12');
    const rows = [
      ...headerRows(
        {
          ...header,
          age: { kind: 'stale', seconds: 47 },
          clock: '03:12:54',
          notice: {
            kind: 'no-master',
            seconds: 47,
            reason: 'connection reset',
            attempt: 5,
            nextInSeconds: 6,
          },
        },
        u,
      ),
      nodesTitleRow(
        {
          filter: null,
          shown: 200,
          total: 200,
          verdicts: [],
          marked: 0,
          asOf: '03:12:07',
          orderHeld: 0,
          range: { from: 1, to: 5 },
        },
        u,
      ),
    ];
    expect(drawn(rows, u)).toEqual(want.slice(0, 4));
    const off: Message = {
      kind: 'off',
      at: '03:12:51',
      key: 'r',
      what: 'reload',
      why: 'no master. Nodes and streams run on without it.',
    };
    expect(drawn([messageRow(off, u)], u)).toEqual(want.slice(10, 11));
  });
});
