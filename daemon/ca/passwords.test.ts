import { argon2Sync } from 'node:crypto';
import { expect, test } from 'vitest';
import { realRandom } from '../../test/fakes/services.ts';
import { createPasswords, PASSWORDS } from './passwords.ts';

const QUICK = { memory: 64, passes: 1, atOnce: 2, mostWaiting: 4 };
const make = (over = {}) => createPasswords({ ...QUICK, ...over }, { random: realRandom });

test('a hash is argon2id as others compute it, with its own salt and parameters', async () => {
  const passwords = createPasswords(PASSWORDS, { random: realRandom });
  const kept = await passwords.hash('correct horse');
  const [, name, version, parameters, salt = '', hash] = kept.split('$');
  expect([name, version, parameters]).toEqual(['argon2id', 'v=19', 'm=47104,t=1,p=1']);
  const nonce = Buffer.from(salt, 'base64');
  expect(nonce).toHaveLength(16);
  const again = argon2Sync('argon2id', {
    message: 'correct horse',
    nonce,
    parallelism: 1,
    tagLength: 32,
    memory: 47_104,
    passes: 1,
  });
  expect(hash).toBe(again.toString('base64').replace(/=+$/, ''));
  expect(await passwords.verify('correct horse', kept)).toBe(true);
  expect(await passwords.verify('correct horsf', kept)).toBe(false);
  expect(await passwords.hash('correct horse')).not.toBe(kept);
});

test('hashes made with other parameters are read with theirs', async () => {
  const kept = await make({ memory: 128, passes: 3 }).hash('correct horse');
  expect(await make().verify('correct horse', kept)).toBe(true);
});

test('no user, or a hash that is none, is never right', async () => {
  const passwords = make();
  for (const kept of [null, '', 'correct horse', '$argon2id$v=19$m=64,t=1,p=1$$', '$2b$12$abc']) {
    expect(await passwords.verify('correct horse', kept)).toBe(false);
  }
});

test('a few at once, in their order; who comes when too many wait is told to come later', async () => {
  const passwords = make();
  const done: number[] = [];
  const all = Array.from({ length: 8 }, (_, i) =>
    passwords.hash(`p${i}`).then(
      () => void done.push(i),
      (e: { code: string; retryAfterMs: number }) => [e.code, e.retryAfterMs],
    ),
  );
  const answers = await Promise.all(all);
  expect(answers.slice(6)).toEqual([
    ['unavailable', 1000],
    ['unavailable', 1000],
  ]);
  expect(done.toSorted()).toEqual([0, 1, 2, 3, 4, 5]);
  expect(await passwords.verify('p', await passwords.hash('p'))).toBe(true);
});

test('the event loop goes on while one is computed', async () => {
  const passwords = createPasswords({ ...PASSWORDS, passes: 4 }, { random: realRandom });
  let turns = 0;
  let over = false;
  const hash = passwords.hash('correct horse').finally(() => {
    over = true;
  });
  while (!over) {
    turns += 1;
    await new Promise((resolve) => setImmediate(resolve));
  }
  await hash;
  expect(turns).toBeGreaterThan(10);
});
