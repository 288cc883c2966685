import { randomBytes } from 'node:crypto';
import type { AddressInfo, Socket } from 'node:net';
import type { Server as TlsServer } from 'node:tls';
import fastifySwagger from '@fastify/swagger';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import type { z } from 'zod';
import type { Action, Caller } from '../../../proto/vocab/can.ts';
import { AppError } from '../../../proto/vocab/errors.ts';
import { safeText } from '../../../proto/vocab/safe-text.ts';
import type { Services } from '../../service/api.ts';
import type { Clock, Log } from '../../service/ports.ts';
import { authorise } from '../../service/write.ts';
import { accepts } from './accept.ts';
import { Callers } from './callers.ts';
import { DOCUMENT } from './document.ts';
import { Methods } from './methods.ts';
import { HttpRefusal, retryAfter, toProblem } from './problem.ts';
import { badRequest, parseJson, validator } from './reading.ts';
import { addRoot } from './root.ts';
import { deniedOf, identify } from './route.ts';
import { addRoutes } from './routes.ts';
import { Watches } from './watch.ts';

/** The services it speaks for; what agents say is not among them. */
export type RestServices = Omit<Services, 'agents'>;

export interface RestSettings {
  /** Empty: every address. */
  readonly host: string;
  readonly port: number;
  /** `null`: plain HTTP. */
  readonly tls: { readonly certificatePem: string; readonly keyPem: string } | null;
  readonly storeId: string;
  /** Requests answered at the same time, watches not among them; 512 where it is not given. */
  readonly inFlight?: number;
}

export interface RestNeeds {
  readonly services: RestServices;
  readonly clock: Clock;
  readonly log: Log;
  /** Why the master is degraded, or `null`. */
  degraded(): string | null;
  /** Everything listens, and nobody has asked it to stop. */
  ready(): boolean;
  /** What Prometheus reads, and its media type. */
  readonly exposition: {
    read(): Promise<{ readonly text: string; readonly type: string }>;
    /** @throws AppError `not_found` */
    node(name: string): Promise<{ readonly text: string; readonly type: string }>;
  };
}

const MOST_BODY_BYTES = 256 * 1024;
const MOST_HEADER_BYTES = 16 * 1024;
/** Of headers and body together, and of a connection that says nothing; looked at once a second. */
const REQUEST_MS = 9_000;
const MOST_IN_FLIGHT = 512;
const STOP_MS = 1000;
const TICK_MS = 1000;

const SECURITY_HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
} as const;
const TLS_HEADERS = { ...SECURITY_HEADERS, 'strict-transport-security': 'max-age=31536000' } as const;

/** `/api/v1`, `/metrics`, `/openapi.json`, `/health` and `/ready`. */
export class RestTransport {
  private readonly settings: RestSettings;
  private readonly needs: RestNeeds;
  private readonly app: FastifyInstance;
  private readonly watches: Watches;
  private readonly methods = new Methods();
  private readonly sockets = new Set<Socket>();
  private readonly run = randomBytes(4).toString('hex');
  private requests = 0;
  private inFlight = 0;
  private stopping = false;
  private timer: NodeJS.Timeout | null = null;

  constructor(settings: RestSettings, needs: RestNeeds) {
    this.settings = settings;
    this.needs = needs;
    const { services } = needs;
    const callers = new Callers(services, needs.clock);
    const authenticate = (bearer: string, remote: string): Caller => callers.of(bearer, remote);
    this.watches = new Watches({
      watch: services.watch,
      storeId: settings.storeId,
      authenticate,
      // A stream has a count of its own.
      streams: ({ raw }) => {
        raw.off('close', this.over);
        this.over();
      },
    });
    this.app = this.build();
    this.hooks(authenticate);
  }

  /** @throws AppError `precondition` when the address cannot be bound */
  async start(): Promise<AddressInfo> {
    const { app, needs } = this;
    await app.register(fastifySwagger, {
      openapi: DOCUMENT,
      transform: jsonSchemaTransform,
      transformObject: jsonSchemaTransformObject,
      exposeHeadRoutes: false,
    });
    const { services, clock } = needs;
    addRoot(app, needs);
    await app.register(
      (api, _options, done) => {
        addRoutes(api, { services, clock, watches: this.watches, tls: this.settings.tls !== null });
        done();
      },
      { prefix: '/api/v1' },
    );
    const { host, port } = this.settings;
    try {
      await app.ready();
      await new Promise<void>((resolve, reject) => {
        app.server.once('error', reject);
        app.server.listen({ port, ...(host === '' ? {} : { host }) }, resolve);
      });
    } catch (error) {
      await app.close();
      const why = error instanceof Error ? error.message : String(error);
      throw new AppError('precondition', `cannot listen on ${host}:${port}: ${why}`, { cause: error });
    }
    app.server.removeAllListeners('error');
    // EMFILE and the like: that connection is lost, the others go on.
    app.server.on('error', (error) => needs.log.error('accept failed', { error: error.message }));
    this.timer = setInterval(() => this.watches.tick(), TICK_MS);
    return app.server.address() as AddressInfo;
  }

  useCertificate(certificatePem: string, keyPem: string): void {
    if (this.settings.tls === null) return;
    (this.app.server as unknown as TlsServer).setSecureContext(contextOf({ certificatePem, keyPem }));
  }

  /** Nothing new; watches end in words, what runs has a second to finish. */
  async stop(): Promise<void> {
    this.stopping = true;
    if (this.timer) clearInterval(this.timer);
    this.watches.endAll('the master is stopping');
    const { server } = this.app;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeIdleConnections();
    const hard = setTimeout(() => {
      server.closeAllConnections();
      for (const socket of this.sockets) socket.destroy();
    }, STOP_MS);
    await closed;
    clearTimeout(hard);
    await this.app.close();
  }

  private build(): FastifyInstance {
    const { tls } = this.settings;
    const http = {
      maxHeaderSize: MOST_HEADER_BYTES,
      headersTimeout: REQUEST_MS,
      requestTimeout: REQUEST_MS,
      connectionsCheckingInterval: 1000,
    };
    const options = {
      bodyLimit: MOST_BODY_BYTES,
      requestTimeout: REQUEST_MS,
      keepAliveTimeout: REQUEST_MS - 1000,
      return503OnClosing: false,
      logger: false,
      genReqId: () => this.nextId(),
      frameworkErrors: (error: unknown, request: FastifyRequest, reply: FastifyReply) =>
        this.refuse(error, request, reply),
      clientErrorHandler: (error: Error & { code?: string }, socket: Socket) => badRequest(error, socket),
      routerOptions: { maxParamLength: 256 },
    } as const;
    const app = tls
      ? Fastify({ ...options, https: { ...http, ...contextOf(tls), handshakeTimeout: REQUEST_MS } })
      : Fastify({ ...options, http });
    const made = app as unknown as FastifyInstance;
    made.decorateRequest('caller', null);
    made.decorateRequest('bearer', '');
    made.setValidatorCompiler(({ schema, httpPart }) =>
      validator(schema as unknown as z.ZodType, httpPart ?? ''),
    );
    // Bodies are made by the handlers; what the schema says of them is held by the contract tests.
    made.setSerializerCompiler(() => (data) => JSON.stringify(data));
    made.removeAllContentTypeParsers();
    made.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) => {
      parseJson(body as string).then((value) => done(null, value), done);
    });
    made.setErrorHandler((error, request, reply) => this.refuse(error, request, reply));
    made.setNotFoundHandler((request) => {
      throw this.notHere(request);
    });
    return made;
  }

  private notHere(request: FastifyRequest): HttpRefusal {
    const allow = this.methods.of(request.url.split('?', 1)[0] ?? '');
    if (allow.length === 0) return new HttpRefusal('not_found', 'there is nothing at this path');
    return new HttpRefusal('method_not_allowed', `${request.method} is not for this path`, {
      headers: { allow: allow.join(', ') },
    });
  }

  private hooks(authenticate: (bearer: string, remote: string) => Caller): void {
    const headers = this.settings.tls ? TLS_HEADERS : SECURITY_HEADERS;
    this.app.addHook('onRoute', (r) => this.methods.add(r.url, r.method));
    this.app.addHook('onRequest', (request, reply, done) => {
      this.inFlight += 1;
      // However it ends: fastify's own hook is not called for one that is broken off, nor for a stream.
      reply.raw.once('close', this.over);
      reply.headers(headers);
      reply.header('x-request-id', request.id);
      try {
        this.admit(request);
        identify(request, authenticate);
        const denied = deniedOf(request);
        if (denied === null) done();
        else this.deny(request, denied).then(() => done(), done);
      } catch (error) {
        done(error as Error);
      }
    });
    this.app.server.on('connection', (socket: Socket) => {
      this.sockets.add(socket);
      socket.once('close', () => this.sockets.delete(socket));
    });
  }

  private readonly over = (): void => {
    this.inFlight -= 1;
  };

  private admit(request: FastifyRequest): void {
    const { config } = request.routeOptions;
    if (config.always) return;
    // Before anything is read of it.
    if (request.is404) throw this.notHere(request);
    if (this.stopping) throw new AppError('unavailable', 'the master is stopping');
    if (this.inFlight > (this.settings.inFlight ?? MOST_IN_FLIGHT)) {
      throw new HttpRefusal('throttled', 'too much is asked at once: try again', {
        headers: retryAfter(1000),
      });
    }
    const { accept } = request.headers;
    if (accept === undefined || accept === '*/*') return;
    if (accepts(accept, 'application/json') || accepts(accept, 'text/event-stream')) return;
    throw new HttpRefusal('not_acceptable', 'answers here are application/json');
  }

  /** Nobody who may not change it is told so before that is on record. @throws AppError `forbidden` */
  private async deny(request: FastifyRequest, action: Action): Promise<void> {
    const caller = request.caller as Caller;
    if (request.routeOptions.config.changes) {
      const subject = Object.values(request.params as Record<string, string>)[0] ?? '';
      await this.needs.services.audit.denied(caller, {
        action,
        subject: safeText(subject, { max: 128 }),
        requestId: request.id,
      });
    }
    authorise(caller, action);
  }

  private refuse(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const problem = toProblem(error, { url: request.url, requestId: request.id });
    const fields = { request: request.id, method: request.method, path: problem.body.instance };
    if (problem.body.code === 'internal') {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.needs.log.error('request failed', { ...fields, error: text });
    } else this.needs.log.debug('request refused', { ...fields, code: problem.body.code });
    return reply
      .code(problem.status)
      .headers(problem.headers)
      .type('application/problem+json; charset=utf-8')
      .send(JSON.stringify(problem.body));
  }

  private nextId(): string {
    this.requests += 1;
    return `${this.run}-${this.requests.toString(36)}`;
  }
}

function contextOf(tls: { readonly certificatePem: string; readonly keyPem: string }) {
  return { cert: tls.certificatePem, key: tls.keyPem, minVersion: 'TLSv1.2' } as const;
}
