import { parseDuration } from '../vocab/duration.ts';
import { parseSealedRef } from '../vocab/secret.ts';
import type {
  Admission,
  Auth,
  BandwidthLimit,
  ConnectorType,
  CountLimit,
  DialerType,
  ForwardNode,
  HandlerType,
  HopNode,
  Limiter,
  Listener,
  ListenerType,
  ProxyVersion,
  Selector,
  SelectorStrategy,
  Service,
  TlsFiles,
  TunnelDocument,
} from './document.ts';
import { parseBandwidthLimit, parseConnectionLimit, parseRateLimit, parseSize } from './limits.ts';
import { isMux, isSecure, isWebSocket } from './transports.ts';
import { child, items, type Tree, unescapeText } from './tree.ts';

const DEFAULT_SELECTOR: Selector = { strategy: 'round', maxFails: 1, failTimeoutMs: 10_000 };

const HANDLERS: readonly HandlerType[] = ['tcp', 'relay', 'forward'];
const CONNECTORS: readonly ConnectorType[] = ['relay', 'forward'];
const TRANSPORTS: readonly ListenerType[] = ['tcp', 'tls', 'ws', 'wss', 'mtls', 'mwss'];
/** Where gost listens for a WebSocket. */
const PATH = '/ws';
const CONNECTIONS = 4;

const STRATEGIES: Readonly<Record<string, SelectorStrategy>> = {
  round: 'round',
  rr: 'round',
  rand: 'rand',
  random: 'rand',
  fifo: 'fifo',
  ha: 'fifo',
  hash: 'hash',
  least: 'least',
};

/**
 * Tree -> document, every default filled in. Never fails: what checkShape refused becomes its default or an empty text.
 * Defaults are gost's, but for three: `secure` is true (gost: false), `enableStats` is true (gost: false) and
 * `mux.version` is 2 (gost: 1).
 */
export function normalise(tree: Tree): TunnelDocument {
  return {
    services: items(child(tree, 'services')).map(service),
    chains: items(child(tree, 'chains')).map((c) => ({
      name: text(c, 'name'),
      hops: items(child(c, 'hops')).map((h) => text(h, 'name')),
    })),
    hops: items(child(tree, 'hops')).map((h) => ({
      name: text(h, 'name'),
      selector: selector(child(h, 'selector')),
      nodes: items(child(h, 'nodes')).map(hopNode),
    })),
    authers: items(child(tree, 'authers')).map((a) => ({
      name: text(a, 'name'),
      auths: items(child(a, 'auths')).map(auth),
    })),
    ...guards(tree),
  };
}

type Guards = Pick<TunnelDocument, 'limiters' | 'climiters' | 'rlimiters' | 'admissions'>;

/** Only what there is: a document without guards has no keys of theirs. */
function guards(tree: Tree): Guards {
  const limiters = limitersOf<BandwidthLimit>(child(tree, 'limiters'), parseBandwidthLimit);
  const climiters = limitersOf<CountLimit>(child(tree, 'climiters'), parseConnectionLimit);
  const rlimiters = limitersOf<CountLimit>(child(tree, 'rlimiters'), parseRateLimit);
  const admissions = items(child(tree, 'admissions')).map(
    (a): Admission => ({
      name: text(a, 'name'),
      whitelist: bool(a, 'whitelist', false),
      matchers: texts(child(a, 'matchers')),
    }),
  );
  return {
    ...(limiters.length > 0 ? { limiters } : {}),
    ...(climiters.length > 0 ? { climiters } : {}),
    ...(rlimiters.length > 0 ? { rlimiters } : {}),
    ...(admissions.length > 0 ? { admissions } : {}),
  };
}

function limitersOf<T extends object>(
  tree: Tree | undefined,
  parse: (text: string) => T | string,
): Limiter<T>[] {
  return items(tree).map((l) => ({
    name: text(l, 'name'),
    limits: texts(child(l, 'limits'))
      .map(parse)
      .filter((limit) => typeof limit !== 'string'),
  }));
}

function texts(tree: Tree | undefined): string[] {
  return items(tree).flatMap((t) => (t.kind === 'scalar' && typeof t.value === 'string' ? [t.value] : []));
}

function guardNames(tree: Tree): Pick<Service, 'limiter' | 'climiter' | 'rlimiter' | 'admission'> {
  const name = (key: string): Record<string, string> => {
    const value = textOrNull(tree, key);
    return value === null ? {} : { [key]: value };
  };
  return { ...name('limiter'), ...name('climiter'), ...name('rlimiter'), ...name('admission') };
}

function service(tree: Tree): Service {
  const handler = child(tree, 'handler');
  const forwarder = child(tree, 'forwarder');
  const metadata = child(tree, 'metadata');
  const type = choice(handler, 'type', HANDLERS, 'tcp');
  return {
    name: text(tree, 'name'),
    addr: text(tree, 'addr'),
    handler: {
      type,
      chain: textOrNull(handler, 'chain'),
      auther: textOrNull(handler, 'auther'),
      retries: number(handler, 'retries', 0),
      ...proxy(child(handler, 'metadata')),
    },
    listener: listener(child(tree, 'listener'), type),
    forwarder: forwarder
      ? {
          nodes: items(child(forwarder, 'nodes')).map(
            (n): ForwardNode => ({ name: text(n, 'name'), addr: text(n, 'addr') }),
          ),
          selector: selector(child(forwarder, 'selector')),
        }
      : null,
    enableStats: bool(metadata, 'enableStats', true),
    dialTimeoutMs: duration(metadata, 'dialTimeout', 8000),
    ...guardNames(tree),
    ...proxy(metadata),
  };
}

function listener(tree: Tree | undefined, handler: HandlerType): Listener {
  const type = choice(tree, 'type', TRANSPORTS, 'tcp');
  const metadata = child(tree, 'metadata');
  const maxStreams = number(metadata, 'maxStreams', 0);
  const layers = {
    ...(isWebSocket(type) ? { path: textOrNull(metadata, 'path') ?? PATH } : {}),
    ...(isMux(type) && maxStreams > 0 ? { maxStreams } : {}),
    ...readBuffer(metadata),
  };
  if (!isSecure(type)) return { type, tls: null, identity: false, ...layers };
  const files = tlsFiles(child(tree, 'tls'));
  const identity = handler !== 'tcp' && files.certFile === null;
  return { type, tls: identity ? null : files, identity, ...layers };
}

function hopNode(tree: Tree): HopNode {
  const connector = child(tree, 'connector');
  const credentials = child(connector, 'auth');
  const metadata = child(tree, 'metadata');
  return {
    name: text(tree, 'name'),
    addr: text(tree, 'addr'),
    connector: {
      type: choice(connector, 'type', CONNECTORS, 'relay'),
      auth: credentials ? auth(credentials) : null,
    },
    dialer: dialer(child(tree, 'dialer')),
    backup: bool(metadata, 'backup', false),
    weight: number(metadata, 'weight', 1),
    ...probe(child(tree, 'probe')),
  };
}

function probe(tree: Tree | undefined): Pick<HopNode, 'probe'> {
  if (tree === undefined) return {};
  const intervalMs = duration(tree, 'interval', 30_000);
  return { probe: { addr: text(tree, 'addr'), intervalMs, timeoutMs: duration(tree, 'timeout', 10_000) } };
}

function dialer(tree: Tree | undefined): HopNode['dialer'] {
  const type: DialerType = choice(tree, 'type', TRANSPORTS, 'tcp');
  const metadata = child(tree, 'metadata');
  const host = textOrNull(metadata, 'host');
  const layers = {
    ...(isWebSocket(type) ? { path: textOrNull(metadata, 'path') ?? PATH } : {}),
    ...(isWebSocket(type) && host !== null ? { host } : {}),
    ...(isMux(type) ? { connections: number(metadata, 'mux.connections', CONNECTIONS) } : {}),
    ...readBuffer(metadata),
  };
  if (!isSecure(type)) return { type, tls: null, identity: false, ...layers };
  const tls = child(tree, 'tls');
  const files = tlsFiles(tls);
  return {
    type,
    tls: { ...files, secure: bool(tls, 'secure', true), serverName: textOrNull(tls, 'serverName') },
    identity: files.certFile === null && files.caFile === null,
    ...layers,
  };
}

function readBuffer(metadata: Tree | undefined): { readBufferBytes?: number } {
  const value = scalar(metadata, 'readBufferSize');
  const bytes = typeof value === 'string' ? parseSize(value) : value;
  return typeof bytes === 'number' ? { readBufferBytes: bytes } : {};
}

function proxy(metadata: Tree | undefined): { proxyProtocol?: ProxyVersion } {
  const version = number(metadata, 'proxyProtocol', 0);
  return version === 1 || version === 2 ? { proxyProtocol: version } : {};
}

function tlsFiles(tree: Tree | undefined): TlsFiles {
  const certFile = textOrNull(tree, 'certFile');
  // A sealed certificate has its key beside it.
  const own = certFile !== null && parseSealedRef(certFile) !== null ? certFile : null;
  return {
    certFile,
    keyFile: textOrNull(tree, 'keyFile') ?? own,
    caFile: textOrNull(tree, 'caFile'),
  };
}

function selector(tree: Tree | undefined): Selector {
  const strategy = text(tree, 'strategy');
  return {
    strategy: Object.hasOwn(STRATEGIES, strategy)
      ? (STRATEGIES[strategy] ?? DEFAULT_SELECTOR.strategy)
      : DEFAULT_SELECTOR.strategy,
    maxFails: number(tree, 'maxFails', DEFAULT_SELECTOR.maxFails),
    failTimeoutMs: duration(tree, 'failTimeout', DEFAULT_SELECTOR.failTimeoutMs),
  };
}

function auth(tree: Tree): Auth {
  return { username: text(tree, 'username'), password: text(tree, 'password') };
}

function scalar(tree: Tree | undefined, key: string): string | number | boolean | null {
  const value = child(tree, key);
  return value?.kind === 'scalar' ? value.value : null;
}

function textOrNull(tree: Tree | undefined, key: string): string | null {
  const value = scalar(tree, key);
  return typeof value === 'string' ? unescapeText(value) : null;
}

function text(tree: Tree | undefined, key: string): string {
  return textOrNull(tree, key) ?? '';
}

function choice<T extends string>(tree: Tree | undefined, key: string, among: readonly T[], otherwise: T): T {
  const value = text(tree, key);
  return among.find((word) => word === value) ?? otherwise;
}

function number(tree: Tree | undefined, key: string, otherwise: number): number {
  const value = scalar(tree, key);
  return typeof value === 'number' ? value : otherwise;
}

function bool(tree: Tree | undefined, key: string, otherwise: boolean): boolean {
  const value = scalar(tree, key);
  return typeof value === 'boolean' ? value : otherwise;
}

function duration(tree: Tree | undefined, key: string, otherwise: number): number {
  const value = scalar(tree, key);
  return typeof value === 'string' ? (parseDuration(value) ?? otherwise) : otherwise;
}
