// The two ends of streams through booted hosts, run in their network. argv: origin PORT, or clients HOST PORT COUNT.
// Clients print a JSON line a tenth of a second: how many streams run, the least chunks one of them has had, and what ended
// one. Both end when their standard input closes, so that they never outlive who started them.

import { createServer, request } from 'node:http';

const CHUNK_MS = 50;

/** What clients print. */
export interface FarStreams {
  readonly open: number;
  readonly least: number;
  readonly faults: readonly string[];
}

function origin(port: number): void {
  createServer((req, res) => {
    if (req.url !== '/endless') {
      res.end('here\n');
      return;
    }
    res.writeHead(200, { 'content-type': 'text/event-stream' });
    const timer = setInterval(() => res.write(`data: ${Date.now()}\n\n`), CHUNK_MS);
    res.on('close', () => clearInterval(timer));
  }).listen(port, () => process.stdout.write('listening\n'));
}

function clients(host: string, port: number, count: number): void {
  const chunks = new Array<number>(count).fill(0);
  const over = new Map<number, string>();
  for (let i = 0; i < count; i++) {
    const ended = (why: string): void => {
      if (!over.has(i)) over.set(i, why);
    };
    const req = request({ host, port, path: '/endless', agent: false }, (res) => {
      res.on('data', () => {
        chunks[i] = (chunks[i] ?? 0) + 1;
      });
      res.on('end', () => ended('ended'));
      res.on('error', (e) => ended(e.message));
    });
    req.on('error', (e) => ended(e.message));
    req.end();
  }
  setInterval(() => {
    const state: FarStreams = {
      open: chunks.filter((n, i) => n > 0 && !over.has(i)).length,
      least: Math.min(...chunks),
      faults: [...over.values()],
    };
    process.stdout.write(`${JSON.stringify(state)}\n`);
  }, 100);
}

const [what, ...args] = process.argv.slice(2);
if (what === 'origin') origin(Number(args[0]));
else if (what === 'clients') clients(args[0] ?? '', Number(args[1]), Number(args[2]));
if (what !== undefined) process.stdin.resume().on('close', () => process.exit(0));
