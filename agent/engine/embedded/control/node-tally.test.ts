import { beforeEach, describe, expect, it } from 'vitest';
import type { TallyAnswer, TallyReport } from '../data/messages.ts';
import type { Entry, Want } from '../data/tally.ts';
import { WorkerTally } from '../data/worker-tally.ts';
import { NodeTally } from './node-tally.ts';

// The processes of one node and what counts for them, with a wire between that keeps the order of what it carries.

let now: number;
let node: Node;
const clock = (): number => now;

interface Worker {
  readonly tally: WorkerTally;
  readonly said: string[];
  /** Looks for an answer once more. */
  look: () => void;
}

class Node {
  readonly workers = new Map<number, Worker>();
  control: NodeTally | null = null;
  /** Messages from workers and to them. */
  carried = 0;
  /** Workers of which nothing is heard. */
  readonly silent = new Set<number>();
  readonly #wanted: number;
  #timers: { at: number; run: () => void }[] = [];

  constructor(workers: number) {
    this.#wanted = workers;
    this.takeOver();
    for (let id = 1; id <= workers; id++) this.join(id);
  }

  join(id: number): void {
    const looks = new Set<() => void>();
    const said: string[] = [];
    const tally = new WorkerTally({
      clock,
      send: (report) => this.#report(id, report),
      every: (_, run) => {
        looks.add(run);
        return () => looks.delete(run);
      },
      after: (ms, run) => this.#timers.push({ at: now + ms, run }),
      say: (_, text) => said.push(text),
    });
    const look = (): void => {
      for (const run of looks) run();
    };
    this.workers.set(id, { tally, said, look });
    this.control?.joined(id);
  }

  /** A new control, whatever became of the one before it. */
  takeOver(): void {
    const there = [...this.workers.keys()];
    const control: NodeTally = new NodeTally(
      { there, wanted: this.#wanted },
      {
        clock,
        link: {
          call: (id, _, args) =>
            new Promise((resolve) => {
              setImmediate(() => {
                if (this.silent.has(id)) return;
                this.workers.get(id)?.tally.introduce(args as { workers: number });
                setImmediate(() => resolve({} as never));
              });
            }),
        },
        answer: (id, answer: TallyAnswer) => {
          this.carried += 1;
          const said = structuredClone(answer);
          // What was on its way from one that is gone does not arrive.
          setImmediate(() => this.control === control && this.workers.get(id)?.tally.answered(said));
        },
      },
    );
    this.control = control;
  }

  die(id: number): void {
    this.workers.delete(id);
    this.control?.left(id);
  }

  enter(id: number, ...wants: Want[]): Promise<Entry> {
    return Promise.resolve(this.workers.get(id)?.tally.enter(wants) ?? { refusedBy: wants[0] as Want });
  }

  /** What was to be done by now is done, and has arrived. */
  async pass(ms: number): Promise<void> {
    now += ms;
    const due = this.#timers.filter((t) => t.at <= now);
    this.#timers = this.#timers.filter((t) => t.at > now);
    for (const { run } of due) run();
    await quiet();
  }

  /** So many at once in each worker; those that are in. */
  async storm(each: number, ...wants: Want[]): Promise<(() => void)[]> {
    const ids = [...this.workers.keys()];
    const all = ids.flatMap((id) => Array.from({ length: each }, () => this.enter(id, ...wants)));
    return (await Promise.all(all)).flatMap((e) => ('leave' in e ? [e.leave] : []));
  }

  #report(id: number, report: TallyReport): void {
    if (this.silent.has(id)) return;
    this.carried += 1;
    const said = structuredClone(report);
    setImmediate(() => this.workers.has(id) && this.control?.heard(id, said));
  }
}

/** All that is on its way has arrived. */
async function quiet(): Promise<void> {
  for (let i = 0; i < 8; i++) await new Promise((r) => setImmediate(r));
}

const place = (limit: number, key = 'k'): Want => ({ kind: 'place', key, limit });
const rate = (limit: number, key = 'r'): Want => ({ kind: 'rate', key, limit });

beforeEach(async () => {
  now = 1_000;
  node = new Node(4);
  await quiet();
});

describe('places', () => {
  it('are those of the node, asked for in one message a turn and given back', async () => {
    const before = node.carried;
    const leaves = await node.storm(100, place(10));
    expect(leaves).toHaveLength(10);
    // A question and an answer of each worker, for a hundred connections.
    expect(node.carried - before).toBe(8);
    for (const leave of leaves.slice(0, 3)) {
      leave();
      leave();
    }
    await quiet();
    expect(await node.storm(100, place(10))).toHaveLength(3);
  });

  it('are taken with all else that is wanted, or not at all', async () => {
    expect(await node.storm(10, place(30), place(2, 'a'), rate(5))).toHaveLength(2);
    expect(await node.storm(10, place(30), rate(5))).toHaveLength(3);
    expect(await node.storm(10, place(30))).toHaveLength(25);
  });

  it('of one that dies are free', async () => {
    const own = await Promise.all(Array.from({ length: 6 }, () => node.enter(1, place(10))));
    expect(own.every((e) => 'leave' in e)).toBe(true);
    expect(await node.storm(10, place(10))).toHaveLength(4);
    node.die(1);
    expect((await node.storm(10, place(10))).length).toBeGreaterThanOrEqual(6);
    expect(await node.storm(10, place(10))).toHaveLength(0);
  });

  it('are known to a control that comes after, and what was asked of the one before is answered', async () => {
    const leaves = await node.storm(2, place(10));
    expect(leaves).toHaveLength(8);
    const asked = node.storm(50, place(10));
    await new Promise((r) => setImmediate(r));
    // Asked, granted by the one that goes, and never heard of.
    node.takeOver();
    expect(await asked).toHaveLength(2);
    leaves[0]?.();
    await quiet();
    expect(await node.storm(50, place(10))).toHaveLength(1);
    expect([...node.workers.values()].flatMap((w) => w.said)).toEqual([]);
  });

  it('are not given out by a new control before all have said what they hold', async () => {
    expect(await node.storm(2, place(10))).toHaveLength(8);
    node.silent.add(1);
    node.takeOver();
    let in_ = 0;
    void node.enter(2, place(10)).then(() => {
      in_ += 1;
    });
    await quiet();
    expect(in_).toBe(0);
    node.die(1);
    await quiet();
    expect(in_).toBe(1);
    expect(await node.storm(50, place(10))).toHaveLength(3);
  });
});

describe('a rate', () => {
  it('is the node’s, its burst too, over a new control', async () => {
    expect(await node.storm(50, rate(20))).toHaveLength(20);
    now += 250;
    expect(await node.storm(50, rate(20))).toHaveLength(5);
    node.takeOver();
    await quiet();
    expect(await node.storm(50, rate(20))).toHaveLength(0);
    now += 100;
    expect(await node.storm(50, rate(20))).toHaveLength(2);
  });
});

describe('a cap nobody wrote', () => {
  const cap = { ...place(800), loose: true } as const;

  it('costs no question within the part of a process', async () => {
    const before = node.carried;
    const leaves = await node.storm(100, cap);
    expect(leaves).toHaveLength(400);
    expect(node.carried).toBe(before);
    for (const leave of leaves) leave();
    expect(await node.storm(100, cap)).toHaveLength(400);
    expect(node.carried).toBe(before);
  });

  it('is never more for the node, and never less than half of it and a part in one process', async () => {
    const one = await Promise.all(Array.from({ length: 1_000 }, () => node.enter(1, cap)));
    expect(one.filter((e) => 'leave' in e)).toHaveLength(500);
    expect(one.find((e) => 'refusedBy' in e)).toEqual({ refusedBy: cap });
    expect(await node.storm(1_000, cap)).toHaveLength(300);
  });

  it('is given back where a rate refuses', async () => {
    expect(await node.storm(50, cap, rate(1))).toHaveLength(1);
    expect(await node.storm(200, cap)).toHaveLength(799);
  });
});

describe('without an answer', () => {
  const lookedInVain = (): void => {
    for (let i = 0; i < 4; i++) for (const w of node.workers.values()) w.look();
  };

  it('each decides by himself with his share, says so once, and is counted again afterwards', async () => {
    const leaves = await node.storm(1, place(40));
    expect(leaves).toHaveLength(4);
    node.control = null;
    const asked = node.storm(50, place(40), rate(400));
    await quiet();
    lookedInVain();
    // A tenth each, one of which was there.
    expect(await asked).toHaveLength(36);
    expect(await node.storm(50, place(40))).toHaveLength(0);
    expect(await node.storm(50, place(2, 'few'))).toHaveLength(4);
    lookedInVain();
    expect(node.workers.get(1)?.said).toEqual([
      'control does not answer: until it does, this process lets in its share of each limit, 1/4',
    ]);
    leaves[0]?.();
    node.takeOver();
    await quiet();
    expect(node.workers.get(1)?.said[1]).toBe('limits hold for the node again');
    expect(await node.storm(50, place(40))).toHaveLength(1);
    expect(await node.storm(50, place(2, 'few'))).toHaveLength(0);
    expect(await node.storm(200, rate(400))).toHaveLength(400 - 36);
  });

  it('one that only had to wait is counted as it is', async () => {
    for (const id of node.workers.keys()) node.silent.add(id);
    const asked = node.storm(5, place(8));
    await quiet();
    lookedInVain();
    const leaves = await asked;
    expect(leaves).toHaveLength(8);
    node.silent.clear();
    leaves[0]?.();
    // Looked again, it asks whether there is somebody.
    lookedInVain();
    await quiet();
    expect(await node.storm(5, place(8))).toHaveLength(1);
  });
});

describe('bandwidth', () => {
  it('is counted by each at once and by all together soon after', async () => {
    const [a, b] = [node.workers.get(1)?.tally, node.workers.get(2)?.tally];
    const before = node.carried;
    for (let i = 0; i < 10; i++) expect(a?.spend('l', 10, 1_000)).toBe(10 * (i + 1));
    expect(b?.spend('l', 50, 1_000)).toBe(50);
    await node.pass(50);
    // The second is told of both, the first of its own and soon of the rest.
    expect([a?.spend('l', 1, 1_000), b?.spend('l', 1, 1_000)]).toEqual([101, 151]);
    await node.pass(50);
    // 152 ms less 50; the first was answered before the last of them was counted.
    expect([a?.spend('l', 1, 1_000), b?.spend('l', 1, 1_000)]).toEqual([102, 103]);
    // A report and its answer every 50 ms, however often something was spent.
    expect(node.carried - before).toBe(8);
  });

  it('in the long run is what it is for one', async () => {
    const tallies = [...node.workers.values()].map((w) => w.tally);
    // Each takes 64 KB as soon as it is not early by more than what may run ahead, at 1 MB/s for all.
    const goesOn = tallies.map(() => 0);
    let bytes = 0;
    for (let ms = 0; ms < 20_000; ms += 10) {
      for (const [i, tally] of tallies.entries()) {
        if ((goesOn[i] ?? 0) > now) continue;
        bytes += 65_536;
        goesOn[i] = now + tally.spend('l', 65_536, 1_000_000) - 50;
      }
      await node.pass(10);
    }
    // Ahead: what may run ahead and a chunk, of each.
    expect(bytes).toBeLessThan(1_000 * 20_000 + 4 * (50_000 + 65_536));
    expect(bytes).toBeGreaterThan(1_000 * 19_500);
  });
});
