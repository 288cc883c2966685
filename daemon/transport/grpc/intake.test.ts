import { expect, test } from 'vitest';
import { Intake } from './intake.ts';

function intake() {
  const told: string[] = [];
  let due: (() => void) | null = null;
  const it = new Intake({
    later: (_ms, work) => {
      due = work;
      return () => {
        due = null;
      };
    },
  });
  const session = (name: string) => ({
    take: (message: Buffer, at: number) => void told.push(`${name} ${message.toString()} ${at}`),
  });
  return { it, told, session, isDue: () => due !== null, pass: () => due?.() };
}

test('what comes within a moment is taken together, in its order, with when it came', () => {
  const { it, told, session, pass, isDue } = intake();
  const [a, b] = [session('a'), session('b')];
  it.add(a, Buffer.from('1'), 10);
  it.add(b, Buffer.from('2'), 20);
  it.add(a, Buffer.from('3'), 30);
  expect(told).toEqual([]);
  pass();
  expect(told).toEqual(['a 1 10', 'b 2 20', 'a 3 30']);
  expect(isDue()).toBe(false);
  it.add(a, Buffer.from('4'), 40);
  expect(isDue()).toBe(true);
});

test('one that asks for it has all at once, and nothing twice', () => {
  const { it, told, session, isDue, pass } = intake();
  it.add(session('a'), Buffer.from('1'), 10);
  it.flush();
  expect(told).toEqual(['a 1 10']);
  expect(isDue()).toBe(false);
  pass();
  it.flush();
  expect(told).toHaveLength(1);
});

test('one that ends while it is taken, and asks for what waits, has nobody taken twice or left out', () => {
  const { it, told, session, pass } = intake();
  const ends = { take: () => (told.push('ends'), it.flush()) };
  it.add(session('a'), Buffer.from('1'), 1);
  it.add(ends, Buffer.from('2'), 2);
  it.add(session('b'), Buffer.from('3'), 3);
  pass();
  expect(told).toEqual(['a 1 1', 'ends', 'b 3 3']);
});

test('much of it does not wait', () => {
  const { it, told, session } = intake();
  for (let i = 0; i < 20; i++) it.add(session('a'), Buffer.alloc(64 * 1024), i);
  expect(told.length).toBeGreaterThan(15);
});
