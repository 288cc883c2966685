import { describe, expect, test } from 'vitest';
import { regions, ui } from '../../test/frames/asia.ts';
import { drawn, golden } from '../../test/frames/golden.ts';
import { keybarRow } from './foot.ts';
import { regionsRows } from './regions.ts';

const KEYS = [
  { key: 'Enter', label: 'its nodes' },
  { key: 'r', label: 'reload region' },
  { key: 'x', label: 'drain region' },
  { key: 'P', label: 'publish here' },
  { key: 'm', label: 'silence' },
  { key: 't', label: 'window' },
];

describe('regions', () => {
  test('120: as designed', () => {
    const u = ui(120, 40);
    const got = drawn(regionsRows(regions, u), u);
    const keys = keybarRow({ keys: KEYS, last: { key: '?', label: 'all keys' } }, u);
    expect([...got, ...drawn([keys], u)]).toEqual(golden('regions-120x11'));
  });

  test.each([
    ['regions-80x12', ui(80, 24)],
    ['regions-zh-80x11', ui(80, 24, { locale: { lang: 'zh' } })],
    ['regions-ascii-80x12', ui(80, 24, { locale: { utf8: false } })],
  ])('%s', (name, u) => {
    expect(drawn(regionsRows(regions, u), u)).toEqual(golden(name));
  });

  test('what is over its limit is in its colour, a zero is quiet', () => {
    const u = ui(120, 40);
    const rows = regionsRows(regions, u);
    const hk = rows[2]?.segs ?? [];
    expect(hk.filter((s) => s.text.trim() === '2').map((s) => s.token)).toEqual(['crit', 'warn']);
    expect(hk.find((s) => s.text.trim() === '·')?.token).toBe('quiet');
  });

  test('no master: grey, with the age of the data', () => {
    const u = ui(80, 24);
    const rows = regionsRows({ ...regions, asOf: '03:12:07', stale: true }, u);
    expect(drawn(rows, u)[0]).toMatch(/as of 03:12:07/);
    expect(new Set(rows.slice(1).flatMap((r) => r.segs.map((s) => s.token)))).toEqual(new Set(['stale']));
  });

  test('no node yet', () => {
    const u = ui(80, 24);
    expect(drawn(regionsRows({ ...regions, rows: [], all: null }, u), u)[1]).toMatch(/No node yet/);
  });
});
