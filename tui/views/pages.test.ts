import { expect, test } from 'vitest';
import { header, ui } from '../../test/frames/asia.ts';
import { drawn, golden } from '../../test/frames/golden.ts';
import { keybarRow, messageRow } from './foot.ts';
import { composeFrame } from './frame.tsx';
import { headerRows } from './header.ts';
import {
  firstRunRows,
  type HelpProps,
  helpMaxScroll,
  helpRows,
  orderByRow,
  shellLines,
  tooSmallRows,
} from './pages.ts';

test('too small: says so, and still shows how the fleet is', () => {
  const u = ui(48, 10);
  const rows = tooSmallRows(
    {
      health: header.health,
      alerts: [
        { verdict: 'wrong', n: 1 },
        { verdict: 'warning', n: 2 },
      ],
      notice: 'rollout 31 » step 3 of 4',
      age: 'live 1s',
      clock: '03:12:07',
    },
    u,
  );
  expect(drawn(rows, u)).toEqual(golden('too-small-48x10'));
});

test('too small for even that: as many rows as there are', () => {
  for (const height of [1, 2, 5, 9]) {
    const u = ui(20, height);
    const rows = tooSmallRows({ health: header.health, alerts: [], notice: null, age: '', clock: '' }, u);
    expect(rows).toHaveLength(height);
    expect(drawn(rows, u).join('')).toContain('aicdn-tui');
  }
});

test('an empty fleet says how to fill it', () => {
  const u = ui(80, 24);
  const token =
    'ct1.9f2b7c40e1d8a6533f0e9b1c7d2a4f68b05c3e97a1d4f2680c7be5913a6d02f4.k7q2.Jm4tYx9RwB2sVhEzNq8u';
  const rows = composeFrame(
    {
      header: headerRows(
        {
          ...header,
          context: 'default',
          badges: {},
          role: 'admin',
          health: [],
          traffic: null,
          aside: 'master 203.0.113.5   CA 9f2b7c40',
          notice: null,
        },
        u,
      ),
      body: firstRunRows(
        {
          command: `./scripts/deploy-agent.sh 203.0.113.5:50051 edge hk hk-1 --token ${token}`,
          leftMs: 1_788_000,
          type: 'edge',
          region: 'hk',
          published: null,
          advertise: '203.0.113.5:50051',
          error: null,
        },
        u,
      ),
      foot: [
        messageRow(
          {
            kind: 'own',
            at: '03:12:02',
            verdict: 'well',
            text: 'you are signed in as lin, admin; the bootstrap code is spent',
          },
          u,
        ),
        keybarRow(
          {
            keys: [
              { key: 'c', label: 'copy command' },
              { key: 'e', label: 'edit what it is for' },
            ],
            last: null,
          },
          u,
        ),
      ],
    },
    u,
  );
  expect(drawn(rows, u).slice(0, 23)).toEqual(golden('first-run-80x24').slice(0, 23));
});

test('a long command, joined again by a shell, is the command', () => {
  const long = `run --token ${'a'.repeat(300)}.${'b'.repeat(40)} --then x`;
  for (const cells of [60, 80, 120]) {
    const lines = shellLines(long, cells);
    expect(lines.join('\n').replaceAll('\\\n', '')).toBe(long);
    for (const l of lines) expect(l.length).toBeLessThanOrEqual(cells);
  }
});

test('order by takes the title row', () => {
  const u = ui(120, 40);
  const keys = [
    ['n', 'name'],
    ['g', 'region'],
    ['s', 'status'],
    ['a', 'seen'],
    ['v', 'config'],
    ['m', 'streams'],
    ['q', 'req/s'],
    ['t', 'TTFT95'],
    ['p', 'P99'],
    ['e', 'err'],
  ].map(([key = '', label = '']) => ({ key, label }));
  expect(drawn([orderByRow({ screen: 'Nodes', count: 200, keys }, u)], u)).toEqual(golden('order-by-120x1'));
});

const section = (title: string, ...rows: [string, string][]): HelpProps['sections'][number] => ({
  title,
  rows: rows.map(([keys, text]) => ({ keys, text })),
});

test('help: the keys of this screen, two sections side by side', () => {
  const u = ui(80, 24);
  const props: HelpProps = {
    screen: 'Nodes',
    on: 'hk-05',
    marked: 2,
    sections: [
      section(
        'Look',
        ['Enter d', 'describe'],
        ['l', 'logs'],
        ['y', 'yaml, as rendered'],
        ['c', 'copy name (OSC 52)'],
        ['t', 'window 10m 1h 6h 24h'],
        ['w', 'wide, h l scroll'],
        ['f', 'freeze the display'],
      ),
      section(
        'Act on hk-05 or the 2 marked',
        ['r', 'reload'],
        ['R', 'restart, cuts streams'],
        ['x', 'drain, or end a drain'],
        ['s', 'shell command'],
        ['a', 'acknowledge its alerts'],
        ['m', 'silence its alerts'],
        ['i', 'incident'],
      ),
      section('Find', ['/', 'filter: re, !re, -f, -l']),
      section('Fleet and rollout', ['P', 'publish a version']),
    ],
    scroll: 0,
  };
  const got = drawn(helpRows(props, u), u);
  const want = golden('help-80x24');
  expect(got).toHaveLength(21);
  expect(got[0]?.slice(0, 60)).toBe(want[3]?.slice(0, 60));
  expect(got.slice(1, 11)).toEqual(want.slice(4, 14));
  expect(got.at(-1)).toContain('rows 1-10 of 10');
  expect(helpMaxScroll(props, ui(80, 12))).toBe(3);
  const low = drawn(helpRows({ ...props, scroll: 99 }, ui(80, 12)), ui(80, 12));
  expect(low.at(-2)).toBe(want[13]);
});
