import { spawn } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { HostNet } from './host-net.ts';
import { baseTree, HOSTS_DIR, type Suite, usualSuite } from './host-tree.ts';

// Real hosts: Debian or Ubuntu booted with their own systemd, in systemd-nspawn, each with its own network and cgroups.
// Needs root, systemd-nspawn, mmdebstrap and ip. All they leave on this machine is under names that begin with PREFIX;
// what a run that was killed left is put away by the next.

const PREFIX = 'aicdn-host-';
const RUNS = path.join(HOSTS_DIR, 'runs');
const BOOT_MS = 60_000;
const POLL_MS = 25;

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ExecOptions {
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly timeoutMs?: number;
}

/** Hosts of one test file, and the network between them. */
export class Hosts {
  readonly net: HostNet;
  readonly #id: string;
  readonly #dir: string;
  readonly #hosts = new Map<string, Host>();

  private constructor(id: string, dir: string, net: HostNet) {
    this.#id = id;
    this.#dir = dir;
    this.net = net;
  }

  static async create(): Promise<Hosts> {
    await putAwayLeftovers();
    const id = `${process.pid}`;
    const dir = path.join(RUNS, id);
    mkdirSync(dir, { recursive: true, mode: 0o755 });
    writeFileSync(path.join(dir, 'owner'), `${process.pid} ${startOf(process.pid) ?? ''}\n`);
    return new Hosts(id, dir, await HostNet.create(`${PREFIX}${id}-net`));
  }

  /** Resolves once its systemd has started everything. Hosts find each other by name. */
  async boot(name: string, opts: { suite?: Suite; packages?: readonly string[] } = {}): Promise<Host> {
    const tree = await baseTree(opts.suite ?? usualSuite(), opts.packages);
    const machine = `${PREFIX}${this.#id}-${name}`;
    const dir = path.join(this.#dir, name);
    mkdirSync(path.join(dir, 'root'), { recursive: true });
    const address = await this.net.plug(machine);
    await mountTree(tree, dir);
    // The name server of the machine that made the tree is not reached from here: each name would be waited for.
    writeFileSync(path.join(dir, 'root/etc/resolv.conf'), '# none: names are in /etc/hosts\n');
    const host = new Host({ name, machine, dir, address });
    this.#hosts.set(name, host);
    for (const one of this.#hosts.values()) {
      const others = [...this.#hosts.values()].map((h) => `${h.address} ${h.name}\n`);
      writeFileSync(
        path.join(one.root, 'etc/hosts'),
        `127.0.0.1 localhost\n::1 localhost\n${others.join('')}`,
      );
    }
    await host.start();
    return host;
  }

  /** A program of this machine, reaching the hosts and reached by them at `net.gateway`. */
  outside(file: string, args: readonly string[]): readonly [file: string, args: readonly string[]] {
    return ['ip', ['netns', 'exec', this.net.netns, file, ...args]];
  }

  async down(): Promise<void> {
    await putAway(this.#dir);
  }
}

export class Host {
  readonly name: string;
  readonly address: string;
  /** Its file system, from outside. */
  readonly root: string;
  readonly #machine: string;
  readonly #dir: string;

  constructor(args: { name: string; machine: string; dir: string; address: string }) {
    this.name = args.name;
    this.address = args.address;
    this.root = path.join(args.dir, 'root');
    this.#machine = args.machine;
    this.#dir = args.dir;
  }

  async start(): Promise<void> {
    const log = openSync(path.join(this.#dir, 'console.log'), 'a', 0o600);
    const groups = cgroupDirs(this.#machine);
    const enter = groups.map((g) => `mkdir -p '${g}' && echo $$ > '${g}/cgroup.procs'`);
    const boot = [
      ...['systemd-nspawn', '--quiet', '-D', this.root, '-M', this.#machine, `--hostname=${this.name}`],
      ...[`--network-namespace-path=/run/netns/${this.#machine}`, '--register=no', '--keep-unit'],
      ...['--resolv-conf=off', '--timezone=off', '--link-journal=no', '--console=pipe', '-b'],
    ];
    const child = spawn('bash', ['-ec', `${enter.join('\n')}\nexec "$@"`, 'boot', ...boot], {
      detached: true,
      stdio: ['ignore', log, log],
      // Its network is its own: what is set there is not this machine's.
      env: { PATH: process.env['PATH'] ?? '', SYSTEMD_NSPAWN_API_VFS_WRITABLE: 'network' },
    });
    child.unref();
    writeFileSync(path.join(this.#dir, 'nspawn.pid'), `${child.pid}\n`);
    const until = Date.now() + BOOT_MS;
    let state = '';
    while (!/^(running|degraded)$/.test(state)) {
      if (Date.now() > until || child.exitCode !== null) {
        throw new Error(`${this.name} does not boot (${state}):\n${this.console()}`);
      }
      await sleep(POLL_MS);
      if (this.#leader() !== null) state = (await this.exec(['systemctl', 'is-system-running'])).stdout;
    }
  }

  /** What it wrote while booting. */
  console(): string {
    return readFileSync(path.join(this.#dir, 'console.log'), 'utf8').slice(-4_000);
  }

  /** As its root, with nothing of our environment. */
  async exec(argv: readonly string[], opts: ExecOptions = {}): Promise<Ran> {
    const leader = this.#leader();
    if (leader === null) throw new Error(`${this.name} does not run`);
    const env = {
      ...{ PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/root' },
      ...{ USER: 'root', LANG: 'C.UTF-8', TERM: 'dumb', NO_COLOR: '1', ...opts.env },
    };
    const pairs = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    const r = await execa(
      'nsenter',
      [
        ...['-t', String(leader), '-m', '-u', '-i', '-n', '-p', '-C', `--wdns=${opts.cwd ?? '/root'}`, '--'],
        // A group of its own: what it signals is not us.
        ...['setsid', '--wait', 'env', '-i', ...pairs, ...argv],
      ],
      {
        ...{ reject: false, timeout: opts.timeoutMs ?? 120_000, stripFinalNewline: true },
        ...(opts.input === undefined ? { stdin: 'ignore' as const } : { input: opts.input }),
      },
    );
    return { code: r.exitCode ?? -1, stdout: r.stdout, stderr: r.stderr };
  }

  /** As `exec`; what fails throws with all that it said. @returns its standard output */
  async run(argv: readonly string[], opts: ExecOptions = {}): Promise<string> {
    const r = await this.exec(argv, opts);
    if (r.code !== 0)
      throw new Error(`${this.name}: ${argv.join(' ')}: exit ${r.code}\n${r.stderr}\n${r.stdout}`);
    return r.stdout;
  }

  /** Waits for a shell condition to hold. What a unit has logged is in the error when it does not. */
  async until(condition: string, ms = 60_000): Promise<void> {
    const until = Date.now() + ms;
    for (;;) {
      const r = await this.exec(['sh', '-c', condition]);
      if (r.code === 0) return;
      if (Date.now() > until) {
        const journal = await this.exec(['journalctl', '-n', '60', '--no-pager', '-o', 'cat']);
        throw new Error(`${this.name}: never: ${condition}\n${r.stderr}\n${journal.stdout}`);
      }
      await sleep(POLL_MS);
    }
  }

  /** A file or a folder with all that is in it; `to` is the path it has there. */
  async copyIn(from: string, to: string): Promise<void> {
    const there = path.join(this.root, to);
    mkdirSync(path.dirname(there), { recursive: true });
    await execa('cp', ['-a', '--no-preserve=ownership', from, there]);
  }

  /** `show` of systemctl. */
  async property(unit: string, name: string): Promise<string> {
    return this.run(['systemctl', 'show', '--value', '-p', name, unit]);
  }

  /** The process that is its init. */
  #leader(): number | null {
    const file = path.join(this.#dir, 'nspawn.pid');
    const pid = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
    return childrenOf(pid)[0] ?? null;
  }
}

/** Overlaid where the kernel lets us, copied where not. Written in memory: upper layers on an overlay are refused. */
async function mountTree(tree: string, dir: string): Promise<void> {
  const layers = path.join(dir, 'layers');
  mkdirSync(layers);
  const root = path.join(dir, 'root');
  await execa('mount', ['-t', 'tmpfs', '-o', 'mode=755,size=4g', 'aicdn-host', layers]);
  for (const layer of ['up', 'work']) mkdirSync(path.join(layers, layer));
  const options = `lowerdir=${tree},upperdir=${layers}/up,workdir=${layers}/work`;
  const mounted = await execa('mount', ['-t', 'overlay', '-o', options, 'aicdn-host', root], {
    reject: false,
  });
  if (mounted.failed) {
    await execa('mount', ['--bind', path.join(layers, 'up'), root]);
    await execa('cp', ['-a', `${tree}/.`, root]);
  }
}

/** A cgroup for one host in each hierarchy that its systemd needs: the unified one, its own named one. */
function cgroupDirs(name: string): readonly string[] {
  const top = '/sys/fs/cgroup';
  if (existsSync(path.join(top, 'cgroup.controllers'))) {
    const own = /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1] ?? '/';
    const base = path.join(top, own);
    return [path.join(existsSync(base) ? base : top, name)];
  }
  return ['systemd', 'unified']
    .filter((h) => existsSync(path.join(top, h)))
    .map((h) => path.join(top, h, name));
}

function childrenOf(pid: number): readonly number[] {
  if (pid <= 0) return [];
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    return text === '' ? [] : text.split(' ').map(Number);
  } catch {
    return [];
  }
}

/** When a process began, in ticks since boot: with its id the name of exactly one. `null`: there is none. */
function startOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}

async function putAwayLeftovers(): Promise<void> {
  if (!existsSync(RUNS)) return;
  for (const run of readdirSync(RUNS)) {
    const dir = path.join(RUNS, run);
    const owner = path.join(dir, 'owner');
    const [pid = '', start = ''] = existsSync(owner) ? readFileSync(owner, 'utf8').trim().split(' ') : [];
    if (pid !== '' && startOf(Number(pid)) === start) continue;
    // Another test file may be putting it away at this moment.
    if (pid === '' && Date.now() - (statSync(dir, { throwIfNoEntry: false })?.mtimeMs ?? 0) < 5_000) continue;
    await putAway(dir);
  }
}

/** Everything of one run: its hosts, their mounts, networks and cgroups. Nothing else. */
async function putAway(dir: string): Promise<void> {
  const run = path.basename(dir);
  const names = existsSync(dir)
    ? readdirSync(dir, { withFileTypes: true }).flatMap((e) => (e.isDirectory() ? [e.name] : []))
    : [];
  await Promise.all(names.map((name) => putAwayHost(path.join(dir, name), `${PREFIX}${run}-${name}`)));
  const { stdout } = await execa('ip', ['netns', 'list'], { reject: false });
  for (const line of stdout.split('\n')) {
    const netns = line.split(' ')[0] ?? '';
    if (netns.startsWith(`${PREFIX}${run}-`)) await execa('ip', ['netns', 'del', netns], { reject: false });
  }
  rmSync(dir, { recursive: true, force: true });
}

async function putAwayHost(dir: string, machine: string): Promise<void> {
  const file = path.join(dir, 'nspawn.pid');
  const pid = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
  if (pid > 0 && isNspawnOf(pid, machine)) {
    // Its init dies and takes everything in its namespace along.
    for (const child of childrenOf(pid)) signal(child, 'SIGKILL');
    for (let i = 0; i < 200 && startOf(pid) !== null; i++) await sleep(POLL_MS);
    if (startOf(pid) !== null) signal(pid, 'SIGKILL');
  }
  for (const mount of ['root', 'layers'])
    await execa('umount', ['-l', path.join(dir, mount)], { reject: false });
  for (const group of cgroupDirs(machine)) {
    if (!existsSync(group)) continue;
    await execa('find', [group, '-depth', '-type', 'd', '-exec', 'rmdir', '{}', '+'], { reject: false });
  }
  rmSync(`/run/systemd/nspawn/propagate/${machine}`, { recursive: true, force: true });
}

function isNspawnOf(pid: number, machine: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(machine);
  } catch {
    return false;
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // Gone by itself.
  }
}

/** A line for whoever reads the run: figures that are reported and not judged. */
export function report(text: string): void {
  process.stdout.write(`  figure: ${text}\n`);
  const file = process.env['AICDN_FIGURES'];
  if (file) appendFileSync(file, `${text}\n`);
}
