import { Agent as PlainAgent, request as plain } from 'node:http';
import { Agent as SecureAgent, request as secure } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { Quantiles } from './quantiles.ts';

export interface StreamLoad {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  /** Certificates are checked: against this CA, or the system's where it is `null`. */
  readonly ca: Buffer | null;
  readonly insecure: boolean;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly durationMs: number;
  /** Streams at once. */
  readonly connections: number;
}

export interface StreamsSaid {
  /** Ended with `[DONE]`. */
  readonly whole: number;
  /** Began and broke, or ended without `[DONE]`. */
  readonly aborted: number;
  /** Never began: no connection, or another status than 200. */
  readonly refused: number;
  /** Still running when the time was over: cut by this program, counted for nothing. */
  readonly unfinished: number;
  readonly events: number;
  readonly ttft_ms: ReturnType<Quantiles['summary']>;
  readonly gap_ms: ReturnType<Quantiles['summary']>;
  /** What went wrong, and how often. */
  readonly errors: Readonly<Record<string, number>>;
}

const PAUSE_AFTER_REFUSAL_MS = 200;
const MOST_ERRORS = 20;

type End = 'whole' | 'aborted' | 'refused' | 'unfinished';

/** Chat streams, so many at once, each read to its end and begun anew until the time is over. */
export async function streams(load: StreamLoad): Promise<StreamsSaid> {
  const ttft = new Quantiles();
  const gaps = new Quantiles();
  const ends: Record<End, number> = { whole: 0, aborted: 0, refused: 0, unfinished: 0 };
  const errors = new Map<string, number>();
  let events = 0;
  const over = AbortSignal.timeout(load.durationMs);
  const options = { keepAlive: true, maxSockets: load.connections };
  const agent = load.tls
    ? new SecureAgent({ ...options, rejectUnauthorized: !load.insecure, ...(load.ca ? { ca: load.ca } : {}) })
    : new PlainAgent(options);
  const wrong = (what: string): void => {
    if (errors.has(what) || errors.size < MOST_ERRORS) errors.set(what, (errors.get(what) ?? 0) + 1);
  };

  const one = (): Promise<End> =>
    new Promise((resolve) => {
      const { host, port, path } = load;
      const headers = {
        'content-type': 'application/json',
        accept: 'text/event-stream',
        'content-length': `${Buffer.byteLength(load.body)}`,
        ...load.headers,
      };
      const began = performance.now();
      let last: number | null = null;
      let tail = '';
      let done = false;
      const send = load.tls ? secure : plain;
      const req = send({ agent, host, port, path, method: 'POST', headers, signal: over });
      req.on('error', (e: NodeJS.ErrnoException) => {
        if (over.aborted) return resolve('unfinished');
        wrong(e.code ?? e.message);
        resolve(last === null ? 'refused' : 'aborted');
      });
      req.on('response', (res) => {
        if (res.statusCode !== 200) {
          wrong(`status ${res.statusCode}`);
          res.resume().on('error', () => {});
          return resolve('refused');
        }
        res.setEncoding('utf8');
        res.on('data', (text: string) => {
          const now = performance.now();
          if (last === null) ttft.observe(now - began);
          else gaps.observe(now - last);
          last = now;
          const lines = `${tail}${text}`.split('\n');
          tail = lines.pop() ?? '';
          for (const line of lines) {
            if (!line.startsWith('data:')) continue;
            if (line.slice(5).trim() === '[DONE]') done = true;
            else events += 1;
          }
        });
        res.on('close', () => {
          if (over.aborted && !done) return resolve('unfinished');
          if (!done) wrong(res.complete ? 'ended without [DONE]' : 'cut in the middle');
          resolve(done ? 'whole' : 'aborted');
        });
        res.on('error', () => {});
      });
      req.end(load.body);
    });

  const client = async (): Promise<void> => {
    while (!over.aborted) {
      const end = await one();
      ends[end] += 1;
      if (end === 'refused') await sleep(PAUSE_AFTER_REFUSAL_MS, null, { signal: over }).catch(() => {});
    }
  };
  await Promise.all(Array.from({ length: load.connections }, client));
  agent.destroy();
  return {
    ...ends,
    events,
    ttft_ms: ttft.summary(),
    gap_ms: gaps.summary(),
    errors: Object.fromEntries(errors),
  };
}
