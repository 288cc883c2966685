import { randomBytes, X509Certificate } from 'node:crypto';
import type { Offer } from '../../agent/core/steps.ts';
import { CAPABILITIES } from '../../agent/engine/embedded/app.ts';
import type { Joined } from '../../agent/session/join.ts';
import type { SessionIdentity } from '../../agent/session/ports.ts';
import { Session } from '../../agent/session/session.ts';
import { nodeCapabilities } from '../../proto/document/requires.ts';
import type { AgentStream, AgentStreamHooks } from '../../proto/link/dial.ts';
import { AppError } from '../../proto/vocab/errors.ts';
import type { ConfigHash } from '../../proto/vocab/ids.ts';
import type { EngineInfo } from '../../proto/vocab/node.ts';
import { VERSION } from '../../proto/vocab/version.ts';
import type { Behaviour } from './behaviour.ts';
import { Chance } from './chance.ts';
import type { Planned } from './plan.ts';
import { Traffic } from './traffic.ts';
import { openLightStream } from './wire.ts';

/** What the process around the agents counts. */
export interface Counted {
  opened(): void;
  closed(why: string): void;
  notOpened(why: string): void;
  sent(kind: 'heartbeat' | 'metrics'): void;
  offered(label: string): void;
  answered(label: string, how: 'applied' | 'refused'): void;
}

export interface SimAgentNeeds {
  readonly behaviour: () => Behaviour;
  /** `host:port` of the master, asked at every dial. */
  readonly address: () => { readonly at: string; readonly caPem: string | null };
  readonly counted: Counted;
  readonly log: ConstructorParameters<typeof Session>[1]['log'];
}

const CAN = nodeCapabilities(CAPABILITIES);
const ACK_SIGMA = 0.5;

/** An agent's own conversation with its master, above an engine and a host that are made up. */
export class SimAgent {
  readonly #node: Planned;
  readonly #needs: SimAgentNeeds;
  readonly #chance: Chance;
  readonly #traffic: Traffic;
  readonly #session: Session;
  readonly #startedAt = Date.now();
  readonly #instance = randomBytes(8).toString('hex');
  readonly #timers = new Set<NodeJS.Timeout>();
  #identity: SessionIdentity;
  #now: { readonly stream: AgentStream; readonly hooks: AgentStreamHooks; open: boolean } | null = null;
  #runs: { readonly hash: ConfigHash; readonly label: string } | null = null;
  #rejected: ConfigHash | null = null;
  #generation = 0;
  #from = Date.now();
  #engine: EngineInfo | null = null;
  #stopped = false;

  constructor(node: Planned, joined: Joined, needs: SimAgentNeeds) {
    this.#node = node;
    this.#needs = needs;
    this.#chance = new Chance(node.index * 2_654_435_761 + 1);
    this.#traffic = new Traffic(node, this.#chance);
    this.#identity = identityOf(joined);
    this.#session = new Session(
      {
        addresses: ['0.0.0.0:1'], // replaced at every dial by what `address` says
        labels: node.labels,
        agentVersion: VERSION,
        instanceUid: randomBytes(16).toString('hex'),
      },
      {
        node: {
          hello: async () => ({
            engine: this.#info(),
            capabilities: CAN,
            effectiveHash: this.#runs?.hash ?? null,
            rejectedHash: this.#rejected,
            publicAddresses: [
              `10.${(node.index >> 16) & 255}.${(node.index >> 8) & 255}.${node.index & 255}`,
            ],
            logTail: [],
          }),
          heartbeat: async () => ({ health: 'ok', engine: this.#info() }),
          standing: async () => ({ stopped: false, drains: [] }),
          metrics: async () => this.#report(),
          metricsFromNow: () => {
            this.#from = Date.now();
          },
        },
        identity: {
          current: () => this.#identity,
          renewed: async (pem) => {
            this.#identity = identityOf({ node: node.name, ...pem });
          },
        },
        orders: {
          reached: () => undefined,
          offer: (offer) => this.#offered(offer),
          commitConfirmed: () => undefined,
          commitCancelled: () => undefined,
          command: (c) =>
            this.#session.result({
              commandId: c.id,
              state: 'rejected',
              exitCode: 1,
              outputTail: 'a simulated agent carries out no commands',
              before: null,
              after: null,
              unchanged: false,
              streamsKept: 0,
              tookMs: 0,
            }),
          cancel: () => undefined,
          followLogs: ({ followId }) =>
            void this.#session.logLines({
              followId,
              lines: [],
              dropped: 0,
              ended: 'a simulated agent keeps no log',
            }),
          endFollow: () => undefined,
          writable: () => undefined,
        },
        told: { command: () => undefined, event: () => undefined },
        onOpen: () => this.#opened(),
        log: needs.log,
        random: () => this.#chance.next(),
        open: (_address, credentials, hooks) => this.#dial(credentials, hooks),
      },
    );
  }

  start(): void {
    this.#session.start();
  }

  /** Its connection breaks, without a word to the master; it comes back as agents do. */
  cut(why: string): void {
    const c = this.#now;
    if (!c) return;
    c.stream.close();
    c.hooks.onClosed(new AppError('unavailable', why));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const t of this.#timers) clearTimeout(t);
    await this.#session.stop('the simulation is over');
  }

  #dial(credentials: Parameters<typeof openLightStream>[1], hooks: AgentStreamHooks): AgentStream {
    const { at, caPem } = this.#needs.address();
    const own: AgentStreamHooks = {
      ...hooks,
      onClosed: (error) => {
        if (this.#now === mine) this.#now = null;
        if (mine.open) this.#needs.counted.closed(error.message);
        else this.#needs.counted.notOpened(error.message);
        mine.open = false;
        hooks.onClosed(error);
      },
    };
    const stream = openLightStream(
      at,
      caPem === null ? credentials : { ...credentials, caPem },
      own,
      localOf(at, this.#node.index),
    );
    const counting: AgentStream = {
      send: (up) => {
        const { kind } = up.body;
        if (kind === 'heartbeat' || kind === 'metrics') this.#needs.counted.sent(kind);
        return stream.send(up);
      },
      close: () => {
        if (mine.open) this.#needs.counted.closed('closed by the agent');
        mine.open = false;
        stream.close();
      },
    };
    // The bare one: a cut is counted once, by why.
    const mine = { stream, hooks: own, open: false };
    this.#now = mine;
    return counting;
  }

  #opened(): void {
    if (this.#now && !this.#now.open) {
      this.#now.open = true;
      this.#needs.counted.opened();
    }
    if (!this.#node.flaps) return;
    this.#later(-Math.log(1 - this.#chance.next()) * this.#needs.behaviour().flapEveryMs, () => {
      this.cut('flapped');
    });
  }

  #offered(offer: Offer): void {
    const { counted, behaviour } = this.#needs;
    const label = offer.version ?? '';
    counted.offered(label);
    const { ackMs, refuse, refused } = behaviour();
    const how = refused.includes(label) || this.#chance.hits(refuse) ? 'refused' : 'applied';
    this.#later(this.#chance.logNormal(ackMs, ACK_SIGMA), () => {
      counted.answered(label, how);
      if (how === 'applied') this.#applied(offer, label);
      else this.#refused(offer);
    });
  }

  #applied(offer: Offer, label: string): void {
    this.#runs = { hash: offer.hash, label };
    this.#generation += 1;
    this.#engine = null;
    this.#session.status({
      nonce: offer.nonce,
      status: 'applied',
      effectiveHash: offer.hash,
      engine: this.#info(),
      warnings: [],
    });
  }

  #refused(offer: Offer): void {
    this.#rejected = offer.hash;
    this.#session.status({
      nonce: offer.nonce,
      status: 'failed',
      phase: 'prepare',
      effectiveHash: this.#runs?.hash ?? null,
      rejectedHash: offer.hash,
      reverted: false,
      refusal: { code: 'precondition', message: '127.0.0.1:8443 is in use by another program' },
      logTail: 'listen tcp 127.0.0.1:8443: address in use',
      engine: this.#info(),
      warnings: [],
    });
  }

  #report() {
    const now = Date.now();
    const effect = this.#needs.behaviour().effects[this.#runs?.label ?? ''] ?? {};
    const report = this.#traffic.report({ instance: this.#instance, from: this.#from, now, effect });
    this.#from = now;
    return report;
  }

  #info(): EngineInfo {
    this.#engine ??= {
      kind: 'embedded',
      version: VERSION,
      instance: this.#instance,
      generation: this.#generation,
      documentHash: this.#runs?.hash ?? null,
      pid: 1000 + this.#node.index,
      reason: '',
      listeners: this.#runs ? [{ service: 'chat', addr: '0.0.0.0:8443', type: 'tcp' }] : [],
      startedAt: this.#startedAt,
    };
    return this.#engine;
  }

  #later(ms: number, work: () => void): void {
    if (this.#stopped) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      work();
    }, ms);
    this.#timers.add(timer);
  }
}

function identityOf({ node, keyPem, certificatePem, caPem }: Joined): SessionIdentity {
  const c = new X509Certificate(certificatePem);
  return {
    ...{ node, keyPem, certificatePem, caPem },
    notBefore: c.validFromDate.getTime(),
    notAfter: c.validToDate.getTime(),
  };
}

/** On loopback every agent has an address of its own, as hosts have. */
function localOf(address: string, index: number): string | null {
  if (!address.startsWith('127.')) return null;
  const n = index + 256;
  return `127.${1 + ((n >> 16) & 127)}.${(n >> 8) & 255}.${n & 255}`;
}
