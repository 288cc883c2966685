import { beforeEach, describe, expect, it } from 'vitest';
import { Watchdog } from './watchdog.ts';

let now: number;
let look: () => void;
let hung: number[];
/** Who does not answer; 0: what the answers come through. */
let silent: Set<number>;
let held: (() => void)[];
let dog: Watchdog;

const answerOf = (id: number): Promise<unknown> =>
  silent.has(id) ? new Promise<void>((resolve) => held.push(resolve)) : Promise.resolve();

beforeEach(() => {
  [now, hung, silent, held] = [0, [], new Set(), []];
  dog = new Watchdog({
    clock: () => now,
    every: (_, run) => {
      look = run;
      return () => undefined;
    },
    ask: answerOf,
    through: () => answerOf(0),
    onHung: (id) => hung.push(id),
  });
  for (const id of [1, 2, 3]) dog.watch(id);
});

async function looks(n: number, everyMs = 1_000): Promise<void> {
  for (let i = 0; i < n; i++) {
    now += everyMs;
    look();
    await new Promise((r) => setImmediate(r));
  }
}

function wake(...ids: number[]): void {
  for (const id of ids) silent.delete(id);
  for (const answer of held.splice(0)) answer();
}

describe('a process that hangs', () => {
  it('is found by its silence, once; the others go on being watched', async () => {
    await looks(5);
    silent.add(2);
    await looks(15);
    expect(hung).toEqual([]);
    await looks(1);
    expect(hung).toEqual([2]);
    silent.add(3);
    await looks(40);
    expect(hung).toEqual([2, 3]);
  });

  it('has all its time again once it has answered', async () => {
    silent.add(1);
    await looks(12);
    wake(1);
    await looks(1);
    silent.add(1);
    await looks(15);
    expect(hung).toEqual([]);
    await looks(1);
    expect(hung).toEqual([1]);
  });

  it('that is gone is not hung', async () => {
    silent.add(1);
    await looks(10);
    dog.forget(1);
    wake(1);
    await looks(30);
    expect(hung).toEqual([]);
  });
});

describe('nobody is accused', () => {
  it('when all stood still, this process too', async () => {
    for (const id of [1, 2, 3]) silent.add(id);
    await looks(14);
    await looks(1, 60_000);
    wake(1, 2, 3);
    await looks(30);
    expect(hung).toEqual([]);
  });

  it('on a machine on which everything comes late', async () => {
    for (const id of [1, 2, 3]) silent.add(id);
    await looks(60, 4_000);
    expect(hung).toEqual([]);
  });

  it('while what their answers come through is silent', async () => {
    for (const id of [0, 1, 2, 3]) silent.add(id);
    await looks(60);
    wake(0, 1, 2, 3);
    await looks(30);
    expect(hung).toEqual([]);
    silent.add(1);
    await looks(16);
    expect(hung).toEqual([1]);
  });
});
