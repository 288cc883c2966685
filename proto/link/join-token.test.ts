import { expect, test } from 'vitest';
import { formatJoinToken, parseJoinToken } from './join-token.ts';

const parts = { pin: 'ab'.repeat(32), id: 'k3v9q2', secret: 'S'.repeat(43) };
const text = formatJoinToken(parts);

test('a token reads back, also with the line end it was pasted with', () => {
  expect(parseJoinToken(` ${text}\n`)).toEqual(parts);
});

test.each([
  '',
  'your-node-token',
  text.slice(0, -30),
  text.replace('ct1', 'ct2'),
  text.replace('ab', 'AB'),
  `${text}.x`,
  text.replace('S', 'S S'),
  text.replace('k3v9q2', '../etc'),
])('%j is refused without being repeated', (bad) => {
  expect(() => parseJoinToken(bad)).toThrow(/not a join token/);
  try {
    parseJoinToken(bad);
  } catch (e) {
    expect((e as { code: string }).code).toBe('invalid');
    expect(String(e)).not.toContain('SSSS');
  }
});
