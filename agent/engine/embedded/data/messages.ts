import type {
  Admission,
  Auth,
  BandwidthLimit,
  CountLimit,
  Limiter,
  Selector,
} from '../../../../proto/document/document.ts';
import type { ConfirmResult, ServiceStats } from '../../port.ts';
import type { Want } from './tally.ts';

// All that control and data say to each other. Plain data only, cloned on the way: data/ knows no files, no document
// and no client, so that it can run in workers of its own.

/** PEM texts. `ca: null` on a dialer: the system's roots. */
export interface Material {
  readonly cert: string | null;
  readonly key: string | null;
  readonly ca: string | null;
}

/**
 * Whom a TLS peer has to be: `any` shows nothing (a public listener), `ca` a certificate of the material's CA,
 * `fleet` a node of ours: the CA and a SAN `URI:spiffe://ai-cdn/node/<name>`.
 */
export type Peers = 'any' | 'ca' | 'fleet';

export interface TlsListen {
  /** Key into `materials`. */
  readonly material: string;
  readonly peers: Peers;
}

export interface TlsDial extends TlsListen {
  /** Sent as SNI and checked against the certificate. */
  readonly serverName: string | null;
}

/**
 * What lies between TLS, or TCP, and the streams of a listener. `bufferBytes`: what may be read ahead of a slow reader,
 * of a session's stream or of a connection; there what the kernel hands over at once comes on top.
 */
export interface ListenOver {
  /** Of a WebSocket; null without one. */
  readonly path: string | null;
  /** smux: many streams a connection. */
  readonly mux: boolean;
  /** Of smux: open at once in one session. */
  readonly maxStreams?: number;
  readonly bufferBytes?: number;
}

export interface DialOver {
  readonly path: string | null;
  /** The Host header of a WebSocket; null: the node's address. */
  readonly host: string | null;
  /** smux sessions kept to the node; 0: a connection a stream. */
  readonly sessions: number;
  readonly bufferBytes?: number;
}

export interface Endpoint {
  /** Empty: every address. */
  readonly host: string;
  readonly port: number;
}

/** A node to connect to: a core or a target. */
export interface DataNode extends Endpoint {
  readonly name: string;
  readonly tls: TlsDial | null;
  readonly over: DialOver;
  /** `forward`: the stream's bytes and nothing else; all that targets are spoken to in. */
  readonly speaks: 'relay' | 'forward';
  readonly auth: Auth | null;
  readonly backup: boolean;
  readonly weight: number;
  /** Shaken hands with every so often; absent: only streams find out how it is. */
  readonly probe?: { readonly intervalMs: number; readonly timeoutMs: number };
}

/** Of a node that is a target: TCP, and the stream's bytes. */
export const DIRECT = {
  tls: null,
  over: { path: null, host: null, sessions: 0 },
  speaks: 'forward',
  auth: null,
  backup: false,
  weight: 1,
} as const satisfies Omit<DataNode, 'name' | 'host' | 'port'>;

export interface Pool {
  readonly name: string;
  readonly selector: Selector;
  readonly nodes: readonly DataNode[];
}

/** Counted by the limiter's name: services that share one share its counts. */
export interface Guards {
  readonly admission?: Admission;
  readonly limiter?: Limiter<BandwidthLimit>;
  readonly climiter?: Limiter<CountLimit>;
  readonly rlimiter?: Limiter<CountLimit>;
}

export interface DataService {
  readonly name: string;
  readonly listen: Endpoint;
  readonly tls: TlsListen | null;
  readonly over: ListenOver;
  /** Connections begin with a PROXY header. */
  readonly proxyIn: boolean;
  /** Streams begin with one, of this version, for the origin; 0: none. */
  readonly proxyOut: 0 | 1 | 2;
  /** `tcp` is for clients of any kind, `forward` the same for edges, whose ends can be sealed. */
  readonly handler: 'tcp' | 'relay' | 'forward';
  /** `null`: no user and password asked for. */
  readonly auths: readonly Auth[] | null;
  /** Cores; `null`: straight to the targets. */
  readonly cores: Pool | null;
  /** Where streams go; `null`: the next hop decides (tcp), or the peer's CONNECT does (relay). */
  readonly targets: Pool | null;
  readonly guards?: Guards;
  readonly retries: number;
  readonly dialTimeoutMs: number;
  /** Look into clear HTTP/1.1 for turns. */
  readonly turns: boolean;
}

export interface BindProblem {
  readonly service: string;
  readonly message: string;
}

export interface Bind {
  readonly service: string;
  readonly listen: Endpoint;
}

export interface DataCalls {
  /** Binds what is not bound and lets go again. */
  tryBind: { args: { listeners: readonly Bind[] }; ok: { problems: readonly BindProblem[] } };
  /** Binds what is not bound and holds it for `commit` or `abort`; with any problem nothing is held. */
  bind: { args: { listeners: readonly Bind[] }; ok: { problems: readonly BindProblem[] } };
  /** Swaps routes and certificates, then closes listeners no longer wanted. Streams go on. Needs `bind` before. */
  commit: {
    args: { services: readonly DataService[]; materials: Readonly<Record<string, Material>> };
    ok: { opened: readonly string[]; closed: readonly string[]; kept: readonly string[] };
  };
  abort: { args: Record<string, never>; ok: Record<string, never> };
  /** New certificates for the same services. */
  materials: { args: { materials: Readonly<Record<string, Material>> }; ok: Record<string, never> };
  /** `listenersOnly`: no route is tried. */
  confirm: { args: { listenersOnly?: boolean }; ok: ConfirmResult };
  /** Cumulative, of every service that ever was (the oldest idle ones are forgotten after a few hundred). */
  stats: { args: Record<string, never>; ok: { services: readonly ServiceStats[] } };
  /** What is under way now. `sockets`: open TCP connections of the process, streams or not. */
  streams: { args: Record<string, never>; ok: Streams };
  /** Cuts the streams of these services, `null`: of all. */
  cut: { args: { services: readonly string[] | null }; ok: Record<string, never> };
  /** Takes no new connections; streams go on, sessions are asked to open theirs elsewhere. */
  leave: { args: Record<string, never>; ok: Record<string, never> };
  stop: { args: Record<string, never>; ok: Record<string, never> };
}

export interface Streams {
  readonly services: readonly {
    readonly service: string;
    readonly streams: number;
    readonly oldestMs: number;
  }[];
  readonly sockets: number;
}

export type DataCall = keyof DataCalls;

/** What control says to one process alone. */
export interface WorkerCalls extends DataCalls {
  /** It lives. */
  ping: { args: Record<string, never>; ok: Record<string, never> };
  /** Control counts for a node of so many processes: it has had a `whole` report before this is answered. */
  introduce: { args: { workers: number }; ok: Record<string, never> };
}

export type WorkerCall = keyof WorkerCalls;

/** What one process has to do with the limits of the node; by the key of the limit. */
export interface TallyReport {
  /** Said again in the answer. One that only gives is not answered. */
  readonly n: number;
  /** All that it holds, and by how many ms it is early as far as it knows: in place of what was known of it. */
  readonly whole?: {
    readonly places: readonly (readonly [key: string, places: number])[];
    readonly early: readonly (readonly [key: string, ms: number])[];
  };
  /** Places given back. */
  readonly given?: readonly string[];
  readonly asks?: readonly { readonly id: number; readonly wants: readonly Want[] }[];
  /** In ms that it takes at the rate. */
  readonly spent?: readonly (readonly [key: string, ms: number])[];
}

export interface TallyAnswer {
  readonly n: number;
  /** Which of the wants could not be had; -1: it is in. */
  readonly verdicts: readonly (readonly [id: number, refusedBy: number])[];
  /** By how many ms the node is early, for what was spent. */
  readonly early: readonly (readonly [key: string, ms: number])[];
}

/** What the control side holds of one data process. */
export interface DataPort {
  call<K extends DataCall>(name: K, args: DataCalls[K]['args']): Promise<DataCalls[K]['ok']>;
}

export type DataTable = {
  readonly [K in DataCall]: (args: DataCalls[K]['args']) => Promise<DataCalls[K]['ok']>;
};
