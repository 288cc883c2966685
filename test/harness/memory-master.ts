import { createHash } from 'node:crypto';
import { createAccessTokens } from '../../daemon/ca/access-tokens.ts';
import { createPasswords } from '../../daemon/ca/passwords.ts';
import { createDialler } from '../../daemon/drivers/dialler.ts';
import { createRings } from '../../daemon/drivers/rings/rings.ts';
import type { Mutation, WatchSink } from '../../daemon/service/api.ts';
import type { AgentLink, AuditFile, Offer, Passwords } from '../../daemon/service/ports.ts';
import { createServices, type MasterServices } from '../../daemon/service/services.ts';
import { createArchive } from '../../daemon/store/archive.ts';
import { openAuditFile } from '../../daemon/store/audit-file.ts';
import { createCrashDisk } from '../../daemon/store/crash-disk.ts';
import { createMemoryStore, type MemoryStore } from '../../daemon/store/memory-store.ts';
import type { AgentHello, ConfigStatusReport } from '../../proto/vocab/agent-link.ts';
import type { CommandResult } from '../../proto/vocab/command.ts';
import type { ConfigHash, NodeName } from '../../proto/vocab/ids.ts';
import type { Node, NodeType } from '../../proto/vocab/node.ts';
import type { WatchEvent } from '../../proto/vocab/watch.ts';
import { EMPTY_FLEET, fleetReducer } from '../../tui/store/fleet.ts';
import { fakeEngine } from '../fakes/console-master.ts';
import { hello as anyHello, memoryLog, realRandom } from '../fakes/services.ts';
import { memoryVault } from '../fakes/vault.ts';

export const BEGAN = Date.UTC(2026, 10, 24, 3, 0, 0);
export const HEARTBEAT_MS = 10_000;
/** Everything a test's documents need. */
const CARRIES = [
  'listener.tcp',
  'listener.tls',
  'handler.tcp',
  'handler.relay',
  'connector.relay',
  'dialer.tls',
  'sealed',
];

/** argon2id as it is, of no strength. */
const QUICK_PASSWORDS = { memory: 64, passes: 1, atOnce: 2, mostWaiting: 64 };

export const edgeDocument = (port: number | string): string => `\
services:
- name: chat
  addr: "127.0.0.1:${port}"
  handler: {type: tcp}
  listener: {type: tcp}
  forwarder: {nodes: [{name: o, addr: "127.0.0.1:9"}]}
`;

/** What was said down the link, in order. */
export type Said =
  | { readonly kind: 'offer'; readonly node: string; readonly offer: Offer }
  | { readonly kind: 'command'; readonly node: string; readonly id: string }
  | { readonly kind: 'cancel'; readonly node: string; readonly id: string }
  | { readonly kind: 'follow' | 'unfollow'; readonly node: string; readonly id: string }
  | { readonly kind: 'interval'; readonly node: string; readonly ms: number }
  | { readonly kind: 'end'; readonly node: string; readonly reason: string };

/** The master's services over a memory store, a clock that is set by hand and a link that remembers. */
export class MemoryMaster {
  now: number;
  readonly store: MemoryStore;
  readonly said: Said[] = [];
  readonly log = memoryLog();
  readonly services: MasterServices;
  readonly vault = memoryVault();
  /** How often somebody who had much to do let others have their turn. */
  turns = 0;
  private readonly here = new Set<string>();
  private serial = 0;
  /** Ids of a master that begins anew are others. */
  private readonly began: number;

  private constructor(store: MemoryStore, now: number, audit: AuditFile, passwords: Passwords) {
    this.now = now;
    this.began = store.snapshot().revision;
    this.store = store;
    const link: AgentLink = {
      connected: (node) => this.here.has(node),
      offerConfig: (node, offer) => void this.said.push({ kind: 'offer', node, offer }),
      sendCommand: (node, { id }) => {
        if (this.here.has(node)) this.said.push({ kind: 'command', node, id });
      },
      cancelCommand: (node, id) => void this.said.push({ kind: 'cancel', node, id }),
      followLogs: (node, { id }) => void this.said.push({ kind: 'follow', node, id }),
      endFollow: (node, id) => void this.said.push({ kind: 'unfollow', node, id }),
      setReportInterval: (node, ms) => void this.said.push({ kind: 'interval', node, ms }),
      disconnect: (node, reason) => {
        this.said.push({ kind: 'end', node, reason });
        this.here.delete(node);
      },
    };
    const secretHash = (secret: string): string => createHash('sha256').update(secret).digest('hex');
    this.services = createServices(
      {
        context: 'test',
        masterVersion: '0.1.0',
        heartbeatMs: HEARTBEAT_MS,
        reportMs: HEARTBEAT_MS,
        nodeDownForMs: 60_000,
        rollout: { strategy: 'at-once', revert: 'at-once' },
        commandTimeoutMs: 30_000,
        accessMs: 15 * 60_000,
        advertise: () => 'master.test:50051',
      },
      {
        store,
        audit,
        ca: {
          pin: 'ab'.repeat(32),
          issueNode: async ({ now, ttlMs }) => {
            this.serial += 1;
            return { chainDer: [], serial: `${this.serial}`, notAfter: now + ttlMs };
          },
        },
        mint: {
          make: (pin) => {
            const id = this.id();
            return { id, secretHash: secretHash(`s-${id}`), text: `ct1.${pin}.${id}.s-${id}` };
          },
          matches: (secret, hash) => secretHash(secret) === hash,
        },
        link,
        vault: this.vault,
        archive: createArchive({ store: '/nowhere', state: '/nowhere' }, 'memory', realRandom, {
          disk: createCrashDisk(),
        }),
        passwords,
        tokens: createAccessTokens({ secret: 'of this test, as long as it must be' }),
        // The real one: what tests let it dial is on this machine.
        dialler: createDialler({ allow: ['127.0.0.0/8'] }),
        rings: createRings(),
        clock: { now: () => this.now },
        turns: {
          next: () => {
            this.turns += 1;
            return new Promise((next) => setImmediate(next));
          },
        },
        random: realRandom,
        log: this.log,
      },
    );
  }

  /** @param audit where its audit log lies; a new one when not given */
  static async start(
    store = createMemoryStore(),
    now = BEGAN,
    audit?: AuditFile,
    passwords = createPasswords(QUICK_PASSWORDS, { random: realRandom }),
  ): Promise<MemoryMaster> {
    const file = audit ?? (await openAuditFile({ dir: '/audit' }, { disk: createCrashDisk() }));
    const master = new MemoryMaster(store, now, file, passwords);
    await master.services.start();
    return master;
  }

  id(): string {
    this.serial += 1;
    return `${this.began}x${this.serial}`;
  }

  m(over: Partial<Mutation> = {}): Mutation {
    const caller = { actor: 'lin(1000)', role: 'admin', source: 'unix' } as const;
    return { caller, requestId: this.id(), reason: 'test', ifRevision: null, ...over };
  }

  async token(
    over: { name?: string; ttlMs?: number; replace?: boolean; nodeType?: NodeType; region?: string } = {},
  ): Promise<{ tokenId: string; tokenSecret: string }> {
    const { token } = await this.services.enrolment.createToken(this.m(), {
      nodeType: over.nodeType ?? 'edge',
      region: over.region ?? 'hk',
      name: over.name ?? null,
      ttlMs: over.ttlMs ?? null,
      replace: over.replace ?? false,
    });
    const [, , tokenId = '', tokenSecret = ''] = token.split('.');
    return { tokenId, tokenSecret };
  }

  async enrol(
    name: string,
    labels: Record<string, string> = {},
    { nodeType = 'edge', region = 'hk' }: { nodeType?: NodeType; region?: string } = {},
  ): Promise<NodeName> {
    const token = await this.token({ nodeType, region });
    const args = { ...token, csrDer: new Uint8Array(), nodeType, region };
    await this.services.enrolment.enrol({ ...args, name, labels, agentVersion: '0.1.0', remote: 't' });
    return name as NodeName;
  }

  /** It says hello, with the labels it joined with. */
  async connect(name: string, over: Partial<AgentHello> = {}): Promise<void> {
    this.here.add(name);
    const { labels } = this.node(name);
    const hello = { ...anyHello, labels, capabilities: CARRIES, ...over };
    this.services.agents.connected(name as NodeName, hello, '198.51.100.7:40000');
    await this.services.settled();
  }

  async disconnect(name: string): Promise<void> {
    this.here.delete(name);
    this.services.agents.disconnected(name as NodeName, 'the connection is gone');
    await this.services.settled();
  }

  async join(
    name: string,
    labels: Record<string, string> = {},
    of: { nodeType?: NodeType; region?: string } = {},
  ): Promise<void> {
    await this.enrol(name, labels, of);
    await this.connect(name);
  }

  /** @param ahead how far its clock is */
  heartbeat(name: string, ahead = 0): void {
    this.services.agents.heartbeat(name as NodeName, 'ok', null, this.now + ahead);
  }

  node(name: string): Node {
    const found = this.store.snapshot().get('node', name);
    if (!found) throw new Error(`no node ${name}`);
    return found;
  }

  async create(label: string, body: string): Promise<void> {
    const args = { label, description: '', body: Buffer.from(body), parent: null };
    await this.services.configs.create(this.m(), args);
  }

  async publish(label: string, target = {}): Promise<readonly string[]> {
    return (await this.services.configs.publish(this.m(), { label, target, dryRun: false })).nodes;
  }

  offers(name: string): Offer[] {
    return this.said.flatMap((s) => (s.kind === 'offer' && s.node === name ? [s.offer] : []));
  }

  commands(name: string): string[] {
    return this.said.flatMap((s) => (s.kind === 'command' && s.node === name ? [s.id] : []));
  }

  async ack(name: string, hash: ConfigHash): Promise<void> {
    const engine = fakeEngine({ documentHash: hash });
    await this.status(name, { status: 'applied', nonce: '01', effectiveHash: hash, engine, warnings: [] });
  }

  /** Whoever has an offer out applies it. */
  async ackAll(): Promise<void> {
    for (const { name, configSync } of this.store.snapshot().list('node')) {
      const offer = this.offers(name).at(-1);
      if (configSync === 'applying' && offer) await this.ack(name, offer.hash);
    }
  }

  async nack(name: string, rejectedHash: ConfigHash): Promise<void> {
    const effectiveHash = this.node(name).effective?.hash ?? null;
    await this.status(name, {
      status: 'failed',
      phase: 'prepare',
      nonce: '01',
      rejectedHash,
      effectiveHash,
      engine: null,
      warnings: [],
      reverted: false,
      refusal: { code: 'invalid', message: 'port in use\u001b[31m' },
      logTail: '',
    });
  }

  async status(name: string, report: ConfigStatusReport): Promise<void> {
    this.services.agents.configStatus(name as NodeName, report);
    await this.services.settled();
  }

  async result(name: string, result: CommandResult): Promise<void> {
    this.services.agents.commandStatus(name as NodeName, result);
    await this.services.settled();
  }

  /** Seconds pass, with a tick each; `alive` nodes send their heartbeats. */
  async pass(seconds: number, alive: readonly string[] = []): Promise<void> {
    for (let i = 0; i < seconds; i++) {
      this.now += 1000;
      for (const name of alive) this.heartbeat(name);
      this.services.tick();
      await this.services.settled();
    }
  }

  watch(
    sink: WatchSink,
    since: { sinceRevision: number | null; storeId: string | null } = { sinceRevision: null, storeId: null },
  ): ReturnType<MasterServices['watch']['subscribe']> {
    return this.services.watch.subscribe(this.m().caller, { ...since, client: 'test' }, sink);
  }
}

/** A console's memory: the console's own reducer behind a sink that can be full. */
export class Console implements WatchSink {
  readonly events: WatchEvent[] = [];
  state = EMPTY_FLEET;
  ended: string | null = null;
  /** Events taken before it says that it is full. */
  room = Number.POSITIVE_INFINITY;

  send(event: WatchEvent): boolean {
    this.events.push(event);
    this.state = fleetReducer(this.state, event, 0);
    this.room -= 1;
    return this.room > 0;
  }

  end(reason: string): void {
    this.ended = reason;
  }

  kinds(): string[] {
    return this.events.map((e) => e.kind);
  }

  facts(): Record<string, Record<string, unknown>> {
    return Object.fromEntries(
      Object.entries(this.state.facts).map(([kind, all]) => [
        kind,
        Object.fromEntries([...(all as ReadonlyMap<string, unknown>)].sort(([a], [b]) => (a < b ? -1 : 1))),
      ]),
    );
  }
}
