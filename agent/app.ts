import { randomBytes } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { AgentSettings } from '../config/agent.ts';
import { nodeCapabilities } from '../proto/document/requires.ts';
import { backoffMs } from '../proto/link/backoff.ts';
import { AppError } from '../proto/vocab/errors.ts';
import { VERSION } from '../proto/vocab/version.ts';
import type { Log } from './core/log.ts';
import type { OwnLines } from './core/own-lines.ts';
import { NOTHING_KEPT } from './core/steps.ts';
import { createEmbeddedEngine } from './engine/embedded/client.ts';
import { Commands } from './host/commands.ts';
import { Duty } from './host/duty.ts';
import { EngineProcess, type EngineSettings } from './host/engine-process.ts';
import { createExecutors } from './host/executors.ts';
import { Exposition, type ExpositionNeeds } from './host/exposition.ts';
import { Followed } from './host/followed.ts';
import { Keeper } from './host/keeper.ts';
import { HostMetrics, publicAddresses } from './host/metrics.ts';
import { createOrders } from './host/orders.ts';
import { Reporter } from './host/reporter.ts';
import { join } from './session/join.ts';
import { Session } from './session/session.ts';
import { makeDir } from './spool/durable.ts';
import { EventSpool } from './spool/events.ts';
import { type Identity, IdentitySpool } from './spool/identity.ts';
import { LastKnownGood } from './spool/last-known-good.ts';
import { Ledger } from './spool/ledger.ts';
import { SealedSpool } from './spool/sealed.ts';
import { StandingSpool } from './spool/standing.ts';

export interface AppNeeds {
  readonly log: Log;
  /** The agent's own lines. */
  readonly own: OwnLines;
  /** Script of the engine, for `engine.spawn`. */
  readonly engineProgram: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly now: () => number;
  readonly random: () => number;
}

export interface Agent {
  readonly node: string;
  stop(reason: string): Promise<void>;
}

const NOT_JOINED =
  'this node has not joined yet. Make a token with `aicdnctl token create` on the master, then run `aicdn-agent join --master HOST:PORT --token ct1.…`, or set master.token';

/** The engine of this node, whoever starts it. @param program its script */
export function engineOf(settings: AgentSettings, program: string): EngineSettings {
  const { stateDir, gost } = settings;
  const { socket, workers, dns } = settings.engine;
  return {
    ...{ program, socket, workers, dns, document: gost.configPath },
    identity: {
      ...new IdentitySpool({ stateDir }, { report: () => undefined }).files,
      sealedDir: new SealedSpool({ stateDir }).dir,
    },
  };
}

export function addressesOf(settings: AgentSettings): readonly string[] {
  return settings.master.addr.map(({ host, port }) =>
    host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`,
  );
}

/** Enrols this node and keeps its identity. @throws AppError whose message says what to do */
export async function joinNode(
  settings: AgentSettings,
  spool: IdentitySpool,
  token: string,
): Promise<Identity> {
  const { name, type, region, labels } = settings.node;
  const { node, ...pem } = await join({
    addresses: addressesOf(settings),
    token,
    name,
    nodeType: type,
    region,
    labels,
    agentVersion: VERSION,
  });
  const identity = await spool.store(pem);
  if (identity.node !== node)
    throw new AppError('internal', `the certificate is of ${identity.node}, not ${node}`);
  return identity;
}

/** A master that is not there yet is waited for: hosts come up in any order. A refusal is final. */
async function joinInTime(
  settings: AgentSettings,
  spool: IdentitySpool,
  token: string,
  { log, random }: Pick<AppNeeds, 'log' | 'random'>,
): Promise<Identity> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await joinNode(settings, spool, token);
    } catch (e) {
      if (!(e instanceof AppError) || (e.code !== 'unavailable' && e.code !== 'timeout')) throw e;
      const inMs = backoffMs(attempt, random);
      log.warn('not joined yet', { reason: e.message, inMs });
      await new Promise((resolve) => setTimeout(resolve, inMs));
    }
  }
}

/**
 * The agent: keeps its node at the last-known-good whether or not a master is there, and the conversation with it.
 * @param readyFile written once: `{pid, node, enginePid, engineSocket}`, connected and with an engine
 */
export async function startAgent(
  settings: AgentSettings,
  readyFile: string | null,
  needs: AppNeeds,
): Promise<Agent> {
  const { log, now, random } = needs;
  const { stateDir } = settings;
  const report = (text: string): void => log.error(text);
  await makeDir(stateDir);

  const identitySpool = new IdentitySpool({ stateDir }, { report });
  let identity = await identitySpool.load();
  if (!identity) {
    const { token } = settings.master;
    if (token === null) {
      throw new AppError('precondition', NOT_JOINED);
    }
    identity = await joinInTime(settings, identitySpool, token, needs);
    log.info('joined', { node: identity.node });
  }
  if (identity.node !== settings.node.name) {
    log.warn('this node joined under another name than it is given now; the certificate counts', {
      node: identity.node,
      given: settings.node.name,
    });
  }

  let current: Identity = identity;
  const ledger = new Ledger({ stateDir }, { now, report });
  const events = new EventSpool({ stateDir }, { report });
  const lkg = new LastKnownGood({ stateDir, configPath: settings.gost.configPath }, { report });
  await Promise.all([ledger.load(), events.load()]);
  const memory = { kept: (await lkg.load()) ?? NOTHING_KEPT };

  const engine = createEmbeddedEngine({
    socket: settings.engine.socket,
    log: (level, text) => log[level](text),
  });
  const sealed = new SealedSpool({ stateDir });
  const described = engineOf(settings, needs.engineProgram);
  const engineIdentity = described.identity;
  const engineProcess = new EngineProcess(
    {
      ...described,
      spawn: settings.engine.spawn,
      logFile: path.join(stateDir, 'engine.log'),
      env: needs.env,
    },
    { log, now },
  );
  const note = (kind: string, text: string): void => {
    const event = { at: now(), kind, text };
    void events.add(event);
    session.event(event);
  };
  const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
  const executors = createExecutors({
    engine,
    identity: engineIdentity,
    spool: lkg,
    sealed,
    memory,
    findEngine: () => engineProcess.find(),
    report: (r) => session.status(r),
    note,
    now,
    sleep,
    log,
  });
  const standing = new StandingSpool({ stateDir }, { report });
  const duty = new Duty(await standing.load(), { engine, spool: standing, now, log });
  const keeper = new Keeper({
    engine,
    executors,
    memory,
    spool: lkg,
    sealed,
    hold: (instance) => duty.hold(instance),
    now,
    log,
  });
  const host = new HostMetrics({ disk: stateDir });
  const reporter = new Reporter({
    engine,
    info: () => keeper.engine,
    host: (pids) => host.read(pids),
    ownLines: () => needs.own.take(),
    now,
  });
  const followed = new Followed({
    engine,
    own: needs.own,
    instance: () => keeper.engine?.instance ?? '',
    send: (lines) => session.logLines(lines),
    now,
  });
  const commands = new Commands({
    ledger,
    orders: createOrders({
      engine,
      duty,
      engineProgram: needs.engineProgram,
      expectNewEngine: () => keeper.expectNewEngine(),
      wake: () => void keeper.wake(),
      certificate: () => current,
      readFile: (file) => readFile(file, 'utf8'),
      now,
      sleep,
    }),
    exclusive: (work) => keeper.exclusive(work),
    report: (result) => session.result(result),
    masterNow: () => session.masterNow(),
    now,
    log,
  });
  const ready = new Ready(readyFile, log);

  const session: Session = new Session(
    {
      addresses: addressesOf(settings),
      labels: settings.node.labels,
      agentVersion: VERSION,
      instanceUid: randomBytes(16).toString('hex'),
    },
    {
      node: {
        async hello() {
          const info = await keeper.refresh();
          return {
            engine: info,
            capabilities: nodeCapabilities(await engine.capabilities().catch(() => [])),
            effectiveHash: keeper.effectiveHash,
            rejectedHash: keeper.rejectedHash,
            publicAddresses: publicAddresses(),
            logTail: await reporter.tail(),
          };
        },
        async heartbeat() {
          // A heartbeat that waits for a hanging engine would look like a lost node.
          const info = await keeper.refresh(1_000);
          const health = !info ? 'engine_lost' : keeper.trouble === null ? 'ok' : 'degraded';
          if (info)
            void ready.write({
              node: current.node,
              enginePid: info.pid,
              engineSocket: settings.engine.socket,
            });
          return { health, engine: info };
        },
        standing: () => duty.standing(),
        metrics: () => reporter.report(),
        metricsFromNow: () => reporter.reset(),
      },
      identity: {
        current: () => current,
        async renewed(pem) {
          current = await identitySpool.store(pem);
          // The engine watches the files as well; being told is sooner.
          await keeper
            .exclusive(() => engine.reload())
            .catch((e: unknown) => {
              log.warn('the engine was not told of the new certificate', { error: String(e) });
            });
        },
      },
      orders: {
        reached: () => {
          followed.endAll();
          void keeper.masterReached();
        },
        offer: (o) => void keeper.offer(o),
        commitConfirmed: (id) => void keeper.commitConfirmed(id),
        commitCancelled: (id) => void keeper.commitCancelled(id),
        command: (c) => {
          commands
            .receive(c)
            .catch((e: unknown) => log.error('command', { command: c.id, error: String(e) }));
        },
        cancel: (id) => {
          commands.cancel(id).catch((e: unknown) => log.error('cancel', { command: id, error: String(e) }));
        },
        followLogs: (f) => followed.begin(f),
        endFollow: (id) => followed.end(id),
        writable: () => followed.flush(),
      },
      told: {
        command: (id) => {
          ledger.told(id).catch((e: unknown) => log.error('ledger', { error: String(e) }));
        },
        event: (event) => void events.drop([event]),
      },
      log,
      random,
    },
  );
  for (const result of ledger.untold()) session.result(result);
  for (const event of events.all()) session.event(event);

  const exposition = await expose(settings.metrics, log, {
    engine,
    info: () => keeper.engine,
    certificateUntil: () => current.notAfter,
    host: new HostMetrics({ disk: stateDir }),
  });
  await keeper.start();
  session.start();
  log.info('agent started', { node: current.node, version: VERSION, masters: addressesOf(settings) });
  return {
    node: current.node,
    async stop(reason) {
      followed.endAll();
      await session.stop(reason);
      await exposition?.stop();
      await keeper.stop();
      engine.close();
      log.info('agent stopped; the engine goes on', { reason });
    },
  };
}

const SHORTEST_TOKEN = 16;

/** `/metrics`, where it is asked for. @throws AppError `precondition`, saying which setting */
async function expose(
  { addr, tokenFile }: AgentSettings['metrics'],
  log: Log,
  needs: Omit<ExpositionNeeds, 'host' | 'traffic'> & { readonly host: HostMetrics },
): Promise<Exposition | null> {
  if (addr === null) return null;
  const { host } = needs;
  const token = tokenFile === null ? null : await tokenIn(tokenFile);
  const exposition = new Exposition(
    { token },
    { ...needs, host: (pids) => host.read(pids), traffic: () => host.traffic() },
  );
  const { address, port } = await exposition.start(addr);
  log.info('metrics listen', { address, port, token: token !== null });
  return exposition;
}

async function tokenIn(file: string): Promise<string> {
  const said = `metrics.token_file: ${file}`;
  const text = await readFile(file, 'utf8').catch((e: unknown) => {
    throw new AppError('precondition', `${said} cannot be read: ${String(e)}`, { cause: e });
  });
  const token = text.trim();
  if (token.length >= SHORTEST_TOKEN && /^\S+$/.test(token)) return token;
  throw new AppError(
    'precondition',
    `${said} holds no token: ${SHORTEST_TOKEN} characters at least, on one line`,
  );
}

/** The ready file, whole and once. */
class Ready {
  readonly #file: string | null;
  readonly #log: Log;
  #written = false;

  constructor(file: string | null, log: Log) {
    this.#file = file;
    this.#log = log;
  }

  async write(facts: { node: string; enginePid: number; engineSocket: string }): Promise<void> {
    const file = this.#file;
    if (file === null || this.#written) return;
    this.#written = true;
    const tmp = `${file}.${process.pid}.tmp`;
    try {
      await writeFile(tmp, `${JSON.stringify({ pid: process.pid, ...facts })}\n`, { mode: 0o600 });
      await rename(tmp, file);
    } catch (e) {
      this.#log.error('the ready file cannot be written', { file, error: String(e) });
      await rm(tmp, { force: true }).catch(() => undefined);
    }
  }
}
