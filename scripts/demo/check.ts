// `npm start -- --check`: the loop, proven from outside. Each step waits for a fact and says what it saw.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Fleet } from './fleet.ts';
import { until } from './process.ts';

export interface Step {
  readonly ok: boolean;
  readonly name: string;
  readonly saw: string;
  readonly tookMs: number;
}

interface Ttft {
  readonly hk1: number;
  readonly hk2: number;
  readonly svcA: number;
  readonly svcB: number;
}

const SLOWED_MS = 300;
/** What moved by 300 ms has moved by more than this, what did not by less. */
const MOVED_MS = 200;
const STILL_MS = 120;
/** The origin's own delay is 60 ms: over this, something else is the cause. */
const CALM_MS = 150;

export async function check(fleet: Fleet, tell: (step: Step) => void): Promise<boolean> {
  const steps: Step[] = [];
  const run = async (name: string, body: () => Promise<string>): Promise<void> => {
    const started = performance.now();
    const result = await body().then(
      (saw) => ({ ok: true, saw }),
      (e: unknown) => ({ ok: false, saw: e instanceof Error ? e.message : String(e) }),
    );
    const step = { ...result, name, tookMs: performance.now() - started };
    steps.push(step);
    tell(step);
  };

  await run('enrolled', () => enrolled(fleet));
  await run('streaming', () => streaming(fleet));
  await run('slowed', () => slowed(fleet));
  await run('reload obeyed', () => reloaded(fleet));
  await run('silence applied', () => silenced(fleet));
  await run('nothing was cut', () => uncut(fleet));
  return steps.every((s) => s.ok);
}

async function enrolled(fleet: Fleet): Promise<string> {
  const { nodes } = await fleet.api.listNodes();
  await fleet.inSync();
  const words = nodes.map((n) => `${n.name} ${n.nodeType} ${n.effective?.version ?? 'no config'}`);
  return `${words.join(', ')}; each by its own certificate`;
}

async function streaming(fleet: Fleet): Promise<string> {
  const tokens = (): number[] => ['hk-1', 'hk-2'].map((e) => fleet.tallies[e]?.tokens ?? 0);
  const before = tokens();
  await until('answers through both edges', 15_000, () =>
    tokens().every((n, i) => n > (before[i] ?? 0) + 50) ? true : null,
  );
  const { vitals } = await fleet.api.listNodes();
  const live = vitals.map((v) => `${v.name} ${v.streams ?? '-'} streams`);
  return `${tokens().reduce((a, b) => a + b)} tokens so far; ${live.join(', ')}`;
}

async function readTtft(fleet: Fleet): Promise<Ttft | null> {
  const { vitals } = await fleet.api.listNodes();
  const { services } = await fleet.api.nodeDetail('cn-1');
  const node = (name: string): number | null => vitals.find((v) => v.name === name)?.ttft95Ms ?? null;
  const service = (name: string): number | null => services.find((s) => s.service === name)?.ttft95Ms ?? null;
  const [hk1, hk2, svcA, svcB] = [node('hk-1'), node('hk-2'), service('svc-a'), service('svc-b')];
  return hk1 === null || hk2 === null || svcA === null || svcB === null ? null : { hk1, hk2, svcA, svcB };
}

const words = (t: Ttft): string => `hk-1 ${t.hk1}, hk-2 ${t.hk2}, svc-a ${t.svcA}, svc-b ${t.svcB}`;

async function slowed(fleet: Fleet): Promise<string> {
  const before = await calm(fleet);
  await fleet.slow('a', SLOWED_MS);
  let now = before;
  try {
    await until(
      `TTFT of hk-1 and svc-a up by ${MOVED_MS} ms`,
      25_000,
      async () => {
        now = (await readTtft(fleet)) ?? now;
        return now.hk1 - before.hk1 > MOVED_MS && now.svcA - before.svcA > MOVED_MS ? true : null;
      },
      () => words(now),
    );
  } finally {
    await fleet.slow('a', 0);
  }
  const [hk2, svcB] = [now.hk2 - before.hk2, now.svcB - before.svcB];
  if (hk2 > STILL_MS || svcB > STILL_MS) {
    throw new Error(
      `hk-2 or svc-b moved too, by ${hk2} and ${svcB} ms: before ${words(before)}; after ${words(now)}`,
    );
  }
  return `origin a ${SLOWED_MS} ms slower: TTFT95 ms before ${words(before)}; after ${words(now)}`;
}

/** A reading to compare with: the first seconds of a busy machine are not one. One that stays busy is taken as it is. */
async function calm(fleet: Fleet): Promise<Ttft> {
  let last = await until('a TTFT of every edge and service', 15_000, () => readTtft(fleet));
  const isCalm = (t: Ttft): boolean => Math.max(t.hk1, t.hk2, t.svcA, t.svcB) < CALM_MS;
  for (const end = Date.now() + 15_000; !isCalm(last) && Date.now() < end; await sleep(200)) {
    last = (await readTtft(fleet)) ?? last;
  }
  return last;
}

async function reloaded(fleet: Fleet): Promise<string> {
  const { command } = await fleet.api.runCommand(
    { reason: 'check' },
    {
      type: 'reload',
      target: { nodes: ['hk-1' as never] },
      timeoutMs: null,
      expiresMs: null,
      dryRun: false,
      maxParallel: null,
      options: {},
    },
  );
  const result = await until('the result of the reload', 15_000, async () => {
    const task = await fleet.api.getCommand(command.id);
    const r = Object.values(task.results)[0];
    return r && r.state !== 'queued' && r.state !== 'received' && r.state !== 'running' ? r : null;
  });
  const { before, after } = result;
  if (result.state !== 'succeeded' || !before || !after)
    throw new Error(`${result.state}: ${result.outputTail}`);
  if (after.generation !== before.generation + 1 || after.documentHash !== before.documentHash) {
    throw new Error(
      `generation ${before.generation} -> ${after.generation}, ${before.documentHash} -> ${after.documentHash}`,
    );
  }
  return `hk-1 generation ${before.generation} -> ${after.generation}, document ${after.documentHash?.slice(0, 7)} as before, ${result.streamsKept} streams kept`;
}

/** An agent is killed, NodeDown fires, a silence is made for it; the streams through its node go on meanwhile. */
async function silenced(fleet: Fleet): Promise<string> {
  const agent = fleet.agents.get('hk-2');
  if (!agent) throw new Error('no agent hk-2');
  const answersBefore = fleet.tallies['hk-2']?.answers ?? 0;
  agent.kill('SIGKILL');
  const alertOf = async () =>
    (await fleet.api.listAlerts()).alerts.find(
      (a) => a.rule === 'NodeDown' && a.labels['node'] === 'hk-2' && a.state === 'firing',
    ) ?? null;
  const alert = await until('NodeDown of hk-2 firing', 20_000, alertOf);
  const { silence } = await fleet.api.createSilence(
    { reason: 'check' },
    {
      matchers: [],
      alert: alert.fingerprint,
      startsAt: null,
      endsAt: Date.now() + 3_600_000,
      comment: 'npm start -- --check',
    },
  );
  await until(`${silence.id} on the alert`, 5000, async () =>
    (await alertOf())?.silencedBy.includes(silence.id) ? true : null,
  );
  await fleet.startAgent('hk-2');
  await fleet.inSync(['hk-2']);
  const answers = (fleet.tallies['hk-2']?.answers ?? 0) - answersBefore;
  if (answers < 1) throw new Error('no answer came through hk-2 while its agent was away');
  return `agent of hk-2 killed: NodeDown fired, ${silence.id} holds it back, ${answers} answers came through meanwhile; agent back and in sync`;
}

async function uncut(fleet: Fleet): Promise<string> {
  const failed = Object.entries(fleet.tallies).filter(([, t]) => t.failed > 0);
  if (failed.length > 0)
    throw new Error(failed.map(([e, t]) => `${e}: ${t.failed} failed, ${t.lastError}`).join('; '));
  const answers = Object.values(fleet.tallies).reduce((n, t) => n + t.answers, 0);
  return `${answers} answers, every one whole`;
}
