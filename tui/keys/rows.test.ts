import { describe, expect, test } from 'vitest';
import type { SilenceId } from '../../proto/vocab/ids.ts';
import type { Sheet } from '../store/sheet.ts';
import { initialState, type State } from '../store/state.ts';
import { match, matchKey, ORDER_KEYS, rowsAt } from './match.ts';
import { WHERES } from './row.ts';
import { KEY_ROWS } from './rows.ts';

const key = (name: string) => ({ name, text: name.length === 1 ? name : '' });
const EXPIRE: Sheet = {
  kind: 'expire',
  id: 1,
  armed: true,
  sending: false,
  error: null,
  silence: 'S-1' as SilenceId,
};
const press = (state: State, name: string) => matchKey(state, key(name));

describe('the key table', () => {
  test.each(WHERES)('on %s no key means two things', (where) => {
    const keys = rowsAt(where).flatMap((r) => r.keys);
    expect(keys.filter((k, i) => keys.indexOf(k) !== i)).toEqual([]);
    expect(keys.length).toBeGreaterThan(8);
  });

  test('every row has a description in both languages, a key and a place', () => {
    for (const r of KEY_ROWS) {
      expect(r.description.en, r.keys.join()).toMatch(/\S/);
      expect(r.description.zh, r.keys.join()).toMatch(/\p{Script=Han}/u);
      expect(r.keys.length * r.where.length).toBeGreaterThan(0);
    }
  });

  test('a letter means one thing on every screen, but for what it is called', () => {
    const meanings = new Map<string, Set<string>>();
    for (const r of KEY_ROWS) {
      if (r.intent.kind === 'not-here') continue;
      for (const k of r.keys) meanings.set(k, (meanings.get(k) ?? new Set()).add(r.intent.kind));
    }
    expect([...meanings].filter(([, kinds]) => kinds.size > 1)).toEqual([]);
  });

  test('what is not here yet is off with a reason, wherever it stands', () => {
    const state = initialState(0);
    for (const r of KEY_ROWS.filter((row) => row.intent.kind === 'not-here')) {
      expect(r.disabledReason(state)?.en).toMatch(/not here yet: \S/);
    }
    for (const k of ['5', '6']) expect(press(state, k)).toMatchObject({ kind: 'off', key: k });
  });

  test('no act without a master, and it says so', () => {
    const state = initialState(0);
    for (const r of KEY_ROWS.filter((row) => row.acts))
      expect(r.disabledReason(state)?.en).toMatch(/no master/);
    expect(press(state, 'r')).toMatchObject({ kind: 'off', why: { en: expect.stringMatching(/no master/) } });
  });

  test('a frozen picture takes no acts, a small screen no keys but q', () => {
    const frozen: State = { ...initialState(0), frozenAt: 1 };
    for (const r of KEY_ROWS.filter((row) => row.acts))
      expect(r.disabledReason(frozen)?.en).toMatch(/frozen/);
    const small: State = { ...initialState(0), room: { ...initialState(0).room, tooSmall: true } };
    expect(press(small, 'r')).toEqual({ kind: 'nothing' });
    expect(press(small, 'q')).toMatchObject({ intent: { kind: 'quit' } });
    // Nor do they reach a sheet or a filter that was open when it shrank.
    const asked: State = { ...small, sheet: EXPIRE };
    const typing: State = { ...small, prompt: { kind: 'filter', text: '', before: '' } };
    for (const state of [asked, typing]) {
      expect(press(state, 'y')).toEqual({ kind: 'nothing' });
      expect(match(state, { kind: 'paste', text: 'hk' })).toEqual({ kind: 'nothing' });
      for (const k of ['q', 'ctrl-c']) expect(press(state, k)).toMatchObject({ intent: { kind: 'quit' } });
    }
  });

  test('full-width forms are folded; a letter of an input method says so', () => {
    const state = initialState(0);
    expect(press(state, '／')).toMatchObject({ intent: { kind: 'filter-open' } });
    expect(press(state, '？')).toMatchObject({ intent: { kind: 'help' } });
    expect(press(state, '重')).toMatchObject({
      kind: 'say',
      text: { en: expect.stringMatching(/input method/) },
    });
  });

  test('a paste never acts: it fills a field, or says that there is none', () => {
    const state = initialState(0);
    expect(match(state, { kind: 'paste', text: 'rrr\ny' })).toMatchObject({ kind: 'say' });
    const typing: State = { ...state, prompt: { kind: 'filter', text: '', before: '' } };
    expect(match(typing, { kind: 'paste', text: 'hk\nq' })).toMatchObject({
      intent: { kind: 'type', text: 'hk' },
    });
  });

  test('o and a letter order; any other key closes the menu', () => {
    const state: State = { ...initialState(0), prompt: { kind: 'order' } };
    expect(new Set(ORDER_KEYS.map((k) => k.key)).size).toBe(ORDER_KEYS.length);
    for (const k of ORDER_KEYS) {
      expect(press(state, k.key)).toMatchObject({ intent: { kind: 'order-by', column: k.column } });
    }
    expect(press(state, 'x')).toMatchObject({ intent: { kind: 'peel' } });
  });
});
