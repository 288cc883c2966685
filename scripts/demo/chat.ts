// A handful of chat clients. argv: clients-per-edge name=port …
// Each asks, reads the streamed answer to its end, thinks a moment and asks again. One JSON line a second on standard
// output. Ends when its standard input closes.

import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

const [perEdge, ...edges] = process.argv.slice(2);
const agent = new Agent({ keepAlive: true });

interface Tally {
  answers: number;
  tokens: number;
  failed: number;
  lastError: string;
}
const tallies: Record<string, Tally> = {};

/** One turn: resolves with the number of tokens, rejects when the answer is cut or refused. */
function turn(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const body = JSON.stringify({
      model: 'demo',
      stream: true,
      messages: [{ role: 'user', content: 'What is a tunnel?' }],
    });
    const req = request(
      {
        agent,
        port,
        host: '127.0.0.1',
        method: 'POST',
        path: '/v1/chat/completions',
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
      },
      (res) => {
        let text = '';
        res.setEncoding('utf8');
        res.on('data', (part: string) => {
          text += part;
        });
        res.on('end', () => {
          const events = text.split('\n\n').filter((e) => e.startsWith('data: '));
          if (res.statusCode === 200 && events.at(-1) === 'data: [DONE]') resolve(events.length - 3);
          else reject(new Error(`answer cut after ${events.length} events, status ${res.statusCode}`));
        });
        res.on('error', reject);
      },
    );
    req.on('error', reject);
    req.end(body);
  });
}

async function client(port: number, tally: Tally): Promise<void> {
  for (;;) {
    try {
      tally.tokens += await turn(port);
      tally.answers += 1;
    } catch (e) {
      tally.failed += 1;
      tally.lastError = e instanceof Error ? e.message : String(e);
      await sleep(500);
    }
    await sleep(100 + Math.random() * 200);
  }
}

for (const edge of edges) {
  const [name = '', port] = edge.split('=');
  const tally: Tally = { answers: 0, tokens: 0, failed: 0, lastError: '' };
  tallies[name] = tally;
  for (let i = 0; i < Number(perEdge); i++) void client(Number(port), tally);
}
setInterval(() => process.stdout.write(`${JSON.stringify(tallies)}\n`), 1000);
process.stdin.resume().on('close', () => process.exit(0));
