import { OFFER_GZIP } from '../../../proto/link/offer-body.ts';
import type { Offered, OfferPacker } from '../../../proto/link/packed-offer.ts';
import { isRoutine, UpDecoder, type UpFrame } from '../../../proto/link/up-decoder.ts';
import type { AgentDown, AgentUp, ConfigStatusReport } from '../../../proto/vocab/agent-link.ts';
import { AppError } from '../../../proto/vocab/errors.ts';
import type { Millis, NodeName } from '../../../proto/vocab/ids.ts';
import { VERSION } from '../../../proto/vocab/version.ts';
import type { AgentEvents, EnrolmentService } from '../../service/api.ts';
import type { Clock, Log, Random } from '../../service/ports.ts';
import type { Due, FanOut } from './fan-out.ts';
import type { Intake, Taker } from './intake.ts';
import type { CallEvents, RpcCall } from './rpc-call.ts';

export interface SessionSettings {
  readonly storeId: string;
  /** Commit confirmed: how long an agent waits for our word before it puts the old config back. */
  readonly rollbackMs: number;
  readonly helloMs: number;
  /** As often as nodes report that nobody looks at; stretched for a large fleet. */
  readonly reportMs: number;
}

export interface SessionNeeds {
  readonly name: NodeName;
  readonly remote: string;
  /** Its certificate is expired: it may renew and nothing else. */
  readonly renewOnly: boolean;
  readonly call: RpcCall;
  readonly events: AgentEvents;
  readonly enrolment: Pick<EnrolmentService, 'renew'>;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
  /** Whose configs are sent when, and packed once for all of them. */
  readonly fanOut: Pick<FanOut, 'add' | 'remove'>;
  readonly packer: OfferPacker;
  /** Where heartbeats and reports of all wait for each other. */
  readonly intake: Pick<Intake, 'add' | 'flush'>;
  /** How often it is to be heard of, as large as the fleet is now. */
  readonly pace: () => Pace;
  /** The first hello: takes the node's place in the registry, before the services hear of it. */
  readonly live: (session: AgentSession) => void;
  /** Once, when it is over, after the services heard of it. */
  readonly over: (session: AgentSession) => void;
}

/** Milliseconds. */
export interface Pace {
  readonly heartbeatMs: number;
  readonly reportMs: number;
}

/** A fleet that has grown or shrunk by less is not worth a message to each. */
const OTHER_PACE = 0.2;

type State = 'greeting' | 'live' | 'over';
/** What waits for a slow agent, but configs: more than this and it starts anew. */
const MOST_WAITING = 256;

/** One agent's conversation. What it says reaches the services in the order of the stream. */
export class AgentSession implements CallEvents, Due, Taker {
  readonly name: NodeName;
  readonly remote: string;
  private readonly settings: SessionSettings;
  private readonly needs: SessionNeeds;
  private state: State = 'greeting';
  private readonly decoder = new UpDecoder();
  private expected: number | null = null;
  private instance: string | null = null;
  private writable = true;
  private waiting: AgentDown[] = [];
  /** Latest wins: a config nobody has sent yet is worth nothing once there is a newer one. */
  private config: Offered | null = null;
  /** Its turn has come, and the stream could not take it. */
  private configDue = false;
  /** Of the config sent last, and whether our word on it has gone out. */
  private offered: { readonly nonce: string; readonly commit: string; confirmed: boolean } | null = null;
  /** It says that a config's body may come in gzip's form. */
  private takesGzip = false;
  private pace: Pace = { heartbeatMs: 0, reportMs: 0 };
  /** Reports are asked for at another pace than the fleet's: somebody looks at it. */
  private lookedAt = false;
  private readonly replaced = new Set<string>();
  private oddities = 0;
  /** Of what it said, so much is in the intake. */
  private inIntake = 0;
  private readonly helloTimer: NodeJS.Timeout;

  constructor(settings: SessionSettings, needs: SessionNeeds) {
    this.settings = settings;
    this.needs = needs;
    this.name = needs.name;
    this.remote = needs.remote;
    const { call } = needs;
    call.listen(this);
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
    if (body.kind === 'remote_config') {
      this.config = body;
      this.needs.fanOut.add(this);
      return;
    }
    this.waiting.push(body);
    this.flush();
    if (this.waiting.length > MOST_WAITING) {
      this.end(new AppError('unavailable', 'reads too slowly; connect again'));
    }
  }

  /** Its turn among those that a config waits for. */
  serve(): void {
    this.configDue = this.config !== null;
    this.flush();
  }

  /** live | greeting -> over, said to the agent as a status. */
  end(error: AppError): void {
    if (this.state === 'over') return;
    this.finish(error.message);
    this.needs.call.fail(error);
  }

  /** live | greeting -> over, with a time to come back. */
  dismiss(reason: string, retryAfterMs: number): void {
    if (this.state === 'over') return;
    this.send({ kind: 'unavailable', reason, retryAfterMs });
    this.finish(reason);
    this.needs.call.end();
  }

  // CallEvents

  message(message: Buffer): void {
    const { intake, clock } = this.needs;
    if (this.state === 'live' && isRoutine(message)) {
      this.inIntake += 1;
      intake.add(this, message, clock.now());
      return;
    }
    if (this.inIntake > 0) intake.flush();
    this.read(message, clock.now());
  }

  drain(): void {
    this.writable = true;
    this.flush();
  }

  ended(): void {
    this.finish('the agent ended the stream');
    this.needs.call.end();
  }

  gone(reason: string): void {
    this.finish(reason);
  }

  /** What it said a moment ago. */
  take(message: Buffer, at: Millis): void {
    this.inIntake -= 1;
    this.read(message, at);
  }

  private read(message: Buffer, at: Millis): void {
    if (this.state === 'over') return;
    let frame: UpFrame;
    try {
      frame = this.decoder.frame(message);
    } catch (error) {
      if (error instanceof AppError) this.odd(error);
      else this.unreadable(error);
      return;
    }
    const gap = this.expected !== null && frame.sequence !== this.expected;
    const first = this.expected === null;
    this.expected = frame.sequence + 1;
    let body: AgentUp;
    let instance: string;
    try {
      instance = frame.instanceUid();
      body = frame.body();
    } catch (error) {
      if (error instanceof AppError) this.odd(error);
      else this.unreadable(error);
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
      this.hear(body, at);
    } catch (error) {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.needs.log.error('message not taken', { node: this.name, kind: body.kind, error: text });
      this.end(new AppError('internal', text));
    }
  }

  private hear(body: AgentUp, at: Millis): void {
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
      this.takesGzip = body.capabilities.includes(OFFER_GZIP);
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
        this.keepPace();
        events.heartbeat(name, body.health, body.engine, body.sentAt, at);
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
        events.metrics(name, body.report, at);
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
    this.keepPace();
  }

  /** Offers the pace again once the fleet has another size: who came first was offered that of a small one. */
  private keepPace(): void {
    const wanted = this.needs.pace();
    if (Math.abs(wanted.heartbeatMs - this.pace.heartbeatMs) <= OTHER_PACE * this.pace.heartbeatMs) return;
    this.pace = wanted;
    const reportMs = this.lookedAt ? null : wanted.reportMs;
    this.send({ kind: 'offers', heartbeatMs: wanted.heartbeatMs, reportMs, chainDer: null });
  }

  /** Who is not looked at any more is back in the fleet's pace. */
  reportEach(ms: number): void {
    this.lookedAt = ms < this.settings.reportMs;
    const reportMs = this.lookedAt ? ms : this.pace.reportMs;
    this.send({ kind: 'offers', heartbeatMs: null, reportMs, chainDer: null });
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
      const body = this.waiting.shift();
      if (body) this.write(body);
      else if (this.configDue && this.config) this.writeConfig(this.config);
      else return;
    }
  }

  private write(body: AgentDown): void {
    const { random, packer, call } = this.needs;
    this.writable = call.write(packer.message({ nonce: random.hex(8), leaderEpoch: 1, body }));
  }

  private writeConfig(config: Offered): void {
    this.config = null;
    this.configDue = false;
    const { random, packer, call } = this.needs;
    const [nonce, id] = [random.hex(8), random.hex(8)];
    if (this.offered) this.replaced.add(this.offered.nonce);
    this.offered = { nonce, commit: id, confirmed: false };
    const commit = { id, rollbackMs: config.commit?.rollbackMs ?? this.settings.rollbackMs };
    this.writable = call.write(
      packer.pack({ nonce, leaderEpoch: 1, body: { ...config, commit } }, { gzip: this.takesGzip }),
    );
  }

  private spoofed(what: string): void {
    this.needs.log.warn('an agent says it is somebody else', { node: this.name, address: this.remote, what });
    this.end(new AppError('forbidden', `the certificate is of ${this.name}: ${what}`));
  }

  /** What follows on the stream would not be any better. */
  private unreadable(error: unknown): void {
    const text = error instanceof Error ? error.message : String(error);
    this.needs.log.warn('bytes that are no message', { node: this.name, address: this.remote, error: text });
    this.end(new AppError('invalid', `these bytes are no message: ${text}`));
  }

  /** A newer agent's message is passed over; one that makes no sense as well, once there was a hello. */
  private odd(fault: AppError): void {
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
    if (this.inIntake > 0) this.needs.intake.flush();
    if (this.state === 'over') return;
    const wasLive = this.state === 'live';
    this.state = 'over';
    clearTimeout(this.helloTimer);
    this.waiting = [];
    this.config = null;
    this.needs.fanOut.remove(this);
    if (wasLive) {
      this.needs.log.info('agent gone', { node: this.name, address: this.remote, reason });
      this.needs.events.disconnected(this.name, reason);
    }
    this.needs.over(this);
  }
}
