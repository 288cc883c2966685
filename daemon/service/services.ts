import type { Millis } from '../../proto/vocab/ids.ts';
import { AgentsService } from './agents.ts';
import { AlertsService } from './alerts.ts';
import type { AuditService, Services } from './api.ts';
import { AuditTrail } from './audit.ts';
import { audited } from './audited.ts';
import { BackupService } from './backup.ts';
import { BufferingRule } from './buffering.ts';
import { CommandsService } from './commands.ts';
import { ConfigsService } from './configs.ts';
import { EnrolmentService } from './enrolment.ts';
import { FiguresService } from './figures.ts';
import { Follower } from './follow.ts';
import { FollowedLogs } from './followed-logs.ts';
import type { TokenMint } from './join-tokens.ts';
import { NodesService } from './nodes.ts';
import { createPeople } from './people.ts';
import type {
  AccessTokens,
  AgentLink,
  Archive,
  AuditFile,
  Ca,
  Clock,
  Dialler,
  Log,
  MetricsRings,
  Passwords,
  Random,
  Store,
  Turns,
  Vault,
} from './ports.ts';
import { Publisher, type PublisherSettings } from './publisher.ts';
import { prune } from './retention.ts';
import { RolloutFacts } from './rollout-facts.ts';
import { RolloutRunner } from './rollout-runner.ts';
import { RolloutTargets } from './rollout-targets.ts';
import { RolloutsService } from './rollouts.ts';
import { SecretsService } from './secrets.ts';
import { Sessions } from './sessions.ts';
import { SilencesService } from './silences.ts';
import { Templates } from './templates.ts';
import { VariablesService } from './variables.ts';
import { WatchService } from './watch.ts';
import { WhoIsDown } from './who-is-down.ts';
import { authorise, Writer } from './write.ts';

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
  /** How long a login is good before it is refreshed. */
  readonly accessMs: number;
  /** How publications go, and how what ran before goes back. */
  readonly rollout: PublisherSettings;
  /** `host:port` agents reach this master at, for join commands and consoles; asked once it listens. */
  readonly advertise: () => string;
}

export interface ServiceNeeds {
  readonly store: Store;
  /** Where the audit log lies. */
  readonly audit: AuditFile;
  readonly ca: Pick<Ca, 'pin' | 'issueNode'>;
  readonly mint: TokenMint;
  readonly passwords: Passwords;
  readonly tokens: AccessTokens;
  /** Used only once an agent has connected, so its transport may be built after the services. */
  readonly link: AgentLink;
  readonly vault: Vault;
  readonly archive: Archive;
  readonly dialler: Dialler;
  readonly rings: MetricsRings;
  readonly clock: Clock;
  readonly turns: Turns;
  readonly random: Random;
  readonly log: Log;
  /** A moment goes by in which more agents may speak, before what they say is written together. Not given: none. */
  readonly moment?: () => Promise<void>;
}

/** The services, and what drives them. */
export interface MasterServices extends Services {
  /** Before the transports listen: reads the configs that stand, says in the journal that the master began. */
  start(): Promise<void>;
  /** Once a second: what time alone decides. A tick that is still writing is not followed by another. */
  tick(): void;
  /** Why writes are refused at the moment, or `null`. */
  degraded(): string | null;
  /** Why nothing should be rolled out now, or `null`. */
  suspicion(): { readonly why: string } | null;
  /** Settles once everything said so far is on disk, or refused. */
  settled(): Promise<void>;
  /** After the transports have stopped: ends the watches and waits for the disk. */
  stop(): Promise<void>;
}

/** How often a node reports that somebody looks at. */
const LOOK_MS = 1000;
/** How long answers are held back before it fires. */
const BUFFERING_MS = 60_000;
/** Ticks between two looks at what is past its time. */
const PRUNE_EVERY = 60;

/** All use-cases over one store and one write queue. */
export function createServices(settings: ServiceSettings, needs: ServiceNeeds): MasterServices {
  const { store, ca, mint, link, vault, rings, clock, random, log } = needs;
  const trail = new AuditTrail({ file: needs.audit, clock, log });
  const writer = new Writer({ store, clock, log, audit: trail });
  const degraded = () => store.degraded() ?? trail.degraded();
  const templates = new Templates(store, vault);
  const sessions = new Sessions({ heartbeatMs: settings.heartbeatMs, masterStartedAt: clock.now() });

  const follows = new FollowedLogs({ link, clock, random });

  const nodes = new NodesService({ writer, templates, sessions, rings, link, clock, store: { degraded } });
  const { moment } = needs;
  const agents = new AgentsService({ writer, templates, sessions, rings, follows, link, clock, log, moment });
  nodes.onAimed((before, after, view) => agents.settle(before, after, view));
  const whoIsDown = new WhoIsDown({ writer, dialler: needs.dialler, clock, log });
  const rules = [new BufferingRule({ forMs: BUFFERING_MS }, { rings })];
  const alerts = new AlertsService(settings, { writer, sessions, whoIsDown, rules, clock });
  const change = {
    templates,
    agents,
    rings,
    facts: new RolloutFacts({ templates, sessions, rings }),
    targets: new RolloutTargets(),
    suspicion: () => whoIsDown.suspicion(),
    since: () => sessions.listensSince,
  };
  const publisher = new Publisher(settings.rollout, change);
  const runner = new RolloutRunner({ ...change, writer, log });
  const follower = new Follower({ writer, templates, agents });
  const secrets = new SecretsService({ writer, templates, agents, vault, clock });
  const silences = new SilencesService({ writer, clock });
  const people = createPeople(settings, { ...needs, writer, audit: trail });
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

  const told = <T extends object>(noun: string, service: T): T =>
    audited(noun, service, { writer, audit: trail });

  /** The journal learns of records that made no commit. */
  const markAudit = (last = false) =>
    writer.write('master', 'audit', (view) => {
      const ops = trail.mark(view, last);
      return ops && { ops, events: [], result: null };
    });

  let ticks = 0;
  let lastTick: Millis = clock.now();
  let ticking: Promise<unknown> | null = null;
  let retrying: Promise<void> | null = null;

  async function tickOnce(now: Millis, since: Millis): Promise<void> {
    const prunes = ticks % PRUNE_EVERY === 0 ? [prune(writer)] : [];
    const done = await Promise.allSettled([
      agents.tick(),
      alerts.evaluate(),
      commands.tick(),
      runner.tick(),
      follower.follow(),
      silences.tick(since, now),
      markAudit(),
      people.tick(),
      ...prunes,
    ]);
    // A disk that refuses is said once, by the store; the next tick decides the same again.
    for (const d of done) if (d.status === 'rejected') log.debug('tick', { error: String(d.reason) });
  }

  return {
    enrolment: told(
      'enrolment',
      new EnrolmentService(settings, { writer, templates, ca, mint, link, clock, log }),
    ),
    agents,
    nodes: told('nodes', nodes),
    figures: new FiguresService({ rings, clock }),
    configs: told('configs', new ConfigsService({ ...needs, writer, templates, publisher })),
    rollouts: told('rollouts', new RolloutsService({ writer, publisher, change, rings, clock })),
    commands: told('commands', commands),
    alerts,
    silences: told('silences', silences),
    variables: told('variables', new VariablesService({ writer, templates, agents })),
    secrets: told('secrets', secrets),
    watch,
    people: told('people', people.service),
    audit: auditService(trail),
    backup: new BackupService({ writer, audit: trail, archive: needs.archive }),
    degraded,
    suspicion: () => whoIsDown.suspicion(),
    async start() {
      await templates.load();
      const shut = secrets.shut();
      if (shut.length > 0) {
        log.error('secrets that do not open: restore sealing.key of state_dir, or put them again', {
          names: shut,
        });
      }
      const audit = await trail.start(store.snapshot());
      for (const sentence of audit) log.warn('audit', { found: sentence });
      const recovery = [...store.recovery, ...audit];
      const found = recovery.length > 0 ? `; recovery: ${recovery.join('; ')}` : '';
      let code: string | null = null;
      await writer.write('master', 'start', (view) => {
        const first = people.bootstrapCode(view);
        code = first.code;
        return {
          ops: first.ops,
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
        };
      });
      // Said once, here: only its hash is kept.
      if (code !== null)
        log.warn('nobody can log in yet: this one-time code makes the first admin', { code });
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
      retrying ??= trail.retry().finally(() => {
        retrying = null;
      });
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
      await whoIsDown.settled();
      await retrying;
      await agents.settled();
      await writer.settled();
      await trail.settled();
    },
    async stop() {
      watch.endAll('the master is stopping');
      follows.endAll('the master is stopping');
      await ticking;
      await retrying;
      await agents.settled();
      await writer.settled();
      await trail.settled();
      await markAudit(true).catch((error: unknown) => log.warn('audit', { error: String(error) }));
    },
  };
}

const MOST_RECORDS = 1000;

function auditService(trail: AuditTrail): AuditService {
  return {
    async list(caller, args) {
      authorise(caller, 'audit.read');
      return trail.list({ ...args, limit: Math.min(Math.max(1, args.limit), MOST_RECORDS) });
    },
    async verify(caller) {
      authorise(caller, 'audit.read');
      return trail.verify();
    },
    denied: (caller, what) => trail.tell({ caller, ...what, reason: '' }, 'forbidden'),
  };
}
