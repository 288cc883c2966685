import { expect, test } from 'vitest';
import { createPasswords, PASSWORDS } from '../../daemon/ca/passwords.ts';
import type { Passwords } from '../../daemon/service/ports.ts';
import { realRandom } from '../fakes/services.ts';
import { MemoryMaster } from '../harness/memory-master.ts';

// What a flood of guesses costs, and whom. Hashes are counted; the first one is at the full price of argon2id.

const QUICK = { ...PASSWORDS, memory: 64 };
const PASSWORD = 'correct horse battery staple';

/** The real ones, counted. */
function counting(inner: Passwords): Passwords & { computed: number } {
  const counted = {
    computed: 0,
    hash: (password: string) => {
      counted.computed += 1;
      return inner.hash(password);
    },
    verify: (password: string, kept: string | null) => {
      counted.computed += 1;
      return inner.verify(password, kept);
    },
  };
  return counted;
}

async function master(settings = PASSWORDS) {
  const passwords = counting(createPasswords(settings, { random: realRandom }));
  const m = await MemoryMaster.start(undefined, undefined, undefined, passwords);
  for (const name of ['lin', 'wei']) {
    await m.services.people.createUser(m.m(), { name, role: 'operator', password: PASSWORD });
  }
  passwords.computed = 0;
  const login = (name: string, password: string, remote: string) =>
    m.services.people.login({ name, password, remote }).then(
      (s) => s.caller.actor,
      (e: { code: string }) => e.code,
    );
  return { m, passwords, login };
}

test('a thousand guesses at one account at once cost at most 20 hashes, and another user logs in meanwhile', async () => {
  const { passwords, login } = await master();
  const guesses = Array.from({ length: 1000 }, (_, i) =>
    login('lin', `guess number ${i}`, `198.51.100.${i % 250}`),
  );
  const others: string[] = [];
  const took: number[] = [];
  for (let i = 0; i < 10; i++) {
    const since = performance.now();
    others.push(await login('wei', PASSWORD, '203.0.113.7'));
    took.push(performance.now() - since);
  }
  const answers = await Promise.all(guesses);
  expect(others).toEqual(Array(10).fill('wei'));
  expect(passwords.computed - others.length).toBeLessThanOrEqual(20);
  expect(answers.filter((a) => a === 'lin')).toEqual([]);
  expect(answers.filter((a) => a === 'unavailable').length).toBeGreaterThan(950);
  // Loose: a queue behind a thousand hashes would take a minute.
  expect(Math.max(...took)).toBeLessThan(20_000);
}, 60_000);

test('one after the other over a day they are a few dozen', async () => {
  const { m, passwords, login } = await master(QUICK);
  for (let i = 0; i < 1000; i++) {
    await login('lin', `guess number ${i}`, `198.51.100.${i % 250}`);
    m.now += 86_400;
  }
  expect(passwords.computed).toBeLessThan(110);
  expect(await login('wei', PASSWORD, '203.0.113.7')).toBe('wei');
});

test('a name that nobody has costs what one does that somebody has', async () => {
  const { passwords, login } = await master(QUICK);
  const before = passwords.computed;
  expect(await login('lin', 'wrong password', 'a')).toBe('unauthenticated');
  const known = passwords.computed - before;
  expect(await login('nobody', 'wrong password', 'b')).toBe('unauthenticated');
  expect(await login('N0 b%dy', 'wrong password', 'c')).toBe('unauthenticated');
  expect(passwords.computed - before).toBe(3 * known);
  for (let i = 0; i < 6; i++) await login('nobody', 'wrong password', 'b');
  expect(await login('nobody', 'wrong password', 'd')).toBe('unavailable'); // waits like a known one
});
