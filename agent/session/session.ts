import { openAgentStream } from '../../proto/link/dial.ts';
import { saidWith } from '../../proto/link/offer-body.ts';
import { type AttemptHooks, type LinkState, type Resumable, resumable } from '../../proto/link/resumable.ts';
import { systemTimers, type Timers } from '../../proto/link/timers.ts';
import type { LinkCredentials } from '../../proto/link/tls.ts';
import {
  type AgentDown,
  type AgentUp,
  type ConfigStatusReport,
  type DownEnvelope,
  type FollowedLines,
  LINK_PROTOCOL,
} from '../../proto/vocab/agent-link.ts';
import { type CommandResult, isSettled } from '../../proto/vocab/command.ts';
import { AppError } from '../../proto/vocab/errors.ts';
import type { Millis } from '../../proto/vocab/ids.ts';
import { safeText } from '../../proto/vocab/safe-text.ts';
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
import { Conversation } from './conversation.ts';
import type { NodeEvent, SessionNeeds, SessionSettings } from './ports.ts';
import { Renewal } from './renewal.ts';

/** How long a heartbeat waits for the report that goes with it. */
const MOST_APART_MS = 200;

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
  readonly #renewal: Renewal;

  constructor(settings: SessionSettings, needs: SessionNeeds) {
    this.#settings = settings;
    this.#needs = needs;
    this.#timers = needs.timers ?? systemTimers;
    this.#renewal = new Renewal({
      current: needs.identity.current,
      renewed: needs.identity.renewed,
      now: () => this.masterNow(),
      random: needs.random,
      log: needs.log,
    });
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

  /** False: the link cannot take them now. */
  logLines(lines: FollowedLines): boolean {
    const c = this.#now;
    if (!c?.greeted || !c.writable) return false;
    this.#send({ kind: 'log_lines', ...lines });
    return true;
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
      both: () => this.#both(),
    });
    const open = this.#needs.open ?? openAgentStream;
    const stream = open(address, credentials, {
      onMessage: (down) => {
        this.#hear(down, conversation, hooks).catch((e: unknown) => {
          this.#needs.log.error('message not taken', { kind: down.body.kind, error: String(e) });
        });
      },
      onDrain: () => {
        conversation.writable = true;
        this.#flush();
        if (conversation.writable) this.#needs.orders.writable();
      },
      onClosed: (error) => {
        conversation.end();
        if (this.#now === conversation) this.#now = null;
        // The master closes at once where only a renewal was allowed, maybe before it is on our disk.
        void this.#renewal.settled().then(() => hooks.closed(error, conversation.stayAwayMs()));
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
        const { hash, version, revision, commit, sealed, retry } = body;
        const text = Buffer.from(body.body).toString('utf8');
        return orders.offer({
          nonce,
          storeId: c.storeId,
          hash,
          version,
          revision,
          text,
          commit,
          sealed,
          retry,
        });
      }
      case 'commit_confirm':
        return orders.commitConfirmed(body.id);
      case 'commit_cancel':
        return orders.commitCancelled(body.id);
      case 'command':
        return orders.command(body);
      case 'cancel_command':
        return orders.cancel(body.id);
      case 'follow_logs':
        return orders.followLogs(body);
      case 'end_follow':
        return orders.endFollow(body.followId);
      case 'offers':
        c.pace(body.heartbeatMs, body.reportMs);
        if (body.chainDer && (await this.#renewal.answered(body.chainDer))) {
          c.redial?.('renewed: connecting with the new certificate');
        }
        return;
      case 'report_full_state':
        return this.#hello(c);
      case 'unavailable': {
        const reason = safeText(body.reason, { max: 500 });
        log.warn('the master asks to come back later', { reason, inMs: body.retryAfterMs });
        if (this.#renewal.asked && reason.startsWith('renewal')) this.#renewal.dropped(body.retryAfterMs);
        else c.awayFor(body.retryAfterMs);
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
    this.#renewal.dropped(null);
    node.metricsFromNow();
    hooks.opened();
    const { expired } = this.#renewal;
    await this.#hello(c);
    await this.#renewIfDue();
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
      capabilities: saidWith(said.capabilities),
      agentVersion: this.#settings.agentVersion,
      protocol: LINK_PROTOCOL,
      labels: this.#settings.labels,
      ledgerOpen: open.slice(0, 32).map((o) => o.result),
    });
    for (const { key } of open.slice(0, 32)) this.#outbox = sent(this.#outbox, key, this.#timers.now());
  }

  /**
   * In one go: they share a packet, and reading one is most of what either costs a master with thousands of agents. A
   * report that takes its time does not hold the heartbeat up.
   */
  async #both(): Promise<void> {
    const reported = this.#report().catch(() => undefined);
    let cancel = (): void => {};
    const late = new Promise<void>((done) => {
      cancel = this.#timers.after(MOST_APART_MS, done);
    });
    await Promise.race([reported, late]);
    cancel();
    await this.#beat();
  }

  async #beat(): Promise<void> {
    const c = this.#now;
    if (!c?.greeted) return;
    const beat = await this.#needs.node.heartbeat();
    if (this.#now !== c || !c.writable) return;
    this.#send({ kind: 'heartbeat', sentAt: this.#timers.now(), ...beat });
    this.#settle();
    await this.#stand(c);
    await this.#renewIfDue();
  }

  /** Said in each conversation, and again whenever it is another. */
  async #stand(c: Conversation): Promise<void> {
    const standing = await this.#needs.node.standing();
    const said = JSON.stringify(standing);
    if (this.#now !== c || !c.writable || said === c.stood) return;
    c.stood = said;
    this.#send({ kind: 'standing', standing });
  }

  async #report(): Promise<void> {
    const c = this.#now;
    if (!c?.greeted || !c.writable) return;
    const report = await this.#needs.node.metrics();
    if (report && this.#now === c) this.#send({ kind: 'metrics', report });
  }

  async #renewIfDue(): Promise<void> {
    if (this.#renewal.due) this.#send({ kind: 'renew', csrDer: await this.#renewal.ask() });
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
      const reason = safeText(state.reason.replace(/\.? Resolution note: *$/, ''), { max: 500 });
      const fields: Record<string, unknown> = {
        reason,
        code: state.code,
        inMs: state.until - this.#timers.now(),
      };
      if (state.code === 'unauthenticated') {
        fields['hint'] =
          'if this does not pass: `aicdn-agent join --force` with a new token, then restart the agent';
      }
      // The same trouble is said once.
      if (reason === this.#said) log.debug('not connected to the master', fields);
      else log.warn('not connected to the master; streams go on', fields);
      this.#said = reason;
    }
  }
}
