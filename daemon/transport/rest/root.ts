import { BlockList, isIP } from 'node:net';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { authorise } from '../../service/write.ts';
import { finished } from './document.ts';
import { bearerOf, JSON_TYPE } from './route.ts';
import type { RestNeeds } from './server.ts';

/** What stands outside of /api/v1: how the master is, its figures, and the document of the API. */
export function addRoot(app: FastifyInstance, needs: RestNeeds): void {
  const json = (reply: FastifyReply, status: number, body: unknown): FastifyReply =>
    reply
      .code(status)
      .type(JSON_TYPE)
      .send(`${JSON.stringify(body)}\n`);
  const always = { always: true } as const;

  app.get('/health', { config: always, schema: { hide: true } }, (_request, reply) => {
    const reason = needs.degraded();
    return reason === null
      ? json(reply, 200, { status: 'ok' })
      : json(reply, 503, { status: 'degraded', reason });
  });

  app.get('/ready', { config: always, schema: { hide: true } }, (_request, reply) => {
    const ready = needs.ready();
    return json(reply, ready ? 200 : 503, { ready });
  });

  let document: Buffer | null = null;
  app.get('/openapi.json', { config: always, schema: { hide: true } }, (_request, reply) => {
    document ??= Buffer.from(JSON.stringify(finished(app.swagger())));
    return reply.type(JSON_TYPE).send(document);
  });

  app.get('/metrics', { config: always, schema: { hide: true } }, async (request, reply) => {
    mayScrape(needs, request);
    const { text, type } = await needs.exposition.read();
    return reply.type(type).send(text);
  });

  // One node's, for a scraper that finds its targets by /api/v1/prometheus/sd.
  app.get('/metrics/nodes/:name', { config: always, schema: { hide: true } }, async (request, reply) => {
    mayScrape(needs, request);
    const { name } = request.params as { name: string };
    const { text, type } = await needs.exposition.node(name);
    return reply.type(type).send(text);
  });
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** A scraper on this host, or one with a key that may read figures. */
function mayScrape({ services }: RestNeeds, request: FastifyRequest): void {
  const { authorization } = request.headers;
  if (authorization === undefined && isLoopback(request.ip)) return;
  authorise(services.people.authenticate(bearerOf(authorization), request.ip), 'metrics.read');
}

/** Of an address, or of the name that means one. */
export function isLoopback(address: string): boolean {
  const plain = address.replace(/^::ffff:/, '');
  if (isIP(plain) === 0) return plain === 'localhost';
  return loopback.check(plain, plain.includes(':') ? 'ipv6' : 'ipv4');
}
