import type { ServerDuplexStream } from '@grpc/grpc-js';
import { type ConnectRequest, ConnectResponse } from '../../../proto/gen/aicdn/v1/agent.ts';
import { decodeUp, encodeDown } from '../../../proto/link/codec-agent.ts';
import { toStatus } from '../../../proto/link/error-map.ts';
import type { AgentDown, AgentUp, ConfigStatusReport } from '../../../proto/vocab/agent-link.ts';
import { AppError } from '../../../proto/vocab/errors.ts';
import type { NodeName } from '../../../proto/vocab/ids.ts';
import { VERSION } from '../../../proto/vocab/version.ts';
import type { AgentEvents, EnrolmentService } from '../../service/api.ts';
import type { Clock, Log, Random } from '../../service/ports.ts';

export type AgentCall = ServerDuplexStream<ConnectRequest, ConnectResponse | Buffer>;

export interface SessionSettings {
  readonly storeId: string;
  /** Commit confirmed: how long an agent waits for our word before it puts the old config back. */
  readonly rollbackMs: number;
  readonly helloMs: number;
  readonly reportMs: number;
}

export interface SessionNeeds {
  readonly name: NodeName;
  readonly remote: string;
  /** Its certificate is expired: it may renew and nothing else. */
  readonly renewOnly: boolean;
  readonly call: AgentCall;
  readonly events: AgentEvents;
  readonly enrolment: Pick<EnrolmentService, 'renew'>;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
  readonly heartbeatMs: () => number;
  /** The first hello: takes the node's place in the registry, before the services hear of it. */
  readonly live: (session: AgentSession) => void;
  /** Once, when it is over, after the services heard of it. */
  readonly over: (session: AgentSession) => void;
}

type State = 'greeting' | 'live' | 'over';
/** What waits for a slow agent, but configs: more than this and it starts anew. */
const MOST_WAITING = 256;

/** One agent's conversation. What it says reaches the services in the order of the stream. */
export class AgentSession {
  readonly name: NodeName;
  readonly remote: string;
  private readonly settings: SessionSettings;
  private readonly needs: SessionNeeds;
  private state: State = 'greeting';
  private expected: bigint | null = null;
  private instance: string | null = null;
  private writable = true;
  private waiting: AgentDown[] = [];
  /** Latest wins: a config nobody has sent yet is worth nothing once there is a newer one. */
  private config: (AgentDown & { kind: 'remote_config' }) | null = null;
  /** Of the config sent last, and whether our word on it has gone out. */
  private offered: { readonly nonce: string; readonly commit: string; confirmed: boolean } | null = null;
  private readonly replaced = new Set<string>();
  private oddities = 0;
  private readonly helloTimer: NodeJS.Timeout;

  constructor(settings: SessionSettings, needs: SessionNeeds) {
    this.settings = settings;
    this.needs = needs;
    this.name = needs.name;
    this.remote = needs.remote;
    const { call } = needs;
    call.on('data', (m: ConnectRequest) => this.receive(m));
    call.on('drain', () => {
      this.writable = true;
      this.flush();
    });
    call.on('end', () => this.finish('the agent ended the stream'));
    call.on('cancelled', () => this.finish('the connection is gone'));
    call.on('error', (error: Error) => this.finish(error.message));
    this.helloTimer = setTimeout(
      () => this.end(new AppError('timeout', 'no hello within the deadline')),
      settings.helloMs,
    );
    this.send({
      kind: 'welcome',
      node: needs.name,
      masterVersion: VERSION,
      now: needs.clock.now(),
      storeId: settings.storeId,
    });
  }

  /** Never waits. */
  send(body: AgentDown): void {
    if (this.state === 'over') return;
    if (body.kind === 'remote_config') this.config = body;
    else this.waiting.push(body);
    this.flush();
    if (this.waiting.length > MOST_WAITING) {
      this.end(new AppError('unavailable', 'reads too slowly; connect again'));
    }
  }

  /** live | greeting -> over, said to the agent as a status. */
  end(error: AppError): void {
    if (this.state === 'over') return;
    const { call } = this.needs;
    this.finish(error.message);
    call.emit('error', Object.assign(new Error(error.message), toStatus(error)));
  }

  /** live | greeting -> over, with a time to come back. */
  dismiss(reason: string, retryAfterMs: number): void {
    if (this.state === 'over') return;
    this.send({ kind: 'unavailable', reason, retryAfterMs });
    this.finish(reason);
    this.needs.call.end();
  }

  private receive(m: ConnectRequest): void {
    if (this.state === 'over') return;
    const gap = this.expected !== null && m.sequenceNum !== this.expected;
    const first = this.expected === null;
    this.expected = m.sequenceNum + 1n;
    let body: AgentUp;
    let instance: string;
    try {
      const up = decodeUp(m);
      body = up.body;
      instance = up.instanceUid;
    } catch (error) {
      this.odd(error);
      return;
    }
    this.instance ??= instance;
    if (instance !== this.instance) {
      this.spoofed('instance_uid changed within one stream');
      return;
    }
    if (gap && !first && body.kind !== 'hello') {
      this.needs.log.info('messages missing, asking for full state', { node: this.name });
      this.send({ kind: 'report_full_state' });
    }
    try {
      this.hear(body);
    } catch (error) {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.needs.log.error('message not taken', { node: this.name, kind: body.kind, error: text });
      this.end(new AppError('internal', text));
    }
  }

  private hear(body: AgentUp): void {
    const { events, name } = this.needs;
    if (body.kind === 'renew') {
      void this.renew(body.csrDer);
      return;
    }
    if (this.needs.renewOnly) {
      // Hello comes before renew in every agent; it is not an entry here.
      if (body.kind !== 'hello') {
        this.end(new AppError('unauthenticated', 'the certificate is expired: renew comes first'));
      }
      return;
    }
    if (body.kind === 'hello') {
      const claimed = body.labels['node'];
      if (claimed !== undefined && claimed !== name) {
        this.spoofed(`hello says node ${claimed}`);
        return;
      }
      this.greeted();
      events.connected(name, body, this.remote);
      return;
    }
    if (this.state === 'greeting') {
      this.end(new AppError('precondition', 'hello comes first'));
      return;
    }
    switch (body.kind) {
      case 'heartbeat':
        events.heartbeat(name, body.health, body.engine);
        break;
      case 'config_status':
        this.configStatus(body.report);
        break;
      case 'command_status':
        events.commandStatus(name, body.result);
        break;
      case 'standing':
        events.standing(name, body.standing);
        break;
      case 'log_lines':
        events.logLines(name, body);
        break;
      case 'metrics':
        events.metrics(name, body.report);
        break;
      case 'events':
        events.events(name, body.events);
        break;
    }
  }

  // greeting -> live
  private greeted(): void {
    if (this.state !== 'greeting') return;
    clearTimeout(this.helloTimer);
    this.state = 'live';
    this.needs.live(this);
    this.needs.log.info('agent connected', { node: this.name, address: this.remote });
    this.send({
      kind: 'offers',
      heartbeatMs: this.needs.heartbeatMs(),
      reportMs: this.settings.reportMs,
      chainDer: null,
    });
  }

  /**
   * A status of an offer that a newer one has replaced says nothing any more and is passed over [xDS]. One of an
   * earlier conversation still counts once it is settled: it names its own hash. An empty nonce is the agent's own word.
   * Ours on a commit goes out as soon as the agent has shown, after the switch, that it still reaches us.
   */
  private configStatus(report: ConfigStatusReport): void {
    const offered = this.offered;
    if (report.nonce !== '' && report.nonce !== offered?.nonce) {
      if (this.replaced.has(report.nonce) || report.status === 'applying') return;
    }
    const reached =
      report.status === 'applied' || (report.status === 'applying' && report.phase === 'confirm');
    if (offered && report.nonce === offered.nonce && reached && !offered.confirmed) {
      offered.confirmed = true;
      this.send({ kind: 'commit_confirm', id: offered.commit });
    }
    this.needs.events.configStatus(this.name, report);
  }

  private async renew(csrDer: Uint8Array): Promise<void> {
    try {
      const issued = await this.needs.enrolment.renew(this.name, csrDer);
      this.send({ kind: 'offers', heartbeatMs: null, reportMs: null, chainDer: issued.chainDer });
      if (this.needs.renewOnly) this.dismiss('renewed: connect again with the new certificate', 0);
    } catch (error) {
      const fault = error instanceof AppError ? error : new AppError('internal', String(error));
      this.needs.log.warn('renewal refused', { node: this.name, error: fault.message });
      if (this.needs.renewOnly) this.end(fault);
      else this.send({ kind: 'unavailable', reason: `renewal: ${fault.message}`, retryAfterMs: 60_000 });
    }
  }

  private flush(): void {
    while (this.writable && this.state !== 'over') {
      const body = this.waiting.shift() ?? this.takeConfig();
      if (!body) return;
      this.write(body);
    }
  }

  private takeConfig(): AgentDown | null {
    const config = this.config;
    this.config = null;
    if (!config) return null;
    const id = this.needs.random.hex(8);
    const rollbackMs = config.commit?.rollbackMs ?? this.settings.rollbackMs;
    return { ...config, commit: { id, rollbackMs } };
  }

  private write(body: AgentDown): void {
    const nonce = this.needs.random.hex(8);
    if (body.kind === 'remote_config') {
      if (this.offered) this.replaced.add(this.offered.nonce);
      this.offered = { nonce, commit: body.commit?.id ?? '', confirmed: false };
    }
    const message = ConnectResponse.encode(encodeDown({ nonce, leaderEpoch: 1, body })).finish();
    this.writable = this.needs.call.write(Buffer.from(message));
  }

  private spoofed(what: string): void {
    this.needs.log.warn('an agent says it is somebody else', { node: this.name, address: this.remote, what });
    this.end(new AppError('forbidden', `the certificate is of ${this.name}: ${what}`));
  }

  /** A newer agent's message is passed over; one that makes no sense as well, once there was a hello. */
  private odd(error: unknown): void {
    const fault = error instanceof AppError ? error : new AppError('internal', String(error));
    this.oddities += 1;
    if (this.oddities === 1 || this.oddities % 1000 === 0) {
      this.needs.log.warn('message passed over', {
        node: this.name,
        address: this.remote,
        error: fault.message,
        count: this.oddities,
      });
    }
    if (this.state === 'greeting' && fault.code !== 'unsupported') this.end(fault);
  }

  // any -> over
  private finish(reason: string): void {
    if (this.state === 'over') return;
    const wasLive = this.state === 'live';
    this.state = 'over';
    clearTimeout(this.helloTimer);
    this.waiting = [];
    this.config = null;
    if (wasLive) {
      this.needs.log.info('agent gone', { node: this.name, address: this.remote, reason });
      this.needs.events.disconnected(this.name, reason);
    }
    this.needs.over(this);
  }
}
