import { createHash, timingSafeEqual } from 'node:crypto';
import type net from 'node:net';
import type { Auth } from '../../../../proto/document/document.ts';
import { encodeProxy } from '../wire/proxy-protocol.ts';
import { carry, type Stream } from './carry.ts';
import type { Counters } from './counters.ts';
import type { Dialled } from './dial.ts';
import type { Dialer } from './dialer.ts';
import { Guard, type Leave } from './guard.ts';
import type { Leg } from './leg.ts';
import { type DataNode, type DataService, DIRECT, type Pool } from './messages.ts';
import {
  describeStatus,
  encodeRequest,
  encodeResponse,
  parseRequest,
  parseResponse,
  RELAY_STATUS,
  type RelayRequest,
  type RelayStatus,
  type Target,
} from './relay-codec.ts';
import type { NodeSelector } from './selector.ts';
import type { SteadyLog } from './steady-log.ts';
import type { Tally } from './tally.ts';

const HEADER_MS = 15_000;

export interface ServiceNeeds {
  readonly dialer: Dialer;
  readonly log: SteadyLog;
  /** Milliseconds of the day, for certificates and set-aside nodes. */
  readonly now: () => number;
  /** Milliseconds that only grow, for latencies. */
  readonly clock: () => number;
  readonly random: () => number;
  readonly tally: Tally;
  /** The one of an equal pool before this, so that it still knows which nodes failed. */
  readonly selectorOf: (pool: Pool) => NodeSelector<DataNode>;
  /** Every stream under way, to be cut when its time is over. */
  readonly streams: { add(stream: Stream): void; delete(stream: Stream): void };
  /** The service has been taken away and what it had was cut: what was still on its way to be a stream comes too late. */
  readonly over: () => boolean;
}

type Way =
  | { readonly ok: true; readonly leg: Leg; readonly node: DataNode; readonly over: () => void }
  | { readonly ok: false; readonly status: RelayStatus; readonly why: string };

/** One version of a service: where its streams go. Replaced as a whole; streams keep the one they began with. */
export class Service {
  readonly config: DataService;
  readonly #counters: Counters;
  readonly #needs: ServiceNeeds;
  readonly #guard: Guard;
  readonly #cores: NodeSelector<DataNode> | null;
  readonly #targets: NodeSelector<DataNode> | null;

  constructor(config: DataService, needs: ServiceNeeds & { counters: Counters }) {
    this.config = config;
    this.#counters = needs.counters;
    this.#needs = needs;
    this.#guard = new Guard(config, needs);
    const selector = (pool: Pool | null): NodeSelector<DataNode> | null =>
      pool === null ? null : needs.selectorOf(pool);
    this.#cores = selector(config.cores);
    this.#targets = selector(config.targets);
  }

  /** Before a byte of it is read; who is not let in is reset. A promise where the node has to be asked. */
  admits(raw: net.Socket, address: string): boolean | Promise<boolean> {
    const entered = this.#guard.enter(address);
    if (!(entered instanceof Promise)) return this.#letIn(raw, address, entered);
    raw.on('error', () => undefined);
    return entered.then((leave) => this.#letIn(raw, address, leave));
  }

  #letIn(raw: net.Socket, address: string, leave: Leave | string): boolean {
    if (typeof leave !== 'string') {
      // It may have closed while it waited.
      if (raw.destroyed) leave();
      else raw.once('close', leave);
      return !raw.destroyed;
    }
    this.#counters.errors += 1;
    this.#log('warn', `refused ${address}: ${leave}`);
    raw.on('error', () => undefined);
    raw.resetAndDestroy();
    return false;
  }

  /** A client has connected, and shown who it is where it has to. */
  accept(client: Leg): void {
    if (this.config.handler === 'relay') this.#readHeader(client);
    else this.#begin(client, null);
  }

  /** Nodes that streams would go to first, for `confirm`. */
  get firstHops(): readonly DataNode[] {
    return (this.config.cores ?? this.config.targets)?.nodes ?? [];
  }

  #readHeader(client: Leg): void {
    const { socket } = client;
    let held: Buffer | null = null;
    const refuse = (status: RelayStatus, why: string): void => {
      stop();
      this.#log('warn', `refused ${client.remote}: ${why}`);
      client.writePlain(encodeResponse(status));
      client.dismiss();
    };
    const late = setTimeout(() => {
      stop();
      client.reset();
    }, HEADER_MS);
    const stop = (): void => {
      clearTimeout(late);
      socket.off('data', data);
      socket.off('end', gone);
      socket.off('close', gone);
    };
    // A look at the port, as load balancers and `confirm` do: no stream, no error.
    const gone = (): void => {
      stop();
      client.reset();
    };
    const data = (chunk: string | Buffer): void => {
      const bytes: Buffer = held === null ? (chunk as Buffer) : Buffer.concat([held, chunk as Buffer]);
      held = bytes;
      const parsed = parseRequest(bytes);
      if (parsed.at === 'more') return;
      if (parsed.at === 'bad') {
        refuse(RELAY_STATUS.badRequest, `not a relay header: ${parsed.why}`);
        return;
      }
      if (!this.#admits(parsed.value.auth)) {
        refuse(RELAY_STATUS.unauthorized, 'wrong user or password');
        return;
      }
      stop();
      socket.pause();
      if (bytes.length > parsed.length) socket.unshift(bytes.subarray(parsed.length));
      this.#begin(client, parsed.value);
    };
    socket.on('data', data);
    socket.on('end', gone);
    socket.on('close', gone);
    socket.resume();
  }

  #admits(auth: Auth | null): boolean {
    const { auths } = this.config;
    if (auths === null) return true;
    if (auth === null) return false;
    const digest = (a: Auth): Buffer =>
      createHash('sha256')
        .update(JSON.stringify([a.username, a.password]))
        .digest();
    const shown = digest(auth);
    return auths.some((a) => timingSafeEqual(digest(a), shown));
  }

  /** `request` is the relay header, `null` for handlers that read none. */
  #begin(client: Leg, request: RelayRequest | null): void {
    const counters = this.#counters;
    counters.opened += 1;
    const began = this.#needs.clock();
    const fail = (way: { status: RelayStatus; why: string }): void => {
      counters.errors += 1;
      counters.closed += 1;
      counters.request();
      this.#log('warn', way.why);
      if (request !== null && client.fault === null) {
        client.writePlain(encodeResponse(way.status));
        client.dismiss();
      } else client.reset();
    };
    this.#connect(client, request).then(
      (way) => {
        if (client.fault !== null) {
          // It left before there was a way: no fault of ours.
          if (way.ok) {
            way.leg.reset();
            way.over();
          }
          client.reset();
          counters.closed += 1;
        } else if (!way.ok) fail(way);
        else if (this.#needs.over()) {
          way.leg.reset();
          way.over();
          fail({ status: RELAY_STATUS.unavailable, why: 'its streams have been cut, and one came too late' });
        } else this.#carry({ client, way, request, began });
      },
      (error: unknown) => fail({ status: RELAY_STATUS.internal, why: `a fault: ${String(error)}` }),
    );
  }

  #carry(args: {
    client: Leg;
    way: Extract<Way, { ok: true }>;
    request: RelayRequest | null;
    began: number;
  }): void {
    const { client, way, request, began } = args;
    const { leg: up, node } = way;
    const { config } = this;
    const counters = this.#counters;
    const { clock, streams } = this.#needs;
    const byCore = config.cores !== null;
    const byRelay = byCore && node.speaks === 'relay';
    let standing = !byRelay;
    const stand = (): void => {
      standing = true;
      counters.connect(clock() - began);
    };
    const fault = (why: string): void => {
      counters.errors += 1;
      this.#log('warn', `${node.name} (${node.host}:${node.port}): ${why}`);
    };
    if (request !== null) client.writePlain(encodeResponse(RELAY_STATUS.ok));
    if (!byRelay) stand();
    if (config.proxyOut !== 0) {
      const { from, to } = client.ways;
      up.write(encodeProxy(config.proxyOut, from, to));
    }
    const stream: Stream = carry({
      client,
      up,
      counters,
      near: client.sealed ? 'tunnel' : 'client',
      far: byCore ? 'tunnel' : 'origin',
      doubtUp: byCore && !up.sealed,
      standing: () => standing,
      preface: byRelay
        ? (bytes) => {
            const parsed = parseResponse(bytes);
            if (parsed.at === 'more') return 0;
            if (parsed.at === 'done' && parsed.value.status === RELAY_STATUS.ok) {
              stand();
              return parsed.length;
            }
            fault(parsed.at === 'bad' ? `not a relay: ${parsed.why}` : describeStatus(parsed.value.status));
            stream.fail('tunnel');
            return -1;
          }
        : null,
      pace: this.#guard.pace(client.remote),
      turns: config.turns,
      clock,
      onFault: fault,
      onOver: () => {
        streams.delete(stream);
        way.over();
      },
    });
    streams.add(stream);
  }

  async #connect(client: Leg, request: RelayRequest | null): Promise<Way> {
    const { config } = this;
    const asked = request?.target ?? null;
    if (this.#cores === null) {
      if (this.#targets !== null) return this.#try(this.#targets, client);
      if (asked === null)
        return { ok: false, status: RELAY_STATUS.badRequest, why: 'no target: nowhere to go' };
      return toWay(await this.#dial(nodeOf(asked), client), nodeOf(asked));
    }
    const pinned = this.#targets?.pick({ tried: new Set(), client: client.remote, now: this.#needs.now() });
    const target: Target | null = pinned ?? asked;
    const way = await this.#try(this.#cores, client);
    if (way.ok && way.node.speaks === 'relay')
      way.leg.writePlain(encodeRequest({ auth: way.node.auth, target }));
    return way.ok || config.cores === null ? way : { ...way, why: `hop ${config.cores.name}: ${way.why}` };
  }

  async #try(selector: NodeSelector<DataNode>, client: Leg): Promise<Way> {
    const { now } = this.#needs;
    const tried = new Set<DataNode>();
    const reasons: string[] = [];
    let timeout = false;
    let attempts = 0;
    while (attempts <= this.config.retries && client.fault === null) {
      const node = selector.pick({ tried, client: client.remote, now: now() });
      if (node === null) break;
      const over = selector.begin(node);
      const dialled = await this.#dial(node, client);
      if (dialled.ok) {
        selector.worked(node);
        return { ok: true, leg: dialled.leg, node, over };
      }
      over();
      // Nobody waited for it: that says nothing of the node.
      if (client.fault !== null) break;
      selector.failed(node, now());
      tried.add(node);
      // Where nothing was sent it costs no attempt, once round.
      if (!dialled.unsent || tried.size === selector.nodes.length) attempts += 1;
      reasons.push(dialled.why);
      timeout = dialled.timeout;
    }
    const why =
      reasons.length > 0 ? `no way: ${reasons.join('; ')}` : 'no way: the client left or no node is there';
    return { ok: false, status: timeout ? RELAY_STATUS.timeout : RELAY_STATUS.unavailable, why };
  }

  /** Given up when the client leaves. */
  async #dial(node: DataNode, client: Leg): Promise<Dialled> {
    const left = new AbortController();
    const leave = (): void => left.abort();
    client.socket.once('close', leave);
    const dialled = await this.#needs.dialer.dial(node, this.config.dialTimeoutMs, left.signal);
    client.socket.off('close', leave);
    return dialled;
  }

  #log(level: 'info' | 'warn', text: string): void {
    this.#needs.log.say(level, `service ${this.config.name}`, text);
  }
}

function toWay(dialled: Dialled, node: DataNode): Way {
  if (dialled.ok) return { ok: true, leg: dialled.leg, node, over: () => undefined };
  const status = dialled.timeout ? RELAY_STATUS.timeout : RELAY_STATUS.unavailable;
  return { ok: false, status, why: dialled.why };
}

function nodeOf(target: Target): DataNode {
  return { name: 'asked for', ...target, ...DIRECT };
}
