import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AppError } from '../../../../proto/vocab/errors.ts';
import type { ServiceStats } from '../../port.ts';
import type { DataCalls, DataService, WorkerCall } from '../data/messages.ts';
import { WorkersData } from './workers.ts';
import type { Sums } from './workers-link.ts';

const NO_TIMES = { index: [], count: [], sumMs: 0 };

function statsOf(service: string, more: Partial<ServiceStats> = {}): ServiceStats {
  return {
    service,
    ...{ streams: 0, opened: 0, closed: 0, errors: 0, abortedClient: 0, abortedOrigin: 0, abortedTunnel: 0 },
    ...{ bytesIn: 0, bytesOut: 0, requests: 0, connect: NO_TIMES, ttft: NO_TIMES, gap: NO_TIMES },
    ...more,
  };
}

/** A data process that carries nothing and keeps every promise of the messages. */
class WorkerTwin {
  bound: readonly string[] = [];
  carried: readonly string[] = [];
  materials = 0;
  stats: readonly ServiceStats[] = [];
  streams = 0;
  /** Called before a call does anything; throws what should go wrong with it. */
  before: (call: WorkerCall) => void = () => undefined;
  problems: readonly { service: string; message: string }[] = [];
  readonly heard: WorkerCall[] = [];

  run(name: WorkerCall, args: unknown): unknown {
    this.heard.push(name);
    this.before(name);
    switch (name) {
      case 'bind':
        if (this.problems.length > 0) return { problems: this.problems };
        this.bound = (args as DataCalls['bind']['args']).listeners.map((l) => l.service);
        return { problems: [] };
      case 'commit':
        this.bound = [];
        this.carried = (args as DataCalls['commit']['args']).services.map((s) => s.name);
        return { opened: this.carried, closed: [], kept: [] };
      case 'abort':
        this.bound = [];
        return {};
      case 'materials':
        this.materials += 1;
        return {};
      case 'confirm':
        return {
          listeners: this.carried.map((service) => ({ service, accepting: true, error: '' })),
          routes: (args as DataCalls['confirm']['args']).listenersOnly
            ? []
            : this.carried.map((service) => ({ service, reached: true, error: '' })),
        };
      case 'stats':
        return { services: this.stats };
      case 'streams': {
        const services = [{ service: 'a', streams: this.streams, oldestMs: 5 * this.streams }];
        return { services: services.filter((s) => s.streams > 0), sockets: this.streams };
      }
      default:
        return {};
    }
  }
}

let twins: Map<number, WorkerTwin>;
let ended: number[];
let retired: number[];
let kept: Sums | null;
let taken: Set<number>;
let workers: WorkersData;

function makeWorkers(): WorkersData {
  return new WorkersData(
    { wanted: 2, restarts: 0 },
    {
      link: {
        call: async (id, name, args) => {
          const twin = twins.get(id);
          if (twin === undefined) throw new AppError('unavailable', 'the worker is gone');
          // The key decides the answer's type.
          return structuredClone(twin.run(name, structuredClone(args))) as never;
        },
        fork: async (exec, role) => {
          const id = 10 * twins.size;
          const facts = { id, pid: id, version: exec, retireBy: null };
          twins.set(id, new WorkerTwin());
          if (role === 'data') workers.joined(facts);
          return facts;
        },
        use: () => undefined,
        retire: (id) => retired.push(id),
        end: (id) => {
          ended.push(id);
          twins.delete(id);
          workers.left(id, 0);
        },
      },
      log: () => undefined,
      now: () => Date.now(),
      probe: async ({ port }) => (taken.has(port) ? 'in use' : null),
      keepSums: (sums) => {
        kept = structuredClone(sums);
      },
    },
  );
}

async function join(...ids: number[]): Promise<void> {
  for (const id of ids) {
    twins.set(id, new WorkerTwin());
    workers.joined({ id, pid: 100 + id, version: '1', retireBy: null });
  }
  while (workers.list.length < twins.size) await new Promise((r) => setImmediate(r));
}

const twin = (id: number): WorkerTwin => {
  const found = twins.get(id);
  if (found === undefined) throw new Error(`no worker ${id}`);
  return found;
};

function service(name: string, port: number): DataService {
  return {
    ...{
      name,
      listen: { host: '', port },
      tls: null,
      over: { path: null, mux: false },
      proxyIn: false,
      proxyOut: 0,
      handler: 'tcp',
      auths: null,
      cores: null,
      targets: null,
    },
    ...{ retries: 0, dialTimeoutMs: 1, turns: false },
  };
}

async function carry(...services: DataService[]): Promise<unknown> {
  const listeners = services.map(({ name, listen }) => ({ service: name, listen }));
  const { problems } = await workers.calls.bind({ listeners });
  if (problems.length > 0) return problems;
  try {
    return await workers.calls.commit({ services, materials: {} });
  } catch (e) {
    await workers.calls.abort({});
    throw e;
  }
}

const opened = async (): Promise<number> =>
  (await workers.calls.stats({})).services.reduce((sum, s) => sum + s.opened, 0);

beforeEach(async () => {
  twins = new Map();
  [ended, retired, kept, taken] = [[], [], null, new Set()];
  workers = makeWorkers();
  await join(1, 2);
});

afterEach(() => {
  twins.clear();
});

describe('several workers as one', () => {
  it('a change is in all of them', async () => {
    await carry(service('a', 1));
    expect([twin(1).carried, twin(2).carried]).toEqual([['a'], ['a']]);
  });

  it('one that cannot bind makes all let go, and the next change goes through', async () => {
    await carry(service('a', 1));
    twin(2).problems = [{ service: 'b', message: 'no' }];
    expect(await carry(service('a', 1), service('b', 2))).toEqual([{ service: 'b', message: 'no' }]);
    expect([twin(1).bound, twin(1).carried, twin(2).carried]).toEqual([[], ['a'], ['a']]);
    twin(2).problems = [];
    twin(1).before = (call) => {
      if (call === 'bind') throw new AppError('unavailable', 'it died');
    };
    await expect(carry(service('b', 2))).rejects.toMatchObject({ code: 'unavailable' });
    expect([twin(2).bound, twin(2).carried]).toEqual([[], ['a']]);
    twin(1).before = () => undefined;
    await carry(service('b', 2));
    expect([twin(1).carried, twin(2).carried]).toEqual([['b'], ['b']]);
  });

  it('a port that another program has is known before any worker is asked', async () => {
    taken.add(2);
    expect(await carry(service('b', 2))).toEqual([{ service: 'b', message: 'in use' }]);
    expect(twin(1).heard).not.toContain('bind');
    taken.add(1);
    await carry();
    taken.clear();
    await carry(service('a', 1));
    taken.add(1);
    // Its own ports are no problem.
    expect(
      (await workers.calls.tryBind({ listeners: [{ service: 'a', listen: { host: '', port: 1 } }] }))
        .problems,
    ).toEqual([]);
  });

  it('what cannot be carried fails in the first one and is in none; one that does not follow is replaced', async () => {
    await carry(service('a', 1));
    const fails = (call: WorkerCall): void => {
      if (call === 'commit') throw new Error('without its certificate');
    };
    twin(1).before = fails;
    await expect(carry(service('b', 2))).rejects.toThrow('without its certificate');
    expect([twin(1).carried, twin(2).carried, ended]).toEqual([['a'], ['a'], []]);
    twin(1).before = () => undefined;
    twin(2).before = fails;
    await carry(service('b', 2));
    expect([twin(1).carried, ended]).toEqual([['b'], [2]]);
    await join(3);
    expect(twin(3).carried).toEqual(['b']);
  });

  it('one that joins in the middle of a change waits for its end and gets the outcome', async () => {
    await carry(service('a', 1));
    await workers.calls.bind({ listeners: [] });
    twins.set(3, new WorkerTwin());
    workers.joined({ id: 3, pid: 103, version: '1', retireBy: null });
    await new Promise((r) => setImmediate(r));
    expect(twin(3).heard).toEqual([]);
    await workers.calls.commit({ services: [service('b', 2)], materials: {} });
    while (workers.list.length < 3) await new Promise((r) => setImmediate(r));
    expect(twin(3).carried).toEqual(['b']);
  });

  it('routes are tried once; a listener counts when it is open in every one', async () => {
    await carry(service('a', 1));
    expect(await workers.calls.confirm({})).toEqual({
      listeners: [{ service: 'a', accepting: true, error: '' }],
      routes: [{ service: 'a', reached: true, error: '' }],
    });
    twin(2).carried = [];
    const { listeners } = await workers.calls.confirm({});
    expect(listeners).toMatchObject([{ service: 'a', accepting: false }]);
  });

  it('sums never go back: over a death, over a silence, over a new control', async () => {
    twin(1).stats = [statsOf('a', { opened: 3, closed: 1, streams: 2 })];
    twin(2).stats = [statsOf('a', { opened: 4, closed: 4 })];
    expect(await opened()).toBe(7);
    twins.delete(1);
    expect(await opened()).toBe(7);
    workers.left(1, 1);
    const [a] = (await workers.calls.stats({})).services;
    expect(a).toMatchObject({ opened: 7, closed: 7, streams: 0, abortedTunnel: 2 });
    expect(workers.restarts).toBe(1);
    workers = makeWorkers();
    twins.set(3, new WorkerTwin());
    const facts = (id: number) => ({ id, pid: id, version: '1', retireBy: null });
    // The second one died while nobody was there to see it.
    await workers.resume({ plan: null, workers: [facts(3)], sums: kept });
    expect(await opened()).toBe(7);
  });

  it('of one that dies the last account counts, whoever had it', async () => {
    twin(1).stats = [statsOf('a', { opened: 3, closed: 1, streams: 2 })];
    twin(2).stats = [statsOf('a', { opened: 4, closed: 4, bytesIn: 10 })];
    expect(await opened()).toBe(7);
    // What it had left with the primary is newer than what it was asked for, or older.
    twins.delete(1);
    workers.left(1, 1, [statsOf('a', { opened: 9, closed: 8, streams: 1 }), statsOf('b', { opened: 1 })]);
    expect(await opened()).toBe(4 + 9 + 1);
    twins.delete(2);
    workers.left(2, 2, [statsOf('a', { opened: 4, closed: 4 })]);
    expect((await workers.calls.stats({})).services).toMatchObject([
      { service: 'a', opened: 13, closed: 13, abortedTunnel: 1, bytesIn: 10 },
      { service: 'b', opened: 1, closed: 1 },
    ]);
  });

  it('those that died while nobody was there are counted once, by whichever control lives to do so', async () => {
    twin(1).stats = [statsOf('a', { opened: 3, closed: 3 })];
    expect(await opened()).toBe(3);
    twins.clear();
    const left = [
      { worker: 1, figures: [statsOf('a', { opened: 5, closed: 5 })] },
      { worker: 7, figures: [statsOf('a', { opened: 1, closed: 1 })] },
    ];
    for (let i = 0; i < 3; i++) {
      workers = makeWorkers();
      await workers.resume({ plan: null, workers: [], sums: kept, left });
    }
    expect(await opened()).toBe(6);
  });

  it('a control that comes after brings all to what was kept', async () => {
    await carry(service('a', 1));
    twin(2).carried = ['half'];
    workers = makeWorkers();
    const facts = [1, 2].map((id) => ({ id, pid: id, version: '1', retireBy: null }));
    const plan = { services: [service('a', 1)], materials: {} };
    await workers.resume({ plan, workers: facts, sums: null });
    expect([twin(1).carried, twin(2).carried]).toEqual([['a'], ['a']]);
    expect(workers.list).toHaveLength(2);
  });

  it('an upgrade: the new carry before the old let go, who end with their last stream', async () => {
    await carry(service('a', 1));
    twin(1).streams = 1;
    twin(2).stats = [statsOf('a', { opened: 9, closed: 9 })];
    const done = await workers.upgrade({ exec: '2', deadlineMs: 60_000 });
    expect(done).toMatchObject({
      version: '2',
      workers: [{ version: '2' }, { version: '2' }],
      streamsKept: 1,
    });
    expect(workers.list.map((w) => w.version)).toEqual(['2', '2']);
    expect(retired.toSorted()).toEqual([1, 2]);
    expect(twin(1).heard).toContain('leave');
    while (!ended.includes(2)) await new Promise((r) => setImmediate(r));
    expect(ended).toEqual([2]);
    expect(await opened()).toBe(9);
    twin(1).streams = 0;
    while (!ended.includes(1)) await new Promise((r) => setImmediate(r));
  });
});
