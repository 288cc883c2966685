// An OpenAI-compatible origin that streams tokens, listening twice (a and b) so that one can be slowed alone.
// argv: portA portB. Ends when its standard input closes, so that it never outlives who started it.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

const [portA, portB] = process.argv.slice(2).map(Number);
const BASE_DELAY_MS = 60;
const GAP_MS = 30;
const delays = { a: 0, b: 0 };
type Name = keyof typeof delays;

const ANSWER =
  'A tunnel carries every token the moment it is spoken : nothing is cached , nothing is held back , ' +
  'and what the origin says is what the client hears , word by word , from the core to the edge and on .';

async function bodyOf(req: IncomingMessage): Promise<Record<string, unknown>> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of req) {
    size += (part as Buffer).length;
    if (size > 1024 * 1024) throw new Error('request body over 1 MiB');
    parts.push(part as Buffer);
  }
  const body: unknown = parts.length === 0 ? {} : JSON.parse(Buffer.concat(parts).toString('utf8'));
  if (typeof body !== 'object' || body === null) throw new Error('request body must be a JSON object');
  return body as Record<string, unknown>;
}

function json(res: ServerResponse, status: number, value: unknown): void {
  res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

let answered = 0;

async function chat(name: Name, body: Record<string, unknown>, res: ServerResponse): Promise<void> {
  const head = {
    id: `chatcmpl-${++answered}`,
    created: Math.floor(Date.now() / 1000),
    model: String(body['model'] ?? 'demo'),
  };
  const words = ANSWER.split(' ').map((w, i) => (i === 0 ? w : ` ${w}`));
  await sleep(BASE_DELAY_MS + delays[name]);
  if (body['stream'] !== true) {
    json(res, 200, {
      ...head,
      object: 'chat.completion',
      choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: words.join('') } }],
      usage: { prompt_tokens: 1, completion_tokens: words.length, total_tokens: words.length + 1 },
    });
    return;
  }
  res.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
  const send = (delta: object, finish: string | null): void => {
    const choices = [{ index: 0, delta, finish_reason: finish }];
    res.write(`data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', choices })}\n\n`);
  };
  send({ role: 'assistant', content: '' }, null);
  for (const content of words) {
    if (res.destroyed) return;
    send({ content }, null);
    await sleep(GAP_MS);
  }
  send({}, 'stop');
  res.end('data: [DONE]\n\n');
}

async function control(body: Record<string, unknown>, res: ServerResponse): Promise<void> {
  const { listener, delay_ms: delay } = body;
  if (
    (listener !== 'a' && listener !== 'b') ||
    typeof delay !== 'number' ||
    !(delay >= 0 && delay <= 60_000)
  ) {
    json(res, 400, { error: { message: 'want {"listener": "a" | "b", "delay_ms": 0..60000}' } });
    return;
  }
  delays[listener] = delay;
  json(res, 200, delays);
}

async function answer(name: Name, req: IncomingMessage, res: ServerResponse): Promise<void> {
  const path = (req.url ?? '/').split('?')[0]?.replace(/^(\/v1)+(?=\/|$)/, '');
  const route = `${req.method} ${path}`;
  if (route === 'POST /chat/completions') await chat(name, await bodyOf(req), res);
  else if (route === 'GET /models')
    json(res, 200, { object: 'list', data: [{ id: 'demo', object: 'model' }] });
  else if (route === 'POST /control') await control(await bodyOf(req), res);
  else
    json(res, 404, { error: { message: `no ${route} here; POST /v1/chat/completions or GET /v1/models` } });
}

function listen(name: Name, port: number | undefined): void {
  createServer((req, res) => {
    answer(name, req, res).catch((e: unknown) => {
      if (res.headersSent) res.destroy();
      else json(res, 400, { error: { message: e instanceof Error ? e.message : String(e) } });
    });
  }).listen(port, '127.0.0.1', () => process.stdout.write(`listening ${name} ${port}\n`));
}

listen('a', portA);
listen('b', portB);
process.stdin.resume().on('close', () => process.exit(0));
