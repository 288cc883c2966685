// The tunnel document, normalised: what every engine reads. A gost v3 subset, strictly read (see schema.ts).
// Everything defaulted, durations in ms, names resolved to what they name. Optional keys belong to some transports only,
// or came later: where they say nothing they are absent, so that documents without them keep their hash.

/** `tcp` and `forward` both carry bytes as they are; `forward` is for the next hop's edges, whose ends can be sealed. */
export type HandlerType = 'tcp' | 'relay' | 'forward';
export type ConnectorType = 'relay' | 'forward';
export type ListenerType = 'tcp' | 'tls' | 'ws' | 'wss' | 'mtls' | 'mwss';
export type DialerType = ListenerType;
/** Version of the PROXY protocol. */
export type ProxyVersion = 1 | 2;
/** `least` is our own word: where the fewest streams are, for a node's weight. */
export type SelectorStrategy = 'round' | 'rand' | 'fifo' | 'hash' | 'least';

/** Own certificate files. On a listener, `caFile` makes a client certificate required. */
export interface TlsFiles {
  readonly certFile: string | null;
  readonly keyFile: string | null;
  readonly caFile: string | null;
}

export interface Selector {
  readonly strategy: SelectorStrategy;
  /** Failures in a row before a node is set aside. */
  readonly maxFails: number;
  readonly failTimeoutMs: number;
}

export interface Handler {
  readonly type: HandlerType;
  /** Name of a chain; `null`: straight to the forwarder. */
  readonly chain: string | null;
  readonly auther: string | null;
  readonly retries: number;
  /** Streams begin with a PROXY header of this version, for the origin. */
  readonly proxyProtocol?: ProxyVersion;
}

export interface Listener {
  readonly type: ListenerType;
  /** `null` on tcp and ws, and where the node's own identity is used. */
  readonly tls: TlsFiles | null;
  /**
   * relay or forward over tls, wss, mtls, mwss without certFile: own identity, peers must show a
   * `spiffe://ai-cdn/node/*` certificate of the fleet CA.
   */
  readonly identity: boolean;
  /** Of ws, wss, mwss. */
  readonly path?: string;
  /** Of mtls and mwss: streams open at once in one session. */
  readonly maxStreams?: number;
  /** What is read of a connection, or of a session's stream, ahead of a slow reader. */
  readonly readBufferBytes?: number;
}

export interface Service {
  readonly name: string;
  /** `host:port`; an empty host is every address (`:443`). */
  readonly addr: string;
  readonly handler: Handler;
  readonly listener: Listener;
  readonly forwarder: { readonly nodes: readonly ForwardNode[]; readonly selector: Selector } | null;
  readonly enableStats: boolean;
  readonly dialTimeoutMs: number;
  /** Names of what guards it; absent: nothing does. */
  readonly limiter?: string;
  readonly climiter?: string;
  readonly rlimiter?: string;
  readonly admission?: string;
  /** Connections begin with a PROXY header, of either version. */
  readonly proxyProtocol?: ProxyVersion;
}

export interface ForwardNode {
  readonly name: string;
  readonly addr: string;
}

export interface Auth {
  readonly username: string;
  readonly password: string;
}

export interface HopNode {
  readonly name: string;
  readonly addr: string;
  readonly connector: { readonly type: ConnectorType; readonly auth: Auth | null };
  readonly dialer: {
    readonly type: DialerType;
    /** `null` on tcp and ws. `secure` defaults to true (gost's own default is false). */
    readonly tls: (TlsFiles & { readonly secure: boolean; readonly serverName: string | null }) | null;
    /** tls without certFile and caFile: own identity, always verified, the peer's SAN must be `spiffe://ai-cdn/node/*`. */
    readonly identity: boolean;
    /** Of ws, wss, mwss. */
    readonly path?: string;
    /** The Host header of ws, wss, mwss where it is not the node's addr. */
    readonly host?: string;
    /** Of mtls and mwss: smux sessions kept to the node. */
    readonly connections?: number;
    /** As a listener's. */
    readonly readBufferBytes?: number;
  };
  readonly backup: boolean;
  readonly weight: number;
  /** A handshake every so often; absent: only what streams find out. `addr` is the node's own, gost wants it again. */
  readonly probe?: { readonly addr: string; readonly intervalMs: number; readonly timeoutMs: number };
}

export interface Hop {
  readonly name: string;
  readonly selector: Selector;
  readonly nodes: readonly HopNode[];
}

export interface Chain {
  readonly name: string;
  /** Names of hops; the first form carries exactly one. */
  readonly hops: readonly string[];
}

export interface Auther {
  readonly name: string;
  readonly auths: readonly Auth[];
}

/**
 * `$`: all together, `$$`: each address (of a limiter: each connection), else an address, or each address of a range.
 * Counted over all processes of a node, and over all services that name it.
 */
export interface CountLimit {
  readonly key: string;
  readonly limit: number;
}

/** Bytes a second from clients and to them, of the node over time; `null`: no limit. */
export interface BandwidthLimit {
  readonly key: string;
  readonly in: number | null;
  readonly out: number | null;
}

export interface Limiter<Limit> {
  readonly name: string;
  readonly limits: readonly Limit[];
}

export interface Admission {
  readonly name: string;
  /** Only these get in, or all but these. */
  readonly whitelist: boolean;
  /** Addresses and ranges. */
  readonly matchers: readonly string[];
}

export interface TunnelDocument {
  readonly services: readonly Service[];
  readonly chains: readonly Chain[];
  readonly hops: readonly Hop[];
  readonly authers: readonly Auther[];
  /** Absent where there are none, so that documents without them keep their hash. */
  readonly limiters?: readonly Limiter<BandwidthLimit>[];
  readonly climiters?: readonly Limiter<CountLimit>[];
  readonly rlimiters?: readonly Limiter<CountLimit>[];
  readonly admissions?: readonly Admission[];
}
