import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, BlockList, isIP } from 'node:net';
import { collectDefaultMetrics, type Metric, Registry } from 'prom-client';
import { AppError } from '../../proto/vocab/errors.ts';
import {
  type Counted,
  countedFamilies,
  engineFamilies,
  type Family,
  family,
  hostFamilies,
  one,
} from '../../proto/vocab/exposition.ts';
import { Histogram, type HostFigures } from '../../proto/vocab/metrics.ts';
import type { EngineInfo } from '../../proto/vocab/node.ts';
import type { Engine, EngineStats } from '../engine/port.ts';
import type { Traffic } from './metrics.ts';
import { processesOf } from './reporter.ts';

export interface ExpositionNeeds {
  readonly engine: Pick<Engine, 'stats'>;
  readonly info: () => EngineInfo | null;
  readonly host: (pids: readonly number[]) => Promise<HostFigures>;
  readonly traffic: () => Promise<Traffic | null>;
  /** When this node's certificate expires, ms. */
  readonly certificateUntil: () => number;
}

const REQUEST_MS = 9_000;
const MOST_CONNECTIONS = 32;

/** `/metrics` of one node, from its engine's own counters; they begin anew with the engine. */
export class Exposition {
  private readonly needs: ExpositionNeeds;
  private readonly token: string | null;
  private readonly server: Server;
  private readonly own = new Registry();

  /** @param settings.token what a scraper has to show as a bearer; `null`: nothing, on loopback only */
  constructor(settings: { readonly token: string | null }, needs: ExpositionNeeds) {
    this.needs = needs;
    this.token = settings.token;
    collectDefaultMetrics({ register: this.own });
    this.server = createServer(
      { headersTimeout: REQUEST_MS, requestTimeout: REQUEST_MS },
      (request, response) => {
        this.answer(request, response).catch(() => response.destroy());
      },
    );
    this.server.maxConnections = MOST_CONNECTIONS;
  }

  /** @throws AppError `precondition`: others could read it without a token; `unavailable`: the address cannot be bound now */
  async start(addr: { readonly host: string; readonly port: number }): Promise<AddressInfo> {
    const where = `${addr.host || '*'}:${addr.port}`;
    if (this.token === null && !isLoopback(addr.host)) {
      throw new AppError(
        'precondition',
        `metrics.addr: ${where} can be reached by others: put a token of 16 characters at least into a file and name it in metrics.token_file, or listen on 127.0.0.1`,
      );
    }
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', (e) =>
        reject(
          new AppError('unavailable', `metrics.addr: cannot listen on ${where}: ${e.message}`, { cause: e }),
        ),
      );
      this.server.listen({ port: addr.port, ...(addr.host === '' ? {} : { host: addr.host }) }, resolve);
    });
    return this.server.address() as AddressInfo;
  }

  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    this.server.closeAllConnections();
    await closed;
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const refuse = (status: number, text: string, headers: Record<string, string> = {}): void => {
      response
        .writeHead(status, { 'content-type': 'text/plain; charset=utf-8', ...headers })
        .end(`${text}\n`);
    };
    if (!this.admits(request.headers.authorization)) {
      refuse(401, 'a bearer token is wanted', { 'www-authenticate': 'Bearer realm="ai-cdn"' });
    } else if (request.url?.split('?', 1)[0] !== '/metrics') refuse(404, 'there is /metrics here');
    else if (request.method !== 'GET') refuse(405, 'GET /metrics', { allow: 'GET' });
    else {
      const register = new Registry();
      for (const f of await this.families()) register.registerMetric(asMetric(f));
      const text = `${await this.own.metrics()}\n${await register.metrics()}`;
      response
        .writeHead(200, { 'content-type': register.contentType, 'cache-control': 'no-store' })
        .end(text);
    }
  }

  /** Compared by their hashes: as long for a wrong one as for a right one. */
  private admits(authorization: string | undefined): boolean {
    if (this.token === null) return true;
    const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
    const shown = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1] ?? '';
    return timingSafeEqual(digest(shown), digest(this.token));
  }

  private async families(): Promise<readonly Family[]> {
    const { engine, info, host, traffic, certificateUntil } = this.needs;
    const known = info();
    const [stats, figures, bytes] = await Promise.all([
      engine.stats().catch(() => null),
      host(processesOf(known)),
      traffic().catch(() => null),
    ]);
    return [
      one('engine_up', 'Whether the engine answers.', stats === null ? 0 : 1),
      stats
        ? one(
            'connections_active',
            'Live streams.',
            stats.services.reduce((n, s) => n + s.streams, 0),
          )
        : [],
      known ? one('engine_generation', 'Grows by one with every apply and reload.', known.generation) : [],
      known ? engineFamilies(known) : [],
      one('certificate_expiry_timestamp_seconds', 'When its certificate expires.', certificateUntil() / 1000),
      stats ? countedFamilies([countedOf(stats)]) : [],
      hostFamilies(figures),
      bytes
        ? [
            counter(
              'host_network_received_bytes_total',
              'All interfaces but loopback and bridges.',
              bytes.in,
            ),
            counter('host_network_sent_bytes_total', 'All interfaces but loopback and bridges.', bytes.out),
          ]
        : [],
    ].flat();
  }
}

const counter = (name: string, help: string, value: number): Family =>
  family(name, 'counter', help, [{ labels: {}, value }]);

function countedOf(stats: EngineStats): Counted {
  const all = { connect: new Histogram(), ttft: new Histogram(), gap: new Histogram() };
  for (const s of stats.services) {
    all.connect.merge(s.connect);
    all.ttft.merge(s.ttft);
    all.gap.merge(s.gap);
  }
  return { labels: {}, all, services: new Map(stats.services.map((s) => [s.service, s])) };
}

/** A histogram of prom-client's own can only observe; these come ready. It asks no more of a metric than this. */
function asMetric({ name, help, type, samples }: Family): Metric<string> {
  const values = samples.map(({ suffix = '', labels, value }) => ({
    metricName: `${name}${suffix}`,
    labels,
    value,
  }));
  const metric = { name, help, type, get: async () => ({ name, help, type, values, aggregator: 'sum' }) };
  return metric as unknown as Metric<string>;
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

function isLoopback(host: string): boolean {
  if (isIP(host) === 0) return host === 'localhost';
  return loopback.check(host, host.includes(':') ? 'ipv6' : 'ipv4');
}
