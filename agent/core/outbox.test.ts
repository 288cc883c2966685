import { describe, expect, it } from 'vitest';
import type { ConfigHash } from '../../proto/vocab/ids.ts';
import { counted, EMPTY_OUTBOX, put, reopened, sent, settle, type Told, unsent } from './outbox.ts';

const event = (text: string): Told => ({ kind: 'events', events: [{ at: 1, kind: 'x', text }] });
const status = (nonce: string): Told => ({
  kind: 'config_status',
  report: {
    status: 'applied',
    nonce,
    effectiveHash: 'a'.repeat(64) as ConfigHash,
    engine: null,
    warnings: [],
  },
});

describe('the outbox', () => {
  it('tells everything again in a new conversation, without the nonces of the old one', () => {
    let o = put(put(EMPTY_OUTBOX, 'config', status('n1')), 'e1', event('one'));
    o = sent(sent(o, 'config', 10), 'e1', 10);
    expect(unsent(o)).toEqual([]);
    const again = unsent(reopened(o)).map((e) => e.message);
    expect(again).toEqual([status(''), event('one')]);
  });

  it('forgets what the conversation has outlived, and only that', () => {
    let o = put(put(put(EMPTY_OUTBOX, 'a', event('a')), 'b', event('b')), 'c', event('c'));
    o = sent(sent(o, 'a', 0), 'b', 5000);
    const { outbox, settled } = settle(o, 30_000);
    expect(settled).toEqual(['a']);
    expect(outbox.entries.map((e) => e.key)).toEqual(['b', 'c']);
    expect(settle(reopened(o), 10 ** 9).settled).toEqual([]);
  });

  it('keeps the last word under one key, the newest of many, and counts on', () => {
    let o = put(sent(put(EMPTY_OUTBOX, 'config', status('n1')), 'config', 1), 'config', status('n2'));
    expect(unsent(o).map((e) => e.message)).toEqual([status('n2')]);
    for (let n = 0; n < 1100; n++) o = put(o, `e${n}`, event(`${n}`));
    expect(o.entries).toHaveLength(1024);
    expect(o.entries.at(-1)?.key).toBe('e1099');
    expect(counted(counted(o)).sequence).toBe(2);
  });
});
