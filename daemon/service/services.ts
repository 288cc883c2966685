import type { Millis } from '../../proto/vocab/ids.ts';
import { AgentsService } from './agents.ts';
import { AlertsService } from './alerts.ts';
import type { Services } from './api.ts';
import { CommandsService } from './commands.ts';
import { ConfigsService } from './configs.ts';
import { EnrolmentService, type TokenMint } from './enrolment.ts';
import { FollowedLogs } from './followed-logs.ts';
import { NodesService } from './nodes.ts';
import type { AgentLink, Ca, Clock, Log, MetricsRings, Random, Store } from './ports.ts';
import { Templates } from './rendering.ts';
import { prune } from './retention.ts';
import { Sessions } from './sessions.ts';
import { SilencesService } from './silences.ts';
import { WatchService } from './watch.ts';
import { Writer } from './write.ts';

/** What the services are told once. Durations in ms. */
export interface ServiceSettings {
  /** The master's own name for itself, shown by consoles. */
  readonly context: string;
  readonly masterVersion: string;
  /** Offered to every agent; a node is down after four of them without a word. */
  readonly heartbeatMs: number;
  /** How often nodes report that nobody looks at; those on a screen report each second. */
  readonly reportMs: number;
  /** How long a node is down before NodeDown fires. */
  readonly nodeDownForMs: number;
  /** How long a node has to carry out a command. */
  readonly commandTimeoutMs: number;
  /** Life of nodes' certificates: 7 days where it is not given; tests have shorter ones. */
  readonly certificateMs?: number;
  /** `host:port` agents reach this master at, for join commands and consoles; asked once it listens. */
  readonly advertise: () => string;
}

export interface ServiceNeeds {
  readonly store: Store;
  readonly ca: Pick<Ca, 'pin' | 'issueNode'>;
  readonly mint: TokenMint;
  /** Used only once an agent has connected, so its transport may be built after the services. */
  readonly link: AgentLink;
  readonly rings: MetricsRings;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** The services, and what drives them. */
export interface MasterServices extends Services {
  /** Before the transports listen: reads the configs that stand, says in the journal that the master began. */
  start(): Promise<void>;
  /** Once a second: what time alone decides. A tick that is still writing is not followed by another. */
  tick(): void;
  /** Settles once everything said so far is on disk, or refused. */
  settled(): Promise<void>;
  /** After the transports have stopped: ends the watches and waits for the disk. */
  stop(): Promise<void>;
}

/** How often a node reports that somebody looks at. */
const LOOK_MS = 1000;
/** Ticks between two looks at what is past its time. */
const PRUNE_EVERY = 60;

/** All use-cases over one store and one write queue. */
export function createServices(settings: ServiceSettings, needs: ServiceNeeds): MasterServices {
  const { store, ca, mint, link, rings, clock, random, log } = needs;
  const writer = new Writer({ store, clock, log });
  const templates = new Templates(store);
  const sessions = new Sessions({ heartbeatMs: settings.heartbeatMs, masterStartedAt: clock.now() });

  const follows = new FollowedLogs({ link, clock, random });

  const nodes = new NodesService({ writer, templates, sessions, rings, link, clock, store });
  const agents = new AgentsService({ writer, templates, sessions, rings, follows, link, clock, log });
  nodes.onAimed((before, after, view) => agents.settle(before, after, view));
  const alerts = new AlertsService(settings, { writer, sessions, clock });
  const silences = new SilencesService({ writer, clock });
  const commands = new CommandsService(
    { timeoutMs: settings.commandTimeoutMs },
    { writer, link, sessions, follows, random },
  );
  const watch = new WatchService(
    {
      storeId: store.id,
      context: settings.context,
      masterVersion: settings.masterVersion,
      heartbeatIntervalMs: settings.heartbeatMs,
      advertise: settings.advertise,
      caPin: ca.pin,
      reportMs: settings.reportMs,
      lookMs: LOOK_MS,
    },
    { writer, nodes, link, clock, random },
  );
  agents.onConnected((name) => watch.greeted(name));

  let ticks = 0;
  let lastTick: Millis = clock.now();
  let ticking: Promise<unknown> | null = null;

  async function tickOnce(now: Millis, since: Millis): Promise<void> {
    const prunes = ticks % PRUNE_EVERY === 0 ? [prune(writer)] : [];
    const done = await Promise.allSettled([
      agents.tick(),
      alerts.evaluate(),
      commands.tick(),
      silences.tick(since, now),
      ...prunes,
    ]);
    // A disk that refuses is said once, by the store; the next tick decides the same again.
    for (const d of done) if (d.status === 'rejected') log.debug('tick', { error: String(d.reason) });
  }

  return {
    enrolment: new EnrolmentService(settings, { writer, templates, ca, mint, link, clock, log }),
    agents,
    nodes,
    configs: new ConfigsService({ writer, store, templates, agents, rings, clock }),
    commands,
    alerts,
    silences,
    watch,
    async start() {
      await templates.load();
      const found = store.recovery.length > 0 ? `; recovery: ${store.recovery.join('; ')}` : '';
      await writer.write('master', 'start', () => ({
        ops: [],
        events: [
          {
            kind: 'master',
            who: 'master',
            subject: settings.context,
            level: found === '' ? 'info' : 'warn',
            text: `master ${settings.masterVersion} began${found}`,
          },
        ],
        result: null,
      }));
    },
    tick() {
      const now = clock.now();
      const missed = sessions.passes(now);
      if (missed !== 0) {
        log.warn('the master did not run for a while, or its clock was set: nodes were not listened to', {
          ms: missed,
        });
      }
      watch.tick(now);
      follows.tick(now);
      // While the disk refuses nothing could be kept: time decides the same again later.
      if (ticking !== null || store.degraded() !== null) return;
      agents.retry();
      const since = lastTick;
      lastTick = now;
      ticks += 1;
      ticking = tickOnce(now, since).finally(() => {
        ticking = null;
      });
    },
    async settled() {
      await ticking;
      await writer.settled();
    },
    async stop() {
      watch.endAll('the master is stopping');
      follows.endAll('the master is stopping');
      await ticking;
      await writer.settled();
    },
  };
}
