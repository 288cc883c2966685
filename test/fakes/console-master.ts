import { targets } from '../../daemon/core/config-version/target.ts';
import type {
  ConsoleApi,
  LinkState,
  MutationArgs,
  Pace,
  RollbackPreview,
  SilencePreview,
  Watch,
  WatchArgs,
} from '../../proto/link/console-api.ts';
import type { RolloutsApi } from '../../proto/link/rollouts-api.ts';
import type { AlertView } from '../../proto/vocab/alert.ts';
import type {
  CommandOptions,
  CommandResult,
  CommandState,
  CommandTask,
  CommandType,
} from '../../proto/vocab/command.ts';
import type { ConfigVersion, Target } from '../../proto/vocab/config-version.ts';
import { AppError } from '../../proto/vocab/errors.ts';
import type { FleetEvent } from '../../proto/vocab/event.ts';
import type {
  BodyHash,
  CommandId,
  ConfigHash,
  Fingerprint,
  NodeName,
  RolloutId,
  SilenceId,
  VersionLabel,
} from '../../proto/vocab/ids.ts';
import type {
  EngineInfo,
  Node,
  NodeStatus,
  NodeType,
  NodeVitals,
  RegionVitals,
} from '../../proto/vocab/node.ts';
import {
  OVER,
  type RevertPreview,
  type Rollout,
  type RolloutTarget,
  type RolloutVerb,
} from '../../proto/vocab/rollout.ts';
import { type Silence, silenceMatches, silenceState } from '../../proto/vocab/silence.ts';
import type { TokenView } from '../../proto/vocab/token.ts';
import type {
  Entities,
  Entity,
  EntityKey,
  EntityKind,
  WatchBegin,
  WatchEvent,
} from '../../proto/vocab/watch.ts';
import { CentreTwin } from './console-centre.ts';
import {
  afterVerb,
  fakeCounts,
  fakeRollout,
  fakeStrategy,
  fakeTarget,
  legalHere,
} from './console-rollouts.ts';

/** The clock and the timers the twin lives by; a test steps them. */
export interface TwinTime {
  readonly now: () => number;
  readonly after: (ms: number, fn: () => void) => () => void;
}

interface Watcher {
  readonly args: WatchArgs;
  readonly onEvent: (event: WatchEvent) => void;
  readonly onState: (state: LinkState) => void;
  attempt: number;
  open: boolean;
}

const hash = (seed: string) => seed.padEnd(64, '0').slice(0, 64);

export function fakeEngine(over: Partial<EngineInfo> = {}): EngineInfo {
  return {
    kind: 'embedded',
    version: '0.1.0',
    instance: '8f1c2e07a4b5',
    generation: 4,
    documentHash: hash('a') as ConfigHash,
    pid: 1187,
    reason: 'auto: nothing in it needs gost',
    listeners: [{ service: 'edge-tls', addr: ':443', type: 'tls' }],
    startedAt: 0,
    ...over,
  };
}

export function fakeNode(name: string, over: Partial<Node> = {}): Node {
  return {
    name: name as NodeName,
    nodeType: 'edge',
    region: 'hk',
    labels: {},
    eligibility: 'eligible',
    drain: 'none',
    configSync: 'in_sync',
    identity: 'accepted',
    initialized: true,
    target: { version: 'v1' as VersionLabel, hash: hash('a') as ConfigHash },
    effective: { version: 'v1' as VersionLabel, hash: hash('a') as ConfigHash },
    rejectedHash: null,
    failure: null,
    warnings: [],
    agentVersion: '0.1.0',
    engine: fakeEngine(),
    capabilities: [],
    joinedAt: 0,
    certificate: { serial: '01', notAfter: 7 * 86_400_000 },
    modRevision: 1,
    ...over,
  };
}

export function fakeVitals(name: string, now: number, over: Partial<NodeVitals> = {}): NodeVitals {
  return {
    name: name as NodeName,
    status: 'ready',
    lastSeen: now - 2_000,
    streams: 12,
    rps: 3,
    ttft95Ms: 412,
    p99Ms: 40,
    errPct: 0.2,
    abortedPct: 0.1,
    gap99Ms: 60,
    cpuPct: 21,
    memPct: 34,
    p99Minutes: [38, 40, 41, 39, 40, 42, 40, 39, 41, 40],
    ...over,
  };
}

/** As the master groups them: all edges, then each region's nodes by type. */
export function fakeRegions(nodes: readonly Node[], vitals: readonly NodeVitals[]): readonly RegionVitals[] {
  const streams = new Map(vitals.map((v) => [v.name, v.streams ?? 0]));
  const row = (region: string | null, nodeType: NodeType): RegionVitals => ({
    region,
    nodeType,
    streams: nodes
      .filter((n) => n.nodeType === nodeType && (region === null || n.region === region))
      .reduce((sum, n) => sum + (streams.get(n.name) ?? 0), 0),
    rps: 3,
    ttft50Ms: 260,
    ttft95Ms: 412,
    gap99Ms: 60,
    p99Ms: 40,
    errPct: 0.2,
    abortedPct: 0.1,
    ttft95Minutes: Array.from({ length: 30 }, (_, i) => (i < 2 ? null : 400 + (i % 7) * 9)),
  });
  const keys = [...new Set(nodes.map((n) => `${n.region} ${n.nodeType}`))].sort();
  return [row(null, 'edge'), ...keys.map((k) => row(k.split(' ')[0] as string, k.split(' ')[1] as NodeType))];
}

export function fakeVersion(label: string, over: Partial<ConfigVersion> = {}): ConfigVersion {
  return {
    label: label as VersionLabel,
    description: '',
    bodyHash: hash(label) as BodyHash,
    parent: null,
    rollbackOf: null,
    createdBy: 'lin(1000)',
    createdAt: 0,
    publications: [{ target: {}, publishedBy: 'lin(1000)', publishedAt: 0, reason: '', revision: 1 }],
    modRevision: 1,
    ...over,
  };
}

/** A master in memory: the same answers, no wire. What it refuses, it refuses with the same codes. */
export class ConsoleMaster implements ConsoleApi, RolloutsApi {
  readonly #time: TwinTime;
  readonly #watchers = new Set<Watcher>();
  readonly #facts = new Map<string, Entity>();
  readonly #vitals = new Map<string, NodeVitals>();
  readonly #bodies = new Map<string, Uint8Array>();
  readonly #rolloutTargets = new Map<string, readonly RolloutTarget[]>();
  readonly #answers = new Map<string, Promise<unknown>>();
  #ring: { readonly revision: number; readonly event: WatchEvent }[] = [];
  #oldest = 0;
  #revision = 1;
  #tick = 0;
  #up = true;
  #next = 1;
  readonly #centre: CentreTwin;
  /** What was asked of it, in order: `runCommand reload hk-1`. */
  readonly asked: string[] = [];
  storeId = 'store-1';
  refuse: AppError | null = null;

  constructor(settings: { readonly nodes?: readonly Node[] }, needs: { readonly time: TwinTime }) {
    this.#time = needs.time;
    this.#centre = new CentreTwin({ now: () => needs.time.now() });
    for (const n of settings.nodes ?? []) {
      this.#facts.set(`node ${n.name}`, { kind: 'node', key: n.name, value: n });
      this.#vitals.set(n.name, fakeVitals(n.name, needs.time.now()));
    }
    this.#facts.set('version v1', { kind: 'version', key: 'v1', value: fakeVersion('v1') });
  }

  get revision(): number {
    return this.#revision;
  }

  // ---- what the test or the scenario does ----

  /** One commit. */
  commit(put: readonly Entity[], deleted: readonly EntityKey[] = [], conflated = false): number {
    this.#revision += 1;
    for (const e of put) this.#facts.set(`${e.kind} ${e.key}`, e);
    for (const d of deleted) this.#facts.delete(`${d.kind} ${d.key}`);
    const event: WatchEvent = { kind: 'change', revision: this.#revision, put, deleted, conflated };
    this.#ring.push({ revision: this.#revision, event });
    for (const w of this.#watchers) if (w.open) w.onEvent(event);
    return this.#revision;
  }

  putNode(node: Node): void {
    this.commit([{ kind: 'node', key: node.name, value: node }]);
  }

  putAlert(alert: AlertView): void {
    this.commit([{ kind: 'alert', key: alert.fingerprint, value: this.#overlay(alert) }]);
  }

  say(text: string, more: Partial<FleetEvent> = {}): void {
    const id = `E-${this.#next++}`;
    const value: FleetEvent = {
      id,
      at: this.#time.now(),
      kind: 'node',
      who: 'master',
      subject: '',
      text,
      level: 'info',
      revision: this.#revision + 1,
      ...more,
    };
    this.commit([{ kind: 'event', key: id, value }]);
  }

  setVitals(v: NodeVitals): void {
    this.#vitals.set(v.name, v);
  }

  status(name: string, status: NodeStatus): void {
    const v = this.#vitals.get(name);
    if (v !== undefined) this.#vitals.set(name, { ...v, status });
  }

  /** One second's figures; nodes that are up are seen. */
  tick(degraded: string | null = null): void {
    this.#tick += 1;
    const now = this.#time.now();
    for (const [name, v] of this.#vitals) {
      if (v.status === 'ready') this.#vitals.set(name, { ...v, lastSeen: now - 2_000 });
    }
    const nodes = [...this.#vitals.values()];
    const streams = nodes.reduce((sum, v) => sum + (v.streams ?? 0), 0);
    const fleet = { streams, rps: 41, ttft95Ms: 412, p99Ms: 40, errPct: 0.2, degraded };
    const regions = fakeRegions(this.#all('node'), nodes);
    const event: WatchEvent = { kind: 'vitals', tick: this.#tick, at: now, nodes, fleet, regions };
    for (const w of this.#watchers) if (w.open) w.onEvent(event);
  }

  /** The ring forgets: who resumes from before is told so. */
  compact(): void {
    this.#ring = [];
    this.#oldest = this.#revision;
  }

  /** A change that never arrives: the next one comes after a gap. */
  loseOne(put: readonly Entity[]): void {
    const open = [...this.#watchers].filter((w) => w.open);
    for (const w of open) w.open = false;
    this.commit(put);
    for (const w of open) w.open = true;
  }

  down(reason = 'connection reset', retryMs = 6_000): void {
    this.#up = false;
    for (const w of this.#watchers) this.#drop(w, reason, retryMs);
  }

  up(): void {
    this.#up = true;
    for (const w of this.#watchers) if (!w.open) this.#open(w);
  }

  // ---- the stream ----

  watch(args: WatchArgs, onEvent: (event: WatchEvent) => void, onState: (state: LinkState) => void): Watch {
    const w: Watcher = { args, onEvent, onState, attempt: 0, open: false };
    this.#watchers.add(w);
    this.#open(w);
    return {
      look: (names) => this.asked.push(`look ${names.join(' ')}`),
      retryNow: () => this.#open(w),
      close: () => {
        w.open = false;
        this.#watchers.delete(w);
      },
    };
  }

  #drop(w: Watcher, reason: string, retryMs: number): void {
    w.open = false;
    w.attempt += 1;
    const until = this.#time.now() + retryMs;
    w.onState({ kind: 'waiting', until, attempt: w.attempt, reason, code: 'unavailable' });
  }

  #open(w: Watcher): void {
    w.onState({ kind: 'connecting', attempt: w.attempt });
    if (!this.#up) {
      this.#drop(w, 'connection refused', 6_000);
      return;
    }
    w.open = true;
    w.attempt = 0;
    w.onState({ kind: 'open', since: this.#time.now() });
    const since = w.args.since();
    const begin: WatchBegin = {
      revision: this.#revision,
      storeId: this.storeId,
      watchId: `w${this.#next++}`,
      caller: { actor: 'lin(1000)', role: 'admin' },
      context: 'demo',
      masterVersion: '0.1.0',
      heartbeatIntervalMs: 10_000,
      advertise: '203.0.113.5:50051',
      caPin: hash('9f2b7c40'),
    };
    if (since !== null && since.storeId === this.storeId) {
      if (since.revision >= this.#oldest) {
        w.onEvent({ kind: 'resumed', ...begin });
        for (const r of this.#ring) if (r.revision > since.revision) w.onEvent(r.event);
        return;
      }
      w.onEvent({ kind: 'compacted', oldest: this.#oldest });
    }
    w.onEvent({ kind: 'begin', ...begin });
    const all = [...this.#facts.values()];
    for (let i = 0; i < all.length; i += 50) w.onEvent({ kind: 'part', entities: all.slice(i, i + 50) });
    w.onEvent({ kind: 'end', revision: this.#revision });
  }

  // ---- reads ----

  #all<K extends EntityKind>(kind: K): Entities[K][] {
    // The value's type goes with the kind.
    return [...this.#facts.values()].flatMap((e) => (e.kind === kind ? [e.value as Entities[K]] : []));
  }

  async #read<T>(what: string, answer: () => T): Promise<T> {
    this.asked.push(what);
    if (!this.#up) throw new AppError('unavailable', 'no master answers');
    return answer();
  }

  listNodes() {
    return this.#read('listNodes', () => ({
      nodes: this.#all('node'),
      vitals: [...this.#vitals.values()],
      revision: this.#revision,
    }));
  }

  regionSeries(a: Parameters<ConsoleApi['regionSeries']>[0]) {
    return this.#read(`regionSeries ${a.windowMs} ${a.stepMs}`, () =>
      a.places.map((place) => ({
        place,
        ttft95Ms: Array.from({ length: a.windowMs / a.stepMs }, (_, i) => (i < 3 ? null : 600 + i)),
      })),
    );
  }

  nodeDetail(name: string) {
    return this.#read(`nodeDetail ${name}`, () => {
      const node = this.#all('node').find((n) => n.name === name);
      const vitals = this.#vitals.get(name);
      if (node === undefined || vitals === undefined)
        throw new AppError('not_found', `there is no node ${name}`);
      const minutes = Array.from({ length: 60 }, (_, i) => (i < 20 ? Number.NaN : 400 + (i % 7) * 9));
      const now = this.#time.now();
      return {
        node,
        vitals,
        series: ['ttft_p50', 'ttft_p95', 'gap_p99', 'p99', 'streams', 'rps', 'err_pct', 'cpu_pct'].map(
          (s) => ({
            name: s,
            values: minutes.map((m) => (s === 'err_pct' ? m / 2000 : s === 'cpu_pct' ? m / 20 : m)),
          }),
        ),
        services: [],
        drains: [],
        log: [
          { at: now - 9_000, level: 'info' as const, text: 'edge-tls listening on :443' },
          {
            at: now - 2_000,
            level: 'warn' as const,
            text: `${name}: slow origin, \u001b[2Jfirst byte after 2.4s`,
          },
        ],
        lastMinuteAt: now - (now % 60_000),
        commands: this.#all('command').filter((c) => Object.hasOwn(c.results, name)),
        events: this.#all('event').filter((e) => e.subject === name),
      };
    });
  }

  listConfigs() {
    return this.#read('listConfigs', () => this.#all('version'));
  }

  getConfig(label: string) {
    return this.#read(`getConfig ${label}`, () => {
      const version = this.#version(label);
      return { version, body: this.#bodies.get(label) ?? new TextEncoder().encode('services: []\n') };
    });
  }

  getCommand(id: CommandId) {
    return this.#read(`getCommand ${id}`, () => {
      const c = this.#all('command').find((t) => t.id === id);
      if (c === undefined) throw new AppError('not_found', `there is no command ${id}`);
      return c;
    });
  }

  listAlerts() {
    return this.#read('listAlerts', () => ({ alerts: this.#all('alert'), silences: this.#all('silence') }));
  }

  previewSilence(matchers: Silence['matchers']) {
    return this.#read('previewSilence', (): SilencePreview => {
      const live = this.#all('alert').filter((a) => a.state !== 'resolved');
      const nodes = this.#all('node');
      const onNodes = matchers.filter((m) => m.name !== 'alertname' && m.name !== 'severity');
      const hit = nodes.filter((n) =>
        silenceMatches(
          { matchers: onNodes },
          { ...n.labels, node: n.name, region: n.region, type: n.nodeType },
        ),
      );
      return {
        wouldSilence: live.filter((a) => silenceMatches({ matchers }, a.labels)),
        wouldNotSilence: live.filter((a) => !silenceMatches({ matchers }, a.labels)),
        nodes: hit.map((n) => n.name),
        totalNodes: nodes.length,
        asksTwice: hit.length * 2 > nodes.length && hit.length > 1,
      };
    });
  }

  previewRollback(a: { readonly label: string; readonly target: Target }) {
    return this.#read(`previewRollback ${a.label}`, (): RollbackPreview => {
      const version = this.#version(a.label);
      const parent = version.parent;
      if (parent === null)
        throw new AppError('precondition', `${a.label} is the first version: nothing before it`);
      const nodes = this.#all('node').filter((n) => n.target?.version === a.label);
      const streams = nodes.reduce((sum, n) => sum + (this.#vitals.get(n.name)?.streams ?? 0), 0);
      return { toLabel: parent, newLabel: this.#nextLabel(), nodes: nodes.map((n) => n.name), streams };
    });
  }

  validateConfig(a: { readonly body: Uint8Array }) {
    return this.#read('validateConfig', () => this.#centre.validate(a.body));
  }

  diffConfigs(a: { readonly from: string; readonly to: string }) {
    return this.#read(`diffConfigs ${a.from} ${a.to}`, () =>
      this.#centre.diff(this.#side(a.from), this.#side(a.to)),
    );
  }

  previewPublish(a: { readonly label: string; readonly target: Target }) {
    return this.#read(`previewPublish ${a.label}`, () => {
      const version = this.#version(a.label);
      const hit = this.#all('node').filter((n) => targets(a.target, n));
      return this.#centre.blast(version.label, hit, this.#vitals);
    });
  }

  listRegionVariables() {
    return this.#read('listRegionVariables', () => this.#centre.regions);
  }

  listSecrets() {
    return this.#read('listSecrets', () => this.#centre.secrets);
  }

  #side(label: string) {
    const { label: name } = this.#version(label);
    return { name, body: this.#bodies.get(label) ?? new Uint8Array() };
  }

  // ---- writes: the same request id gets the first answer again ----

  #write<T>(m: MutationArgs, what: string, answer: () => T): Promise<T> {
    this.asked.push(what);
    const known = m.requestId === undefined ? undefined : this.#answers.get(m.requestId);
    if (known !== undefined) return known as Promise<T>;
    const made = (async () => {
      if (!this.#up) throw new AppError('unavailable', 'no master answers');
      if (this.refuse !== null) throw this.refuse;
      return answer();
    })();
    if (m.requestId !== undefined) this.#answers.set(m.requestId, made);
    return made;
  }

  #version(label: string): ConfigVersion {
    const v = this.#all('version').find((x) => x.label === label);
    if (v === undefined) throw new AppError('not_found', `there is no version ${label}`);
    return v;
  }

  #nextLabel(): VersionLabel {
    return `v${this.#all('version').length + 1}` as VersionLabel;
  }

  #targets(t: Target): readonly Node[] {
    return this.#all('node').filter(
      (n) =>
        (t.nodes === undefined || t.nodes.includes(n.name)) &&
        (t.nodeType === undefined || t.nodeType === n.nodeType) &&
        (t.regions === undefined || t.regions.includes(n.region)) &&
        Object.entries(t.labels ?? {}).every(([k, v]) => n.labels[k] === v),
    );
  }

  createConfig(
    m: MutationArgs,
    a: {
      readonly label: string | null;
      readonly description: string;
      readonly body: Uint8Array;
      readonly parent: string | null;
    },
  ) {
    return this.#write(m, `createConfig ${a.label ?? ''}`, () => {
      const label = a.label ?? this.#nextLabel();
      const text = new TextDecoder().decode(a.body);
      const line = text.split('\n').findIndex((l) => l.includes('secure: "yes"'));
      if (line >= 0) {
        throw new AppError('invalid', 'the document was refused', {
          refusals: [
            {
              code: 'bad_type',
              message: 'tls.secure is the text "yes"; true or false is wanted',
              line: line + 1,
              column: (text.split('\n')[line]?.indexOf('"yes"') ?? 0) + 1,
              path: 'services[0].dialer.tls.secure',
              hint: 'write secure: true',
            },
          ],
        });
      }
      if (this.#facts.has(`version ${label}`))
        throw new AppError('conflict', `${label} exists with other content`);
      const version = fakeVersion(label, {
        description: a.description,
        publications: [],
        parent: a.parent as VersionLabel | null,
        createdAt: this.#time.now(),
      });
      this.#bodies.set(label, a.body);
      return { revision: this.commit([{ kind: 'version', key: label, value: version }]), version };
    });
  }

  publish(
    m: MutationArgs,
    a: { readonly label: string; readonly target: Target; readonly dryRun: boolean } & Pace,
  ) {
    const how = a.strategy === undefined ? '' : ` ${a.strategy}`;
    const what = `publish ${a.label}${a.dryRun ? ' dry' : ''}${how} ${JSON.stringify(a.target)}`;
    return this.#write(m, what, () => {
      const version = this.#version(a.label);
      const nodes = this.#targets(a.target);
      const names = nodes.map((n) => n.name);
      if (a.dryRun) return { revision: this.#revision, version, nodes: names, rollout: null };
      return { ...this.#publish(version, nodes, a.target, m.reason), nodes: names };
    });
  }

  #publish(version: ConfigVersion, nodes: readonly Node[], target: Target, reason: string) {
    const at = this.#time.now();
    const publication = {
      target,
      publishedBy: 'lin(1000)',
      publishedAt: at,
      reason,
      revision: this.#revision + 1,
    };
    const next: ConfigVersion = { ...version, publications: [...version.publications, publication] };
    const made = fakeRollout(String(this.#all('rollout').length + 1), {
      version: version.label,
      target,
      revision: this.#revision + 1,
      steps: fakeStrategy.steps.map(() => ({
        targets: nodes.length,
        startedAt: at,
        endedAt: null,
        note: '',
      })),
      counts: fakeCounts({ applying: nodes.length }),
      reason,
      createdAt: at,
      updatedAt: at,
      modRevision: this.#revision + 1,
    });
    const wants = { version: version.label, hash: hash(version.label) as ConfigHash };
    const puts = nodes.map(
      (n): Entity => ({ kind: 'node', key: n.name, value: { ...n, target: wants, configSync: 'applying' } }),
    );
    this.#rolloutTargets.set(
      made.id,
      nodes.map((n) => fakeTarget(made.id, n.name, { region: n.region, state: 'applying', released: true })),
    );
    const revision = this.commit([
      { kind: 'version', key: version.label, value: next },
      { kind: 'rollout', key: made.id, value: made },
      ...puts,
    ]);
    this.#time.after(800, () => {
      for (const n of nodes) this.putNode({ ...n, target: wants, effective: wants, configSync: 'in_sync' });
      const ended = this.#time.now();
      const counts = fakeCounts({ healthy: nodes.length });
      this.putRollout({ ...made, state: { kind: 'succeeded' }, counts, updatedAt: ended, endedAt: ended });
    });
    return { revision, version: next, rollout: made };
  }

  rollback(
    m: MutationArgs,
    a: { readonly label: string; readonly target: Target; readonly confirmNodes: number | null },
  ) {
    return this.#write(m, `rollback ${a.label} ${a.confirmNodes ?? ''} ${m.reason}`, () => {
      const version = this.#version(a.label);
      if (version.parent === null) throw new AppError('precondition', `${a.label} is the first version`);
      const nodes = this.#all('node').filter((n) => n.target?.version === a.label);
      if (a.confirmNodes !== null && a.confirmNodes !== nodes.length) {
        throw new AppError('conflict', `it is ${nodes.length} nodes now, not ${a.confirmNodes}`);
      }
      const label = this.#nextLabel();
      const made = fakeVersion(label, {
        parent: version.label,
        rollbackOf: version.parent,
        publications: [],
      });
      return { ...this.#publish(made, nodes, a.target, m.reason), nodes: nodes.map((n) => n.name) };
    });
  }

  // ---- rollouts ----

  /** What the design calls targets is not in the stream: it is read while it is on screen. */
  putRollout(rollout: Rollout, targets?: readonly RolloutTarget[]): void {
    if (targets !== undefined) this.#rolloutTargets.set(rollout.id, targets);
    this.commit([{ kind: 'rollout', key: rollout.id, value: rollout }]);
  }

  #rollout(id: RolloutId): Rollout {
    const r = this.#all('rollout').find((x) => x.id === id);
    if (r === undefined) throw new AppError('not_found', `there is no rollout ${id}`);
    return r;
  }

  listRollouts(a: { readonly limit: number; readonly before: string | null; readonly open?: boolean }) {
    return this.#read('listRollouts', () => {
      const all = this.#all('rollout')
        .filter((r) => a.open === undefined || a.open !== OVER.includes(r.state.kind))
        .filter((r) => a.before === null || Number(r.id) < Number(a.before))
        .toSorted((x, y) => Number(y.id) - Number(x.id));
      const rollouts = all.slice(0, a.limit);
      return { rollouts, next: all.length > a.limit ? (rollouts.at(-1)?.id ?? null) : null };
    });
  }

  getRollout(a: { readonly id: RolloutId; readonly targets: number }) {
    return this.#read(`getRollout ${a.id}`, () => {
      const rollout = this.#rollout(a.id);
      const targets = this.#rolloutTargets.get(a.id)?.slice(0, a.targets) ?? [];
      return { rollout, targets, legal: legalHere(rollout) };
    });
  }

  rolloutVerb(
    m: MutationArgs,
    a: { readonly id: RolloutId; readonly verb: RolloutVerb; readonly confirmNodes: number | null },
  ) {
    return this.#write(m, `rolloutVerb ${a.verb} ${a.id} ${a.confirmNodes ?? ''} ${m.reason}`, () => {
      const was = this.#rollout(a.id);
      const legal = legalHere(was).find((l) => l.verb === a.verb);
      if (!legal?.ok) throw new AppError('precondition', legal?.why ?? 'not a verb');
      const rollout = afterVerb(was, a.verb, m.reason, this.#time.now());
      return { revision: this.commit([{ kind: 'rollout', key: rollout.id, value: rollout }]), rollout };
    });
  }

  previewRevert() {
    return this.#read('previewRevert', (): RevertPreview => {
      const last = this.#newest();
      const by = OVER.includes(last.state.kind) ? 'undo' : 'abort';
      const hit = this.#all('node').filter((n) => n.target?.version === last.version);
      const regions = [...new Set(hit.map((n) => n.region))].toSorted().map((region) => {
        const own = hit.filter((n) => n.region === region);
        return { region, nodes: own.length, streams: this.#streams(own) };
      });
      return {
        rollout: last,
        by,
        toLabel: this.#version(last.version).parent,
        newLabel: by === 'undo' ? this.#nextLabel() : null,
        nodes: hit.map((n) => n.name),
        regions,
        streams: this.#streams(hit),
        batches: Math.max(1, Math.ceil(hit.length / last.strategy.maxParallel)),
        closes: [],
      };
    });
  }

  revertLast(m: MutationArgs, a: { readonly confirmNodes: number | null }) {
    return this.#write(m, `revertLast ${a.confirmNodes ?? ''} ${m.reason}`, () => {
      const rollout = afterVerb(this.#newest(), 'abort', m.reason, this.#time.now());
      return { revision: this.commit([{ kind: 'rollout', key: rollout.id, value: rollout }]), rollout };
    });
  }

  #newest(): Rollout {
    const last = this.#all('rollout').toSorted((x, y) => Number(y.id) - Number(x.id))[0];
    if (last === undefined) throw new AppError('precondition', 'nothing was published by a rollout yet');
    return last;
  }

  #streams(nodes: readonly Node[]): number {
    return nodes.reduce((sum, n) => sum + (this.#vitals.get(n.name)?.streams ?? 0), 0);
  }

  runCommand(
    m: MutationArgs,
    a: {
      readonly type: CommandType;
      readonly target: Target;
      readonly timeoutMs: number | null;
      readonly expiresMs: number | null;
      readonly dryRun: boolean;
      readonly maxParallel: number | null;
      readonly options: CommandOptions;
    },
  ) {
    const names = a.target.nodes?.join(' ') ?? JSON.stringify(a.target);
    return this.#write(m, `runCommand ${a.type} ${names}`, () => {
      const nodes = this.#targets(a.target);
      if (nodes.length === 0) throw new AppError('not_found', 'no node is meant by this');
      const id = `C-${this.#next++}` as CommandId;
      const task = (state: CommandState) => this.#task(id, a.type, a.target, nodes, state, m.reason);
      const command = task('queued');
      const who = {
        nodes: nodes.map((n) => n.name),
        offline: nodes.filter((n) => this.#vitals.get(n.name)?.status !== 'ready').map((n) => n.name),
      };
      if (a.dryRun) return { revision: this.#revision, command, ...who };
      const step = (state: CommandState) => {
        this.commit([{ kind: 'command', key: id, value: task(state) }]);
      };
      const revision = this.commit([{ kind: 'command', key: id, value: command }]);
      this.#time.after(100, () => step('received'));
      this.#time.after(300, () => step('running'));
      this.#time.after(1_800, () => step('succeeded'));
      return { revision, command, ...who };
    });
  }

  getNode(name: string) {
    return this.#read(`getNode ${name}`, () => {
      const node = this.#all('node').find((n) => n.name === name);
      const vitals = this.#vitals.get(name);
      if (!node || !vitals) throw new AppError('not_found', `there is no node ${name}`);
      return { node, vitals };
    });
  }

  updateNode(m: MutationArgs, a: Parameters<ConsoleApi['updateNode']>[1]) {
    return this.#write(
      m,
      `updateNode ${a.name} ${JSON.stringify(a.labels ?? {})} ${a.eligibility ?? ''}`,
      () => {
        const old = this.#all('node').find((n) => n.name === a.name);
        if (!old) throw new AppError('not_found', `there is no node ${a.name}`);
        const labels = Object.entries({ ...old.labels, ...a.labels }).filter(
          (l): l is [string, string] => l[1] !== null,
        );
        const node: Node = {
          ...old,
          labels: Object.fromEntries(labels),
          eligibility: a.eligibility ?? old.eligibility,
        };
        return { revision: this.commit([{ kind: 'node', key: node.name, value: node }]), node };
      },
    );
  }

  removeNode(m: MutationArgs, a: { readonly name: string; readonly keep: boolean }) {
    return this.#write(m, `removeNode ${a.name}${a.keep ? ' keep' : ''}`, () => {
      const old = this.#all('node').find((n) => n.name === a.name);
      if (!old) throw new AppError('not_found', `there is no node ${a.name}`);
      const revision = a.keep
        ? this.commit([{ kind: 'node', key: old.name, value: { ...old, identity: 'revoked' } }])
        : this.commit([], [{ kind: 'node', key: old.name }]);
      return { revision };
    });
  }

  listCommands(a: Parameters<ConsoleApi['listCommands']>[0]) {
    return this.#read('listCommands', () => ({
      commands: this.#all('command')
        .filter((t) => (a.state ?? t.state) === t.state && (a.type ?? t.type) === t.type)
        .toReversed()
        .slice(0, a.limit),
      next: null,
    }));
  }

  cancelCommand(m: MutationArgs, id: CommandId) {
    return this.#write(m, `cancelCommand ${id}`, () => {
      const old = this.#all('command').find((t) => t.id === id);
      if (!old) throw new AppError('not_found', `there is no command ${id}`);
      const command: CommandTask = { ...old, cancelledAt: this.#time.now() };
      return { revision: this.commit([{ kind: 'command', key: id, value: command }]), command };
    });
  }

  /** The node's log of its page, then the end of the time. */
  followLogs(...[a, onLine, onEnd]: Parameters<ConsoleApi['followLogs']>) {
    let open = true;
    this.nodeDetail(a.node).then(
      ({ log }) => {
        if (!open) return;
        for (const line of log.slice(-a.lines)) onLine(line);
        this.#time.after(a.maxMs, () => {
          if (open) onEnd('its time is over');
        });
      },
      (e: unknown) => onEnd(e instanceof Error ? e.message : String(e)),
    );
    return {
      close() {
        open = false;
      },
    };
  }

  listTokens() {
    return this.#read('listTokens', (): readonly TokenView[] => []);
  }

  revokeToken(m: MutationArgs, id: string) {
    return this.#write(m, `revokeToken ${id}`, (): { revision: number; token: TokenView } => {
      throw new AppError('not_found', `there is no token ${id}`);
    });
  }

  #task(
    id: CommandId,
    type: CommandType,
    target: Target,
    nodes: readonly Node[],
    state: CommandState,
    reason: string,
  ): CommandTask {
    const done = state === 'succeeded';
    const result = (n: Node): CommandResult => {
      const away = this.#vitals.get(n.name)?.status !== 'ready';
      return {
        commandId: id,
        state: away ? 'queued' : state,
        exitCode: 0,
        outputTail: '',
        before: done && !away ? n.engine : null,
        after:
          done && !away && n.engine !== null ? { ...n.engine, generation: n.engine.generation + 1 } : null,
        unchanged: done,
        tookMs: done ? 1_800 : 0,
        streamsKept: done ? (this.#vitals.get(n.name)?.streams ?? 0) : 0,
      };
    };
    const results: Record<NodeName, CommandResult> = {};
    for (const n of nodes) results[n.name] = result(n);
    const settled = Object.values(results).every((r) => r.state === 'succeeded');
    return {
      id,
      type,
      target,
      state: settled ? 'succeeded' : state === 'queued' ? 'queued' : 'running',
      results,
      createdBy: 'lin(1000)',
      createdAt: this.#time.now(),
      expiresAt: this.#time.now() + 600_000,
      timeoutMs: 30_000,
      endedAt: settled ? this.#time.now() : null,
      reason,
      modRevision: this.#revision + 1,
    };
  }

  #overlay(a: AlertView): AlertView {
    const now = this.#time.now();
    const active = this.#all('silence').filter(
      (s) => silenceState(s, now) === 'active' && silenceMatches(s, a.labels),
    );
    return { ...a, silencedBy: a.state === 'resolved' ? [] : active.map((s) => s.id) };
  }

  #overlayAll(): Entity[] {
    return this.#all('alert').map((a) => ({ kind: 'alert', key: a.fingerprint, value: this.#overlay(a) }));
  }

  createSilence(
    m: MutationArgs,
    a: {
      readonly matchers: Silence['matchers'];
      readonly alert: Fingerprint | null;
      readonly startsAt: number | null;
      readonly endsAt: number;
      readonly comment: string;
    },
  ) {
    return this.#write(
      m,
      `createSilence ${a.alert ?? a.matchers.map((x) => `${x.name}=${x.value}`).join(',')}`,
      () => {
        const now = this.#time.now();
        if (a.comment.trim() === '') throw new AppError('invalid', 'a comment is wanted');
        const of = this.#all('alert').find((x) => x.fingerprint === a.alert);
        const matchers =
          of === undefined
            ? a.matchers
            : Object.entries(of.labels).map(([name, value]) => ({
                name,
                value,
                isRegex: false,
                isEqual: true,
              }));
        const id = `S-${40 + this.#next++}` as SilenceId;
        const silence: Silence = {
          id,
          matchers,
          startsAt: a.startsAt ?? now,
          endsAt: a.endsAt,
          createdBy: 'lin(1000)',
          createdAt: now,
          comment: a.comment,
          modRevision: this.#revision + 1,
        };
        const revision = this.commit([{ kind: 'silence', key: id, value: silence }]);
        this.commit(this.#overlayAll());
        return { revision, silence };
      },
    );
  }

  expireSilence(m: MutationArgs, id: SilenceId) {
    return this.#write(m, `expireSilence ${id}`, () => {
      const s = this.#all('silence').find((x) => x.id === id);
      if (s === undefined) throw new AppError('not_found', `there is no silence ${id}`);
      const silence: Silence = { ...s, endsAt: this.#time.now() };
      const revision = this.commit([{ kind: 'silence', key: id, value: silence }]);
      this.commit(this.#overlayAll());
      return { revision, silence };
    });
  }

  createToken(
    m: MutationArgs,
    a: {
      readonly nodeType: 'edge' | 'core';
      readonly region: string;
      readonly name: string | null;
      readonly ttlMs: number | null;
      readonly replace: boolean;
    },
  ) {
    return this.#write(m, `createToken ${a.nodeType} ${a.region} ${a.name ?? ''}`, () => {
      const token = `ct1.${hash('9f2b7c40e1d8')}.k7q2.Jm4tYx9RwB2sVhEzNq8u`;
      return {
        revision: this.commit([]),
        token,
        expiresAt: this.#time.now() + (a.ttlMs ?? 1_800_000),
        joinCommand: `./scripts/deploy-agent.sh 203.0.113.5:50051 ${a.nodeType} ${a.region} ${a.name ?? 'hk-1'} --token ${token}`,
      };
    });
  }

  setRegionVariables(
    m: MutationArgs,
    a: { readonly region: string; readonly variables: Readonly<Record<string, string | null>> },
  ) {
    return this.#write(m, `setRegionVariables ${a.region}`, () => {
      const revision = this.commit([]);
      return { revision, region: this.#centre.setRegion(a.region, a.variables, revision), nodes: [] };
    });
  }

  putSecret(m: MutationArgs, a: { readonly name: string }) {
    return this.#write(m, `putSecret ${a.name}`, () => {
      const revision = this.commit([]);
      return { revision, secret: this.#centre.put(a.name, 'secret', revision) };
    });
  }

  putCertificate(m: MutationArgs, a: { readonly name: string }) {
    return this.#write(m, `putCertificate ${a.name}`, () => {
      const revision = this.commit([]);
      return { revision, secret: this.#centre.put(a.name, 'certificate', revision) };
    });
  }

  removeSecret(m: MutationArgs, name: string) {
    return this.#write(m, `removeSecret ${name}`, () => {
      this.#centre.remove(name);
      return { revision: this.commit([]) };
    });
  }

  close(): void {
    for (const w of this.#watchers) w.open = false;
    this.#watchers.clear();
  }
}

/** A firing alert about one node. */
export function fakeAlert(
  rule: string,
  node: string,
  over: Partial<Extract<AlertView, { state: 'firing' }>> = {},
): AlertView {
  return {
    fingerprint: `${rule}-${node}` as Fingerprint,
    rule,
    severity: 'warning',
    labels: { alertname: rule, node, region: 'hk', type: 'edge' },
    value: 'P99 184 > 100 ms',
    pendingAt: 0,
    firingAt: 0,
    state: 'firing',
    silencedBy: [],
    inhibitedBy: [],
    modRevision: 1,
    ...over,
  };
}
