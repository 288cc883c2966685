import { describe, expect, test } from 'vitest';
import { header, ui, wideNotice } from '../../test/frames/asia.ts';
import { drawn, golden } from '../../test/frames/golden.ts';
import type { Row } from '../theme/row.ts';
import { type ConfigsProps, configsRows, type DiffProps, diffRows } from './configs.ts';
import { keybarRow, messageRow } from './foot.ts';
import { composeFrame } from './frame.tsx';
import { headerRows } from './header.ts';
import type { Ui } from './ui.ts';

const configs: ConfigsProps = {
  versions: [
    ['v43', 'waiting', '1m47s', '-', 'not published', 'wss to :9443, 上海-03 to backup'],
    ['v42', 'changing', '33m27s', '64/140', 'type=edge', 'add wss listener'],
    ['v41', 'wrong', '2d 3h', '76/76', 'type=edge', 'retries: 2'],
    ['v39', 'well', '9d 1h', '60/60', 'type=core', ''],
    ['2026-11-01_hotfix-for-guangzhou', 'aside', '23d 2h', '-', 'region=hk', 'puts back v38'],
  ].map(([label = '', verdict, age = '', nodes = '', to = '', what = '']) => ({
    ...{ label, age, nodes, to, what, by: 'lin' },
    verdict: verdict as ConfigsProps['versions'][number]['verdict'],
  })),
  cursor: 0,
  history: [
    { at: '02:44:00', label: 'v42', to: 'type=edge', by: 'lin', why: 'add wss listener' },
    { at: '21:40:12', label: 'v41', to: 'type=edge', by: 'wei', why: 'fewer retries' },
    { at: '09:02:51', label: 'v39', to: 'type=core', by: 'mei', why: 'first of the month' },
  ],
  stale: false,
};

const diff: DiffProps = {
  label: 'v43',
  from: 'v42',
  lines: [
    '--- v42',
    '+++ v43',
    '@@ -60,5 +60,5 @@',
    '   - {name: sh2, addr: "198.51.100.12:8443"}',
    '-  - {name: sh3, addr: "198.51.100.13:8443", metadata: {weight: 2}}',
    '+  - {name: sh3, addr: "198.51.100.13:8443", metadata: {backup: true}}',
    '   - {name: sh4, addr: "198.51.100.14:8443"}',
  ],
  added: 1,
  removed: 1,
  error: null,
  scroll: 0,
};

function frame(body: readonly Row[], u: Ui): Row[] {
  const zh = u.theme.lang === 'zh';
  const notice =
    u.width >= 100 ? wideNotice : { kind: 'text' as const, verdict: 'changing' as const, text: 'rollout 31' };
  const keys = [
    { key: 'Enter', label: zh ? '比较' : 'diff' },
    { key: 'P', label: zh ? '发布' : 'publish' },
    { key: 'u', label: zh ? '回滚' : 'roll back', off: true },
  ];
  return [
    ...composeFrame(
      {
        header: headerRows({ ...header, open: 'rollouts', notice }, u),
        body,
        foot: [
          messageRow(null, u),
          keybarRow(
            { keys, last: { key: '?', label: zh ? '全部按键' : 'all keys', short: zh ? '全部' : 'all' } },
            u,
          ),
        ],
      },
      u,
    ),
  ];
}

describe('versions and their diff, exactly', () => {
  test.each([
    ['configs-80x24', configsRows, configs, ui(80, 24)],
    ['configs-120x40', configsRows, configs, ui(120, 40)],
    ['configs-zh-80x24', configsRows, configs, ui(80, 24, { locale: { lang: 'zh' } })],
    ['configs-ascii-80x24', configsRows, configs, ui(80, 24, { locale: { utf8: false } })],
    ['diff-80x24', diffRows, diff, ui(80, 24)],
    ['diff-120x40', diffRows, diff, ui(120, 40)],
  ] as const)('%s', (name, rows, props, u) => {
    const body = (rows as (p: typeof props, u: Ui) => readonly Row[])(props, u);
    expect(drawn(frame(body, u), u)).toEqual(golden(name));
  });

  test('+ and - have their colour beside their sign', () => {
    const tokens = diffRows(diff, ui(80, 24)).map((r) => r.segs.at(-1)?.token);
    expect(tokens.slice(1)).toEqual(['quiet', 'quiet', 'quiet', 'text', 'crit', 'ok', 'text']);
  });

  test('the cursor of a long list is in view, and so is the history', () => {
    const versions = Array.from({ length: 90 }, (_, i) => ({ ...configs.versions[1], label: `v${90 - i}` }));
    const u = ui(80, 24);
    const rows = drawn(
      configsRows({ ...configs, versions: versions as ConfigsProps['versions'], cursor: 89 }, u),
      u,
    );
    expect(rows.some((r) => r.startsWith('> » v1 '))).toBe(true);
    expect(rows.some((r) => r.includes('first of the month'))).toBe(true);
    expect(rows.length).toBeLessThanOrEqual(24 - 5);
  });

  test('what is hostile in a description stays in its cell', () => {
    const evil = { ...configs, versions: [{ ...configs.versions[0], what: '\u001b[2J\u202ex' } as never] };
    const u = ui(80, 24);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must not be there
    expect(drawn(configsRows(evil, u), u).join('')).not.toMatch(/[\u0000-\u001f\u202a-\u202e]/);
  });
});
