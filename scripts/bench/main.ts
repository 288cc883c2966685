// scripts/benchmark.sh HOST PORT DURATION CONNECTIONS: what this place answers, in numbers.

import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { execa } from 'execa';
import { isHost } from '../../proto/document/address.ts';
import { formatDuration, parseDuration } from '../../proto/vocab/duration.ts';
import { safeText } from '../../proto/vocab/safe-text.ts';
import { type RequestsSaid, readHey, readWrk } from './requests.ts';
import { type StreamsSaid, streams } from './streams.ts';

const MOST_MS = 10 * 60_000;
const MOST_CONNECTIONS = 50_000;
/** What a generator may need beyond its time to end. */
const GRACE_MS = 15_000;

const HELP = `
Modes:
  requests  GET over kept connections, by wrk (apt install wrk) or hey: requests/s and latency
  stream    chat completions as server-sent events, CONNECTIONS of them at once, each read to its end and begun anew:
            time to first token, gaps between arrivals, streams that were cut

Examples:
  benchmark.sh localhost 8080 30s 1000
  benchmark.sh edge.example.org 443 30s 200 --mode stream --header 'authorization: Bearer KEY' -o json

Ports 443 and 8443 are TLS unless --plain says otherwise. wrk and hey check no certificate; stream does (--cacert,
--insecure). The traffic ends with DURATION, 10m at most.

Exit status: 0 measured; 1 nothing was answered, or the tool failed; 2 the command line is wrong.`;

const refuse = (why: string): never => {
  throw new InvalidArgumentError(why);
};
const safe = (text: string): string => safeText(text, { max: 80 });
const host = (text: string): string =>
  isHost(text) ? text : refuse(`HOST ${safe(text)} is no host name or address.`);
function whole(what: string, most: number) {
  return (text: string): number => {
    const n = /^\d{1,9}$/.test(text) ? Number(text) : 0;
    return n >= 1 && n <= most ? n : refuse(`${what} ${safe(text)}: a number from 1 to ${most} is wanted.`);
  };
}
function duration(text: string): number {
  const ms = parseDuration(text);
  if (ms === null || ms < 1000 || ms > MOST_MS) {
    return refuse(`DURATION ${safe(text)}: 1s to ${formatDuration(MOST_MS)} is wanted, with its unit.`);
  }
  return ms;
}
function header(text: string, before: Readonly<Record<string, string>> = {}): Record<string, string> {
  const m = /^([A-Za-z0-9-]{1,64}):\s*([\x20-\x7e]{0,4096})$/.exec(text);
  return m === null
    ? refuse('a header is NAME: VALUE.')
    : { ...before, [(m[1] ?? '').toLowerCase()]: m[2] ?? '' };
}
const route = (text: string): string =>
  /^\/[\x21-\x7e]{0,2000}$/.test(text)
    ? text
    : refuse(`--path ${safe(text)}: begins with / and has no blanks.`);

interface Flags {
  readonly mode: 'requests' | 'stream';
  readonly path?: string;
  readonly tls?: boolean;
  readonly plain?: boolean;
  readonly tool?: 'wrk' | 'hey';
  readonly header: Readonly<Record<string, string>>;
  readonly model: string;
  readonly body?: string;
  readonly cacert?: string;
  readonly insecure?: boolean;
  readonly output: 'text' | 'json';
}

interface Target {
  readonly host: string;
  readonly port: number;
  readonly durationMs: number;
  readonly connections: number;
}

class Failed extends Error {}

const program = new Command('benchmark.sh')
  .description('puts load on a place and prints what it answered')
  .argument('<HOST>', 'name or address', host)
  .argument('<PORT>', 'its port', whole('PORT', 65_535))
  .argument('<DURATION>', 'how long: 30s, 2m', duration)
  .argument('<CONNECTIONS>', 'how many at once', whole('CONNECTIONS', MOST_CONNECTIONS))
  .addOption(
    new Option('--mode <mode>', 'what is measured').choices(['requests', 'stream']).default('requests'),
  )
  .option('--path <path>', 'what is asked for: / or /v1/chat/completions', route)
  .option('--tls', 'over TLS, whatever the port')
  .option('--plain', 'without TLS, whatever the port')
  .addOption(
    new Option('--tool <tool>', 'requests: which one; else the one that is there').choices(['wrk', 'hey']),
  )
  .option('--header <name: value>', 'sent with each; may be given again', header, {})
  .option('--model <name>', 'stream: the model that is asked', 'demo')
  .option('--body <file>', 'stream: the request body instead of a short question')
  .option('--cacert <file>', "stream: the CA of the place's certificate")
  .option('--insecure', 'stream: its certificate is not checked')
  .addOption(new Option('-o, --output <form>', 'how to print').choices(['text', 'json']).default('text'))
  .addHelpText('after', HELP)
  .showHelpAfterError('(--help says what there is)')
  .exitOverride()
  .action(run);

async function run(
  at: string,
  port: number,
  durationMs: number,
  connections: number,
  flags: Flags,
): Promise<void> {
  if (flags.tls === true && flags.plain === true) refuse('--tls and --plain contradict each other.');
  const target: Target = { host: at, port, durationMs, connections };
  const tls = flags.tls === true || (flags.plain !== true && (port === 443 || port === 8443));
  const url = `${tls ? 'https' : 'http'}://${at.includes(':') ? `[${at}]` : at}:${port}`;
  const head = { target: url, duration_s: durationMs / 1000, connections };
  if (flags.mode === 'stream') {
    const said = await measureStreams(target, flags, tls);
    print(flags, { mode: 'stream', ...head, ...said }, streamText(said));
    if (said.events === 0) throw new Failed(`no stream began: ${problems(said.errors)}`);
    return;
  }
  const { tool, said } = await measureRequests(target, flags, `${url}${flags.path ?? '/'}`);
  print(flags, { mode: 'requests', tool, ...head, ...said }, requestsText(tool, said));
  if (said.requests === 0) throw new Failed('nothing was answered');
}

function print(flags: Flags, data: unknown, text: string): void {
  process.stdout.write(flags.output === 'json' ? `${JSON.stringify(data, null, 2)}\n` : text);
}

function measureStreams(target: Target, flags: Flags, tls: boolean): Promise<StreamsSaid> {
  const question = {
    model: flags.model,
    stream: true,
    messages: [{ role: 'user', content: 'Say something of a hundred words.' }],
  };
  return streams({
    ...target,
    tls,
    path: flags.path ?? '/v1/chat/completions',
    headers: flags.header,
    body: flags.body === undefined ? JSON.stringify(question) : file('--body', flags.body).toString('utf8'),
    ca: flags.cacert === undefined ? null : file('--cacert', flags.cacert),
    insecure: flags.insecure === true,
  });
}

function file(flag: string, name: string): Buffer {
  try {
    return readFileSync(name);
  } catch {
    return refuse(`${flag} ${safe(name)} cannot be read.`);
  }
}

async function measureRequests(
  t: Target,
  flags: Flags,
  url: string,
): Promise<{ tool: 'wrk' | 'hey'; said: RequestsSaid }> {
  const tool = flags.tool ?? ((await there('wrk')) ? 'wrk' : 'hey');
  if (!(await there(tool))) {
    throw new Failed(`${tool} is not installed: apt install wrk, or go install github.com/rakyll/hey@latest`);
  }
  const headers = Object.entries(flags.header).flatMap(([k, v]) => ['-H', `${k}: ${v}`]);
  const seconds = Math.round(t.durationMs / 1000);
  const threads = Math.min(availableParallelism(), t.connections);
  const args =
    tool === 'wrk'
      ? ['-t', `${threads}`, '-c', `${t.connections}`, '-d', `${seconds}s`, '--latency', '--timeout', '10s']
      : ['-z', `${seconds}s`, '-c', `${t.connections}`, '-t', '10', '-disable-redirects'];
  const r = await execa(tool, [...args, ...headers, url], {
    reject: false,
    timeout: t.durationMs + GRACE_MS,
  });
  if (r.exitCode !== 0)
    throw new Failed(`${tool}: ${r.stderr.trim() || r.stdout.trim() || 'did not end in time'}`);
  return { tool, said: tool === 'wrk' ? readWrk(r.stdout) : readHey(r.stdout) };
}

async function there(tool: string): Promise<boolean> {
  const r = await execa('sh', ['-c', 'command -v "$1"', 'sh', tool], { reject: false });
  return r.exitCode === 0;
}

const ms = (v: number | null): string => (v === null ? '-' : `${v}`);

function requestsText(tool: string, r: RequestsSaid): string {
  const { p50, p90, p99 } = r.latency_ms;
  return `tool         ${tool}
requests     ${r.requests}
failed       ${r.failed}
requests/s   ${r.requests_per_s}
latency ms   p50 ${ms(p50)}   p90 ${ms(p90)}   p99 ${ms(p99)}
`;
}

function problems(errors: Readonly<Record<string, number>>): string {
  return Object.entries(errors)
    .map(([what, n]) => `${safe(what)} ×${n}`)
    .join(', ');
}

function streamText(s: StreamsSaid): string {
  const row = (t: StreamsSaid['ttft_ms']): string =>
    `p50 ${ms(t.p50)}   p95 ${ms(t.p95)}   p99 ${ms(t.p99)}   max ${ms(t.max)}`;
  const wrong = problems(s.errors);
  return `streams      ${s.whole} whole, ${s.aborted} aborted, ${s.refused} refused, ${s.unfinished} unfinished when the time was over
events       ${s.events}
TTFT ms      ${row(s.ttft_ms)}
gap ms       ${row(s.gap_ms)}
${wrong === '' ? '' : `errors       ${wrong}\n`}`;
}

try {
  await program.parseAsync(process.argv);
} catch (e) {
  if (e instanceof CommanderError) {
    if (e instanceof InvalidArgumentError) process.stderr.write(`error: ${e.message}\n`);
    process.exitCode = e.exitCode === 0 ? 0 : 2;
  } else if (e instanceof Failed) {
    process.stderr.write(`error: ${safeText(e.message, { newline: 'keep' })}\n`);
    process.exitCode = 1;
  } else throw e;
}
