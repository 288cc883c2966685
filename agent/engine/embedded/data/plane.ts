import type { ConfirmResult, ServiceStats } from '../../port.ts';
import type { LogLevel } from '../control/logs.ts';
import { Attempts } from './attempts.ts';
import type { Stream } from './carry.ts';
import { Counters } from './counters.ts';
import { Dialer } from './dialer.ts';
import { after } from './every.ts';
import { type Descriptors, Headroom } from './headroom.ts';
import { Listener, listenerKey } from './listener.ts';
import type {
  Bind,
  BindProblem,
  DataCalls,
  DataNode,
  DataService,
  DataTable,
  Material,
  Pool,
  Streams,
} from './messages.ts';
import { NameSources } from './name-sources.ts';
import { Names } from './names.ts';
import { Probes } from './probes.ts';
import { ReadPool } from './read-pool.ts';
import { NodeSelector } from './selector.ts';
import { Service, type ServiceNeeds } from './service.ts';
import { SteadyLog } from './steady-log.ts';
import { LocalTally, type Tally } from './tally.ts';
import { type ReadyMaterial, readyMaterial } from './tls-peer.ts';

const MAX_IDLE_COUNTERS = 512;
const CONFIRM_MS = 3_000;
const HOSTS_FILE = '/etc/hosts';

/** The sockets of one process: told by messages what to carry, telling by messages what it carried. */
export class DataPlane {
  readonly #needs: Omit<ServiceNeeds, 'streams' | 'over'>;
  readonly #dialer: Dialer;
  readonly #probes: Probes;
  /** Of descriptors. */
  readonly #headroom: Headroom | null;
  readonly #listeners = new Map<string, Listener>();
  readonly #counters = new Map<string, Counters>();
  /** Where each stream under way belongs, and since when by the growing clock. */
  readonly #streams = new Map<Stream, { readonly service: string; readonly since: number }>();
  /** Services that are not carried any more, and whose streams were cut. */
  readonly #over = new Set<string>();
  #stopped = false;
  /** It is told of no service any more, nor of one that is taken away. */
  #leaving = false;
  #mark = 0;
  #bound: Listener[] = [];
  /** By what their pools are. */
  #selectors = new Map<string, NodeSelector<DataNode>>();
  #materials = new Map<string, ReadyMaterial>();

  constructor(needs: {
    log: (level: LogLevel, text: string) => void;
    now: () => number;
    clock: () => number;
    random: () => number;
    /** DNS servers, `host:port`; none: the system's. */
    dns?: readonly string[];
    hostsFile?: string;
    /** Of the node; without one this process is the node. */
    tally?: Tally;
    /** Of this process, where the system tells. */
    descriptors?: Descriptors | null;
  }) {
    const { now, clock, random, dns: servers = [], hostsFile = HOSTS_FILE, descriptors = null } = needs;
    const { tally = new LocalTally({ clock }) } = needs;
    const log = new SteadyLog({ write: needs.log, now });
    this.#headroom = descriptors === null ? null : this.#watch(descriptors, log);
    const sources = new NameSources({ servers, hostsFile });
    this.#dialer = new Dialer({
      now,
      random,
      log,
      names: new Names({ sources, clock, after, log }),
      attempts: new Attempts({ clock, random }),
      reads: new ReadPool(),
      material: (key) => this.#materials.get(key),
    });
    this.#probes = new Probes({
      ...{ now, random, log, after },
      probe: (node, timeoutMs) => this.#dialer.probe(node, timeoutMs),
      selectorOf: (pool) => this.#selectorOf(pool),
    });
    this.#needs = {
      now,
      clock,
      random,
      log,
      dialer: this.#dialer,
      tally,
      selectorOf: (pool) => this.#selectorOf(pool),
    };
  }

  readonly calls: DataTable = {
    tryBind: async ({ listeners }) => {
      const { bound, problems } = await this.#bindNew(listeners);
      for (const l of bound) l.close();
      return { problems };
    },
    bind: async ({ listeners }) => {
      const { bound, problems } = await this.#bindNew(listeners);
      if (problems.length === 0) this.#bound.push(...bound);
      else for (const l of bound) l.close();
      return { problems };
    },
    abort: async () => {
      for (const l of this.#bound) l.close();
      this.#bound = [];
      return {};
    },
    commit: async ({ services, materials }) => this.#commit(services, materials),
    materials: async ({ materials }) => {
      this.#materials = prepare(materials);
      for (const l of this.#listeners.values()) if (l.service) this.#serve(l, l.service);
      return {};
    },
    confirm: async ({ listenersOnly }) => this.#confirm(listenersOnly === true),
    stats: async () => ({ services: this.#stats() }),
    stop: async () => {
      for (const l of this.#bound) l.close();
      this.#bound = [];
      this.#stopped = true;
      this.#cut(null);
      this.#headroom?.stop();
      for (const l of this.#listeners.values()) l.stop();
      this.#listeners.clear();
      this.#probes.stop();
      this.#dialer.stop();
      return {};
    },
    leave: async () => {
      this.#leaving = true;
      for (const l of this.#listeners.values()) l.leave();
      return {};
    },
    streams: async () => this.#underWay(),
    cut: async ({ services }) => {
      this.#cut(services);
      return {};
    },
  };

  /** Where a service listens, for callers that asked for port 0. */
  portOf(service: string): number | null {
    for (const l of this.#listeners.values()) if (l.service?.config.name === service) return l.port;
    return null;
  }

  /** Figures as `stats` has them, unless they are what they were when this was last called. */
  changed(): readonly ServiceStats[] | null {
    let mark = 0;
    for (const c of this.#counters.values()) mark += c.mark;
    if (mark === this.#mark) return null;
    this.#mark = mark;
    return this.#stats();
  }

  #stats(): readonly ServiceStats[] {
    return [...this.#counters.values()].map((c) => c.toStats());
  }

  #watch(descriptors: Descriptors, log: SteadyLog): Headroom {
    const { limit } = descriptors;
    return new Headroom(descriptors, {
      tight: (held) => {
        const text = `${held} of ${limit} are in use: this worker takes no new connections until there are fewer`;
        log.say('warn', 'descriptors', text);
        for (const l of this.#listeners.values()) l.pause();
      },
      eased: (held) => {
        log.say('info', 'descriptors', `${held} of ${limit} are in use: it takes new connections again`);
        for (const l of this.#listeners.values()) l.resume();
      },
    });
  }

  async #bindNew(listeners: readonly Bind[]): Promise<{ bound: Listener[]; problems: BindProblem[] }> {
    const bound: Listener[] = [];
    const problems: BindProblem[] = [];
    for (const { service, listen } of listeners) {
      if (this.#listeners.has(listenerKey(listen))) continue;
      const took = (): void => this.#headroom?.took();
      const listener = await Listener.bind(listen, { ...this.#needs, took });
      if (typeof listener === 'string') problems.push({ service, message: listener });
      else bound.push(listener);
    }
    return { bound, problems };
  }

  #commit(
    services: readonly DataService[],
    materials: Readonly<Record<string, Material>>,
  ): DataCalls['commit']['ok'] {
    // Throws before anything has changed.
    const ready = prepare(materials);
    for (const { name, tls } of services) {
      if (tls !== null && !ready.has(tls.material))
        throw new Error(`service ${name} without its certificate`);
    }
    this.#materials = ready;
    const opened: string[] = [];
    const kept: string[] = [];
    const wanted = new Set<string>();
    const before = new Map([...this.#listeners].map(([key, l]) => [key, l.service?.config.name ?? '']));
    for (const l of this.#bound) {
      this.#listeners.set(l.key, l);
      if (this.#headroom?.tight) l.pause();
    }
    this.#bound = [];
    for (const config of services) {
      const key = listenerKey(config.listen);
      const listener = this.#listeners.get(key);
      if (listener === undefined) continue;
      wanted.add(key);
      this.#over.delete(config.name);
      this.#serve(listener, this.#makeService(config));
      if (before.has(key)) kept.push(config.name);
      else opened.push(config.name);
    }
    const closed: string[] = [];
    for (const [key, listener] of this.#listeners) {
      if (wanted.has(key)) continue;
      listener.close();
      this.#listeners.delete(key);
      closed.push(before.get(key) ?? '');
    }
    const pools = services.flatMap((s) => [s.cores, s.targets]).filter((p) => p !== null);
    this.#dialer.keep(pools.flatMap((p) => p.nodes));
    this.#probes.keep(pools);
    this.#forgetSelectors(pools);
    return { opened, closed, kept };
  }

  #serve(listener: Listener, service: Service): void {
    const { name, tls } = service.config;
    const ready = tls === null ? null : this.#materials.get(tls.material);
    // Never in the clear for want of a certificate.
    if (ready === undefined) throw new Error(`service ${name} without its certificate`);
    listener.serve(service, ready);
  }

  #selectorOf(pool: Pool): NodeSelector<DataNode> {
    const key = JSON.stringify(pool);
    const selector =
      this.#selectors.get(key) ??
      new NodeSelector(pool.nodes, pool.selector, {
        random: this.#needs.random,
        away: (node) => this.#dialer.away(node),
      });
    this.#selectors.set(key, selector);
    return selector;
  }

  /** Those of pools nobody has any more. */
  #forgetSelectors(pools: readonly Pool[]): void {
    const wanted = new Set(pools.map((p) => JSON.stringify(p)));
    for (const key of this.#selectors.keys()) if (!wanted.has(key)) this.#selectors.delete(key);
  }

  #makeService(config: DataService): Service {
    const service = config.name;
    const streams: ServiceNeeds['streams'] = {
      add: (stream) => {
        this.#streams.set(stream, { service, since: this.#needs.clock() });
      },
      delete: (stream) => {
        this.#streams.delete(stream);
      },
    };
    const over = (): boolean => this.#stopped || this.#over.has(service);
    return new Service(config, { ...this.#needs, streams, over, counters: this.#countersOf(service) });
  }

  #cut(services: readonly string[] | null): void {
    for (const [stream, { service }] of [...this.#streams]) {
      if (services === null || services.includes(service)) stream.fail('tunnel');
    }
    const carried = this.#carried;
    for (const name of services ?? this.#counters.keys())
      if (this.#leaving || !carried.has(name)) this.#over.add(name);
  }

  #underWay(): Streams {
    const now = this.#needs.clock();
    const oldest = new Map<string, number>();
    for (const { service, since } of this.#streams.values()) {
      oldest.set(service, Math.max(oldest.get(service) ?? 0, now - since));
    }
    const services = [...this.#counters.values()].map(({ service, streams }) => ({
      service,
      streams,
      oldestMs: oldest.get(service) ?? 0,
    }));
    const sockets = process.getActiveResourcesInfo().filter((r) => r === 'TCPSocketWrap').length;
    return { services: services.filter((s) => s.streams > 0), sockets };
  }

  #countersOf(name: string): Counters {
    let counters = this.#counters.get(name);
    if (counters === undefined) {
      if (this.#counters.size >= MAX_IDLE_COUNTERS) this.#forgetIdle();
      counters = new Counters(name);
      this.#counters.set(name, counters);
    }
    return counters;
  }

  #forgetIdle(): void {
    const carried = this.#carried;
    for (const [name, c] of this.#counters) {
      if (c.streams > 0 || carried.has(name)) continue;
      this.#counters.delete(name);
      this.#over.delete(name);
    }
  }

  get #carried(): ReadonlySet<string | undefined> {
    return new Set([...this.#listeners.values()].map((l) => l.service?.config.name));
  }

  async #confirm(listenersOnly: boolean): Promise<ConfirmResult> {
    const services = [...this.#listeners.values()];
    const listeners = services.map((l) => ({
      service: l.service?.config.name ?? '',
      accepting: l.accepting,
      error: l.accepting ? '' : 'it does not accept connections',
    }));
    const routes = await Promise.all(
      services.flatMap((l) => (l.service === null || listenersOnly ? [] : [this.#reach(l.service)])),
    );
    return { listeners, routes };
  }

  /** One node that answers is enough; a core is shaken hands with, no stream is opened on it. */
  async #reach(service: Service): Promise<ConfirmResult['routes'][number]> {
    const name = service.config.name;
    const nodes = service.firstHops;
    if (nodes.length === 0) return { service: name, reached: true, error: '' };
    const timeoutMs = Math.min(CONFIRM_MS, service.config.dialTimeoutMs);
    const reasons: string[] = [];
    return new Promise((resolve) => {
      for (const node of nodes) {
        void this.#dialer.reach(node, timeoutMs).then((why) => {
          if (why === null) resolve({ service: name, reached: true, error: '' });
          else if (reasons.push(why) === nodes.length) {
            resolve({ service: name, reached: false, error: reasons.join('; ') });
          }
        });
      }
    });
  }
}

function prepare(materials: Readonly<Record<string, Material>>): Map<string, ReadyMaterial> {
  return new Map(Object.entries(materials).map(([key, m]) => [key, readyMaterial(m)]));
}
