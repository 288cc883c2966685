import { Metadata, status } from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import { AppError, ERROR_CODES } from '../vocab/errors.ts';
import { fromServiceError, toStatus } from './error-map.ts';

function overTheWire(error: unknown): AppError {
  const s = toStatus(error);
  return fromServiceError(Object.assign(new Error(`${s.code} ${s.details}`), s));
}

describe('a fault comes back as it went', () => {
  test('every code', () => {
    for (const code of ERROR_CODES) expect(overTheWire(new AppError(code, 'why')).code).toBe(code);
    expect(new Set(ERROR_CODES.map((c) => toStatus(new AppError(c, '')).code)).size).toBe(ERROR_CODES.length);
  });

  test('refusals with line, column, path and hint', () => {
    const refusals = [
      { code: 'yaml', message: 'unknown key', line: 12, column: 5, path: 'services[0].adr', hint: 'addr?' },
      { code: 'yaml', message: 'ein Schlüssel fehlt' },
    ];
    expect(overTheWire(new AppError('invalid', 'two problems', { refusals })).refusals).toEqual(refusals);
  });

  test('many and long refusals are cut to what a header holds, the first one stays', () => {
    const refusals = Array.from({ length: 500 }, (_, i) => ({
      code: 'x',
      message: 'm'.repeat(3000),
      line: i + 1,
      column: 1,
    }));
    const back = overTheWire(new AppError('invalid', 'x', { refusals })).refusals;
    expect(back[0]).toMatchObject({ line: 1, column: 1 });
    const packed = toStatus(new AppError('invalid', 'x', { refusals })).metadata.get('aicdn-refusals-bin')[0];
    expect(packed?.length).toBeLessThanOrEqual(4096);
  });

  test('the text of an unknown fault does not leave the house', () => {
    for (const fault of [
      new Error('at /etc/shadow'),
      new AppError('internal', 'at /etc/shadow'),
      'at /etc/shadow',
    ]) {
      expect(toStatus(fault).code).toBe(status.INTERNAL);
      expect(toStatus(fault).details).not.toContain('shadow');
    }
  });

  test('escapes in a message are shown, not sent', () => {
    expect(toStatus(new AppError('invalid', 'a\u001b[31mb')).details).toBe('a\\u{1b}[31mb');
  });

  test('nonsense in the header is no refusal', () => {
    const metadata = new Metadata();
    metadata.set('aicdn-refusals-bin', Buffer.from('{"a":'));
    const error = Object.assign(new Error('x'), { code: status.INVALID_ARGUMENT, details: 'd', metadata });
    expect(fromServiceError(error)).toMatchObject({ code: 'invalid', message: 'd', refusals: [] });
  });
});
