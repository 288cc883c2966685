// scripts/load-balance.sh: which nodes take clients, and configs of what stands in front of them.

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { parseDuration } from '../../proto/vocab/duration.ts';
import { AppError, type ErrorCode } from '../../proto/vocab/errors.ts';
import { safeText } from '../../proto/vocab/safe-text.ts';
import { health, healthText, monitorLine, selectText } from './health.ts';
import { best, endpoint, type Member, written } from './member.ts';
import { probe } from './probe.ts';
import { openRegistry, type Registry, type Where } from './registry.ts';
import { render, safePath } from './render.ts';
import { readListen, upstreamsOf } from './upstreams.ts';

const EXITS = `
Which master: as aicdnctl finds it (--socket, --context, --addr with --ca-pin, AICDN_SOCKET, AICDN_ADDR …, else
/run/ai-cdn/master.sock), or REST: --url (AICDN_URL) with AICDN_API_KEY, and --cacert (AICDN_CACERT), its CA.

Where a node is: its label public_addr, else addr, else the address its listener is bound to, else one of its host's:
  aicdnctl node label hk-1 public_addr=203.0.113.5 weight=4

Exit status:
  0  done; health: every node serves
  1  health: a node does not serve; select, nginx, haproxy: no node to hand clients to
  2  the command line or the settings are wrong
  3  no master answers
  4  nobody is logged in, or the key may not
  8  health: a region is left without any node that serves`;

const STATUS: Readonly<Partial<Record<ErrorCode, number>>> = {
  invalid: 2,
  not_found: 1,
  unavailable: 3,
  timeout: 3,
  unauthenticated: 4,
  forbidden: 4,
};

const out = (text: string): void => void process.stdout.write(text);
const err = (text: string): void => void process.stderr.write(text);

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;
const named =
  (what: string) =>
  (text: string, before: readonly string[] = []): string[] => {
    if (!NAME.test(text)) throw new InvalidArgumentError(`${safeText(text, { max: 80 })} is no ${what}.`);
    return [...before, text];
  };
function whole(least: number, most: number) {
  return (text: string): number => {
    const n = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (!(n >= least && n <= most))
      throw new InvalidArgumentError(`a number from ${least} to ${most} is wanted.`);
    return n;
  };
}
function time(text: string): number {
  const ms = parseDuration(text);
  if (ms === null || ms < 100)
    throw new InvalidArgumentError('a duration with its unit is wanted: 5s, 1m30s.');
  return ms;
}
const many = (text: string, before: readonly string[] = []): string[] => [...before, text];

const program = new Command('load-balance.sh')
  .description('nodes that take clients, from the live registry, and an nginx or haproxy in front of them')
  .option('--socket <path>', "the master's local socket")
  .option('--context <name>', 'a fleet of ~/.config/ai-cdn/console.yml')
  .option('--addr <host:port>', 'a master over TLS, with --ca-pin')
  .option('--ca-pin <hex>', 'sha256 of its CA')
  .option('--url <url>', 'REST instead, with AICDN_API_KEY')
  .option('--cacert <file>', "the CA of that URL's certificate")
  .addHelpText('after', EXITS)
  .showHelpAfterError('(--help says what there is)')
  .exitOverride();

function open(): Registry {
  const o = program.opts<Partial<Record<keyof Where, string>>>();
  return openRegistry(
    {
      socket: o.socket ?? null,
      context: o.context ?? null,
      addr: o.addr ?? null,
      caPin: o.caPin ?? null,
      url: o.url ?? null,
      cacert: o.cacert ?? null,
    },
    process.env,
  );
}

async function withNodes(body: (members: readonly Member[]) => Promise<number> | number): Promise<void> {
  const registry = open();
  try {
    process.exitCode = await body(await registry.read());
  } finally {
    registry.close();
  }
}

interface Only {
  readonly region?: readonly string[];
  readonly type: 'edge' | 'core';
  readonly local?: boolean;
}

/** What narrows every command. */
function narrowed(command: Command): Command {
  return command
    .option('--region <region>', 'only this one; may be given again', named('region'))
    .addOption(new Option('--type <type>', 'which nodes').choices(['edge', 'core']).default('edge'))
    .option('--local', 'these nodes are on this host: listeners on loopback are taken');
}
const only = (members: readonly Member[], o: Only): Member[] =>
  members.filter((m) => m.nodeType === o.type && (o.region === undefined || o.region.includes(m.region)));
const form = (): Option =>
  new Option('-o, --output <form>', 'how to print').choices(['text', 'json']).default('text');

narrowed(program.command('health'))
  .description('every node: whether it takes clients, and why not; by exit status for scripts')
  .option('--probe', 'connects to every listener from here as well, 2 s each')
  .addOption(form())
  .action((o: Only & { output: string; probe?: boolean }) =>
    withNodes(async (members) => {
      const of = only(members, o);
      const said = health(of, o.probe === true ? await probe(of, o.local === true) : null);
      out(o.output === 'json' ? `${JSON.stringify(said, null, 2)}\n` : healthText(said));
      return said.exit;
    }),
  );

narrowed(program.command('select'))
  .description('the best nodes: eligible, ready, not draining, the fewest streams')
  .option('--count <n>', 'how many', whole(1, 10_000), 1)
  .option('--service <name>', 'its listeners only; may be given again', named('service'))
  .addOption(form())
  .action((o: Only & { output: string; count: number; service?: readonly string[] }) =>
    withNodes((members) => {
      const found = best(only(members, o)).map((m) => ({
        name: m.name,
        region: m.region,
        streams: m.streams,
        ttft95_ms: m.ttft95Ms,
        endpoints: m.listeners.flatMap((l) => {
          if (o.service !== undefined && !o.service.includes(l.service)) return [];
          const at = endpoint(m, l, o.local === true);
          return typeof at === 'string' ? [] : [{ service: l.service, type: l.type, address: written(at) }];
        }),
      }));
      const picked = found.filter((f) => o.service === undefined || f.endpoints.length > 0).slice(0, o.count);
      if (o.output === 'json') out(`${JSON.stringify({ nodes: picked }, null, 2)}\n`);
      else out(selectText(picked));
      if (picked.length === 0) {
        throw new AppError('not_found', `no ${o.type} takes clients; load-balance.sh health says why`);
      }
      return 0;
    }),
  );

interface ConfigFlags extends Only {
  readonly backup: readonly string[];
  readonly service: readonly string[];
  readonly listen: readonly string[];
  readonly passthrough?: boolean;
  readonly proxyProtocol?: boolean;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly accessLog: string;
  readonly template?: string;
}

for (const [name, file] of [
  ['nginx', 'nginx.conf'],
  ['haproxy', 'haproxy.cfg'],
] as const) {
  narrowed(program.command(name))
    .description(`a whole ${file} for these nodes, on standard output`)
    .option('--backup <region>', 'nodes of this region stand by; may be given again', named('region'), [])
    .option('--service <name>', 'only this one; may be given again', named('service'), [])
    .option('--listen <[service=][addr:]port>', "where clients come in; the nodes' own port", many, [])
    .option('--passthrough', 'hands through what is in clear as well, instead of proxying HTTP')
    .option(
      '--proxy-protocol',
      'tells nodes the client by the PROXY protocol; their listeners have to await it',
    )
    .option('--tls-cert <file>', 'ends TLS here for services in clear')
    .option('--tls-key <file>', 'its key (nginx)')
    .option('--access-log <file>', 'nginx: where to, or off', '/var/log/nginx/access.log')
    .option('--template <file>', `one of your own, as config/templates/${file}`)
    .action((o: ConfigFlags) => config(file, o));
}

async function config(file: string, o: ConfigFlags): Promise<void> {
  if (file === 'nginx.conf' && (o.tlsCert === undefined) !== (o.tlsKey === undefined)) {
    throw new AppError('invalid', 'nginx wants --tls-cert and --tls-key, both');
  }
  // What is wrong on the command line is said before a master is asked.
  const frame = {
    at: `${new Date().toISOString().slice(0, 19)}Z`,
    tlsCert: o.tlsCert === undefined ? null : safePath('--tls-cert', o.tlsCert),
    tlsKey: o.tlsKey === undefined ? null : safePath('--tls-key', o.tlsKey),
    proxyProtocol: o.proxyProtocol === true,
    accessLog: o.accessLog === 'off' ? '' : safePath('--access-log', o.accessLog),
  };
  const template = read(o.template ?? path.join(templates(), file));
  const listen = readListen(o.listen);
  await withNodes((members) => {
    const { upstreams, left } = upstreamsOf(members, {
      regions: o.region ?? [],
      backups: o.backup,
      services: o.service,
      nodeType: o.type,
      local: o.local === true,
      passthrough: o.passthrough === true,
      listen,
    });
    out(render(template, upstreams, { ...frame, left }));
    for (const l of left) err(`left out: ${safeText(l.name)}: ${safeText(l.why)}\n`);
    return 0;
  });
}

function templates(): string {
  return process.env['AICDN_TEMPLATES'] || path.resolve(import.meta.dirname, '../../config/templates');
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new AppError('invalid', `template ${file} cannot be read`, { cause });
  }
}

narrowed(program.command('monitor'))
  .description('asks again and again: a line a round, and one for every node that changes')
  .option('--interval <duration>', 'between two rounds', time, 5_000)
  .option('--count <n>', 'so many rounds; for ever without', whole(1, 1_000_000))
  .action(async (o: Only & { interval: number; count?: number }) => {
    const registry = open();
    const before = new Map<string, string>();
    try {
      for (let round = 1; ; round++) {
        const at = new Date().toISOString().slice(11, 19);
        try {
          out(monitorLine(at, health(only(await registry.read(), o), null), before));
        } catch (e) {
          if (!(e instanceof AppError) || (e.code !== 'unavailable' && e.code !== 'timeout')) throw e;
          out(`${at}  no master answers: ${safeText(e.message)}\n`);
        }
        if (round === o.count) break;
        await sleep(o.interval);
      }
    } finally {
      registry.close();
    }
  });

// A reader that has seen enough (`| head`) is no error.
process.stdout.on('error', (e: NodeJS.ErrnoException) => process.exit(e.code === 'EPIPE' ? 0 : 1));

try {
  for (const c of program.commands) c.exitOverride();
  await program.parseAsync(process.argv);
} catch (e) {
  if (e instanceof CommanderError) process.exitCode = e.exitCode === 0 ? 0 : 2;
  else if (e instanceof AppError) {
    err(`error: ${safeText(e.message, { newline: 'keep' })} [${e.code}]\n`);
    process.exitCode = STATUS[e.code] ?? 1;
  } else throw e;
}
