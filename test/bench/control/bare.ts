// Bare fastify with the same bytes: what the framework and the sockets cost by themselves. Takes both bodies from files.
// Prints its port as a JSON line. Ends with its stdin.

import { readFileSync } from 'node:fs';
import Fastify from 'fastify';

const [one = '', list = ''] = process.argv.slice(2).map((file) => readFileSync(file));
const app = Fastify();
const type = 'application/json; charset=utf-8';
app.get('/api/v1/nodes/:id', (_request, reply) => reply.type(type).send(one));
app.get('/api/v1/nodes', (_request, reply) => reply.type(type).send(list));
const address = await app.listen({ host: '127.0.0.1', port: 0 });
process.stdout.write(`${JSON.stringify({ port: Number(new URL(address).port) })}\n`);
process.stdin.on('end', () => process.exit(0)).resume();
