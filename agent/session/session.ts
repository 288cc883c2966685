import { openAgentStream } from '../../proto/link/dial.ts';
import { type AttemptHooks, type LinkState, type Resumable, resumable } from '../../proto/link/resumable.ts';
import { systemTimers, type Timers } from '../../proto/link/timers.ts';
import type { LinkCredentials } from '../../proto/link/tls.ts';
import {
  type AgentDown,
  type AgentHello,
  type AgentUp,
  type ConfigStatusReport,
  type DownEnvelope,
  LINK_PROTOCOL,
} from '../../proto/vocab/agent-link.ts';
import { type CommandResult, isSettled } from '../../proto/vocab/command.ts';
import { AppError } from '../../proto/vocab/errors.ts';
import type { CommandId, Millis, NodeName } from '../../proto/vocab/ids.ts';
import type { MetricsReport } from '../../proto/vocab/metrics.ts';
import { safeText } from '../../proto/vocab/safe-text.ts';
import type { Log } from '../core/log.ts';
import {
  counted,
  EMPTY_OUTBOX,
  type Outbox,
  put,
  reopened,
  sent,
  settle,
  type Told,
  unsent,
} from '../core/outbox.ts';
import type { Offer } from '../core/steps.ts';
import { Conversation } from './conversation.ts';
import { issued, newKey, renewAt } from './csr.ts';

type Heartbeat = Omit<Extract<AgentUp, { kind: 'heartbeat' }>, 'kind' | 'sentAt'>;
export type NodeEvent = Extract<AgentUp, { kind: 'events' }>['events'][number];

export interface SessionSettings {
  /** `host:port`, tried in turn. */
  readonly addresses: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly agentVersion: string;
  /** Hex, 16 bytes, one a start of the agent. */
  readonly instanceUid: string;
}

/** Who this node is to the master; replaced by each renewal. */
export interface SessionIdentity {
  readonly node: NodeName;
  readonly keyPem: string;
  readonly certificatePem: string;
  readonly caPem: string;
  readonly notBefore: Millis;
  readonly notAfter: Millis;
}

export interface SessionNeeds {
  /** What it says of the node. */
  readonly node: {
    hello(): Promise<
      Pick<
        AgentHello,
        'engine' | 'capabilities' | 'effectiveHash' | 'rejectedHash' | 'publicAddresses' | 'logTail'
      >
    >;
    heartbeat(): Promise<Heartbeat>;
    /** Deltas since the last one; `null`: nothing to say. */
    metrics(): Promise<MetricsReport | null>;
    /** A new conversation: figures begin anew, a gap stays a gap. */
    metricsFromNow(): void;
  };
  readonly identity: {
    current(): SessionIdentity;
    /** Durable when it settles, and in use by the engine. */
    renewed(pem: Pick<SessionIdentity, 'keyPem' | 'certificatePem' | 'caPem'>): Promise<void>;
  };
  /** What the master wants. */
  readonly orders: {
    reached(): void;
    offer(offer: Offer): void;
    commitConfirmed(id: string): void;
    commitCancelled(id: string): void;
    command(c: Extract<AgentDown, { kind: 'command' }>): void;
  };
  /** What the master has heard need not be told after a restart. */
  readonly told: { command(id: CommandId): void; event(event: NodeEvent): void };
  readonly onOpen?: () => void;
  readonly log: Log;
  readonly random: () => number;
  readonly timers?: Timers;
}

const RENEW_RETRY_MS = 60_000;

/** The conversation with the master, kept up: whatever ends one, the next one follows. */
export class Session {
  readonly #settings: SessionSettings;
  readonly #needs: SessionNeeds;
  readonly #timers: Timers;
  #link: Resumable | null = null;
  #outbox: Outbox = EMPTY_OUTBOX;
  #now: Conversation | null = null;
  #attempts = 0;
  #clockOffset = 0;
  #said = '';
  #renewal: { readonly keyPem: string } | null = null;
  #renewFrom: Millis;

  constructor(settings: SessionSettings, needs: SessionNeeds) {
    this.#settings = settings;
    this.#needs = needs;
    this.#timers = needs.timers ?? systemTimers;
    this.#renewFrom = renewAt(needs.identity.current(), needs.random());
  }

  start(): void {
    this.#link = resumable(
      {},
      {
        open: (hooks) => this.#open(hooks),
        onState: (state) => this.#onState(state),
        timers: this.#timers,
        random: this.#needs.random,
      },
    );
  }

  get open(): boolean {
    return this.#link?.state().kind === 'open';
  }

  /** The master's clock, as far as it is known. */
  masterNow(): Millis {
    return this.#timers.now() + this.#clockOffset;
  }

  status(report: ConfigStatusReport): void {
    const nonce = this.#now?.knows(report.nonce) ? report.nonce : '';
    const message = { kind: 'config_status', report: { ...report, nonce } } as const;
    // What is under way is said once; how it ended, until it has been heard.
    if (report.status === 'applying') this.#send(message);
    else this.#tell('config', message);
  }

  result(result: CommandResult): void {
    const message = { kind: 'command_status', result } as const;
    if (!isSettled(result.state)) return void this.#send(message);
    void this.#beat().then(() => this.#tell(`command ${result.commandId}`, message));
  }

  event(event: NodeEvent): void {
    this.#tell(`event ${event.at} ${event.kind} ${event.text}`, { kind: 'events', events: [event] });
  }

  /** Says that the agent goes; the node goes on. */
  async stop(reason: string): Promise<void> {
    if (this.open) {
      const events = [{ at: this.#timers.now(), kind: 'agent', text: reason }];
      this.#send({ kind: 'events', events });
      // A cancelled call drops what it has not written yet.
      await new Promise<void>((resolve) => this.#timers.after(100, resolve));
    }
    this.#link?.stop();
    this.#now?.end();
    this.#now = null;
  }

  #open(hooks: AttemptHooks): { close(): void } {
    const { addresses } = this.#settings;
    const address = addresses[this.#attempts++ % addresses.length] ?? '';
    const identity = this.#needs.identity.current();
    const credentials: LinkCredentials = { caPem: identity.caPem, identity };
    const conversation: Conversation = new Conversation({
      timers: this.#timers,
      beat: () => this.#beat(),
      report: () => this.#report(),
    });
    const stream = openAgentStream(address, credentials, {
      onMessage: (down) => {
        this.#hear(down, conversation, hooks).catch((e: unknown) => {
          this.#needs.log.error('message not taken', { kind: down.body.kind, error: String(e) });
        });
      },
      onDrain: () => {
        conversation.writable = true;
        this.#flush();
      },
      onClosed: (error) => {
        conversation.end();
        if (this.#now === conversation) this.#now = null;
        hooks.closed(error, conversation.stayAwayMs());
      },
    });
    conversation.stream = stream;
    conversation.redial = (why) => {
      stream.close();
      conversation.end();
      if (this.#now === conversation) this.#now = null;
      hooks.closed(new AppError('unavailable', why));
    };
    return {
      close: () => {
        stream.close();
        conversation.end();
        if (this.#now === conversation) this.#now = null;
      },
    };
  }

  async #hear({ nonce, body }: DownEnvelope, c: Conversation, hooks: AttemptHooks): Promise<void> {
    const { orders, log } = this.#needs;
    switch (body.kind) {
      case 'welcome':
        return this.#welcomed(body, c, hooks);
      case 'remote_config': {
        c.offered(nonce);
        const { hash, version, revision, commit } = body;
        const text = Buffer.from(body.body).toString('utf8');
        return orders.offer({ nonce, storeId: c.storeId, hash, version, revision, text, commit });
      }
      case 'commit_confirm':
        return orders.commitConfirmed(body.id);
      case 'commit_cancel':
        return orders.commitCancelled(body.id);
      case 'command':
        return orders.command(body);
      case 'offers':
        c.pace(body.heartbeatMs, body.reportMs);
        if (body.chainDer) await this.#renewed(body.chainDer, c);
        return;
      case 'report_full_state':
        return this.#hello(c);
      case 'unavailable': {
        const reason = safeText(body.reason, { max: 500 });
        log.warn('the master asks to come back later', { reason, inMs: body.retryAfterMs });
        if (this.#renewal && reason.startsWith('renewal')) {
          this.#renewal = null;
          this.#renewFrom = this.#timers.now() + Math.max(1000, body.retryAfterMs);
        } else c.awayFor(body.retryAfterMs);
      }
    }
  }

  // connecting -> open
  async #welcomed(
    w: Extract<AgentDown, { kind: 'welcome' }>,
    c: Conversation,
    hooks: AttemptHooks,
  ): Promise<void> {
    const { identity, node, orders, log, onOpen } = this.#needs;
    const mine = identity.current();
    if (w.node !== mine.node) {
      log.error('the master calls this node by another name', { name: safeText(w.node), own: mine.node });
    }
    c.storeId = w.storeId;
    this.#clockOffset = w.now - this.#timers.now();
    this.#now = c;
    this.#outbox = reopened(this.#outbox);
    this.#renewal = null;
    node.metricsFromNow();
    hooks.opened();
    // Its certificate is over: such a node may renew and nothing else.
    const expired = this.masterNow() >= mine.notAfter;
    await this.#hello(c);
    if (expired || this.masterNow() >= this.#renewFrom) await this.#renew();
    if (expired) return;
    c.greeted = true;
    orders.reached();
    await this.#beat();
    this.#flush();
    onOpen?.();
  }

  async #hello(c: Conversation): Promise<void> {
    const said = await this.#needs.node.hello();
    if (this.#now !== c) return;
    const open = unsent(this.#outbox).flatMap((e) =>
      e.message.kind === 'command_status' ? [{ key: e.key, result: e.message.result }] : [],
    );
    this.#send({
      kind: 'hello',
      ...said,
      agentVersion: this.#settings.agentVersion,
      protocol: LINK_PROTOCOL,
      labels: this.#settings.labels,
      ledgerOpen: open.slice(0, 32).map((o) => o.result),
    });
    for (const { key } of open.slice(0, 32)) this.#outbox = sent(this.#outbox, key, this.#timers.now());
  }

  async #beat(): Promise<void> {
    const c = this.#now;
    if (!c?.greeted) return;
    const beat = await this.#needs.node.heartbeat();
    if (this.#now !== c || !c.writable) return;
    this.#send({ kind: 'heartbeat', sentAt: this.#timers.now(), ...beat });
    this.#settle();
    if (!this.#renewal && this.masterNow() >= this.#renewFrom) await this.#renew();
  }

  async #report(): Promise<void> {
    const c = this.#now;
    if (!c?.greeted || !c.writable) return;
    const report = await this.#needs.node.metrics();
    if (report && this.#now === c) this.#send({ kind: 'metrics', report });
  }

  async #renew(): Promise<void> {
    const { node } = this.#needs.identity.current();
    this.#renewFrom = this.masterNow() + RENEW_RETRY_MS;
    const { keyPem, csrDer } = await newKey(node);
    this.#renewal = { keyPem };
    this.#needs.log.info('asking for a new certificate');
    this.#send({ kind: 'renew', csrDer });
  }

  async #renewed(chainDer: readonly Uint8Array[], c: Conversation): Promise<void> {
    const asked = this.#renewal;
    if (!asked) return;
    this.#renewal = null;
    const { identity, log, random } = this.#needs;
    try {
      await identity.renewed(issued(asked.keyPem, chainDer));
    } catch (e) {
      log.error('the new certificate is not kept', { error: e instanceof Error ? e.message : String(e) });
      return;
    }
    const { notAfter } = identity.current();
    this.#renewFrom = renewAt(identity.current(), random());
    log.info('certificate renewed', { notAfter: new Date(notAfter).toISOString() });
    c.redial?.('renewed: connecting with the new certificate');
  }

  #tell(key: string, message: Told): void {
    this.#outbox = put(this.#outbox, key, message);
    this.#flush();
  }

  #flush(): void {
    const c = this.#now;
    if (!c?.greeted) return;
    for (const entry of unsent(this.#outbox)) {
      if (!c.writable) return;
      this.#send(entry.message);
      this.#outbox = sent(this.#outbox, entry.key, this.#timers.now());
    }
  }

  #settle(): void {
    const before = this.#outbox.entries;
    const { outbox, settled } = settle(this.#outbox, this.#timers.now());
    this.#outbox = outbox;
    for (const { key, message } of before) {
      if (!settled.includes(key)) continue;
      if (message.kind === 'command_status') this.#needs.told.command(message.result.commandId);
      if (message.kind === 'events') for (const e of message.events) this.#needs.told.event(e);
    }
  }

  #send(body: AgentUp): void {
    const c = this.#now;
    if (!c?.stream) return;
    this.#outbox = counted(this.#outbox);
    const { instanceUid } = this.#settings;
    c.writable = c.stream.send({ instanceUid, sequence: this.#outbox.sequence, body });
  }

  #onState(state: LinkState): void {
    const { log } = this.#needs;
    if (state.kind === 'open') {
      this.#said = '';
      log.info('connected to the master');
    } else if (state.kind === 'waiting') {
      const reason = safeText(state.reason, { max: 500 });
      const fields = { reason, code: state.code, inMs: state.until - this.#timers.now() };
      // The same trouble is said once.
      if (reason === this.#said) log.debug('not connected to the master', fields);
      else log.warn('not connected to the master; streams go on', fields);
      this.#said = reason;
    }
  }
}
