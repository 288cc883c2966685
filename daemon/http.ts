import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AppError } from '../proto/vocab/errors.ts';

export interface HealthSettings {
  /** Empty: every address. */
  readonly host: string;
  readonly port: number;
}

export interface HealthNeeds {
  /** Why the master is degraded, or `null`. */
  degraded(): string | null;
  /** Everything listens, and nobody has asked it to stop. */
  ready(): boolean;
}

export interface HealthServer {
  readonly address: AddressInfo;
  stop(): Promise<void>;
}

/**
 * `/health`: 200 `{status: ok}`, 503 `{status: degraded, reason}`. `/ready`: 200 or 503 `{ready}`.
 * @throws AppError `precondition` when the address cannot be bound
 */
export async function serveHealth(settings: HealthSettings, needs: HealthNeeds): Promise<HealthServer> {
  const server = createServer({ requestTimeout: 10_000, maxHeaderSize: 8192 }, (request, response) => {
    answer(needs, request, response);
  });
  const { host, port } = settings;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) =>
      reject(
        new AppError('precondition', `cannot listen on ${host}:${port}: ${error.message}`, { cause: error }),
      ),
    );
    server.listen({ port, ...(host === '' ? {} : { host }) }, resolve);
  });
  return {
    address: server.address() as AddressInfo,
    async stop() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

function answer(needs: HealthNeeds, request: IncomingMessage, response: ServerResponse): void {
  const path = (request.url ?? '/').split('?', 1)[0];
  const reason = needs.degraded();
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    send(response, 405, { error: 'only GET here' });
  } else if (path === '/ready') {
    send(response, needs.ready() ? 200 : 503, { ready: needs.ready() });
  } else if (path === '/health') {
    if (reason === null) send(response, 200, { status: 'ok' });
    else send(response, 503, { status: 'degraded', reason });
  } else {
    send(response, 404, { error: 'not here: /health and /ready are' });
  }
}

function send(response: ServerResponse, status: number, body: Readonly<Record<string, unknown>>): void {
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  response.end(`${JSON.stringify(body)}\n`);
}
