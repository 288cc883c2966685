import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, renameSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import type { Millis } from '../../proto/vocab/ids.ts';
import type { Log } from '../core/log.ts';
import type { Failure } from '../core/steps.ts';
import { lockOf } from '../engine/lock.ts';
import type { EngineIdentity } from '../engine/port.ts';

/** How an engine is run on this node, whoever starts it. */
export interface EngineSettings {
  readonly socket: string;
  /** Script of the engine, run by the runtime we run on. */
  readonly program: string;
  /** `gost.config_path`: what it carries before any agent speaks to it. */
  readonly document: string;
  readonly identity: EngineIdentity;
  readonly workers: number | 'auto';
  /** `host:port`; none: the system's. */
  readonly dns: readonly string[];
}

export interface EngineProcessSettings extends EngineSettings {
  /** False: somebody else (systemd) starts it, we wait for its socket. */
  readonly spawn: boolean;
  readonly logFile: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * How the runtime is started under the engine. V8's young space grows to 32 MiB and more by default: with thousands of
 * idle connections that was 5 of 13 KiB each, and requests/s are the same with 8 MiB.
 */
export const ENGINE_NODE_FLAGS: readonly string[] = ['--max-semi-space-size=8'];

/** What the runtime is given to become the engine. */
export function engineArguments(settings: EngineSettings): readonly string[] {
  const { program, socket, document, identity, workers, dns } = settings;
  const flags = ['--socket', socket, '--document', document, '--workers', String(workers)];
  flags.push('--identity-cert', identity.certFile, '--identity-key', identity.keyFile);
  flags.push('--identity-ca', identity.caFile);
  if (identity.sealedDir !== undefined) flags.push('--sealed-dir', identity.sealedDir);
  for (const server of dns) flags.push('--dns', server);
  return [...ENGINE_NODE_FLAGS, program, ...flags];
}

/** One that was started needs this long to answer. */
const START_MS = 5_000;
const LOG_BYTES = 8 * 1024 * 1024;

/** Starts the engine so that it outlives us: a session of its own, no pipe to us, its log in a file. */
export class EngineProcess {
  readonly #settings: EngineProcessSettings;
  readonly #needs: { log: Log; now: () => Millis };
  #started: { readonly pid: number; readonly at: Millis; over: string | null } | null = null;

  constructor(settings: EngineProcessSettings, needs: { log: Log; now: () => Millis }) {
    this.#settings = settings;
    this.#needs = needs;
  }

  /** Called while its socket does not answer. Always a failure worth another look: it answers a little later. */
  async find(): Promise<Failure> {
    const { socket, logFile } = this.#settings;
    if (!this.#settings.spawn)
      return absent(`no engine answers on ${socket}`, 'start the ai-cdn-engine unit');
    const mine = this.#started;
    if (mine && mine.over === null && this.#needs.now() - mine.at < START_MS) {
      return absent(`the engine (pid ${mine.pid}) is starting`, `its log is ${logFile}`);
    }
    if (await answers(socket)) {
      return absent(`somebody listens on ${socket} and does not answer us`, `its log is ${logFile}`);
    }
    if (await answers(lockOf(socket))) {
      return absent(`the engine on ${socket} is back in a moment`, `its log is ${logFile}`);
    }
    return this.#start();
  }

  #start(): Failure {
    const { socket, logFile } = this.#settings;
    let out: number;
    try {
      out = this.#openLog();
    } catch (e) {
      return absent(`${logFile}: ${e instanceof Error ? e.message : String(e)}`, 'see state_dir');
    }
    try {
      // Not execa: it ties a child's life and output to ours.
      const child = spawn(process.execPath, engineArguments(this.#settings), {
        cwd: '/',
        detached: true,
        stdio: ['ignore', out, out],
        env: Object.fromEntries(
          Object.entries(this.#settings.env).filter(([name]) => !name.startsWith('AICDN_')),
        ),
      });
      const mine = { pid: child.pid ?? 0, at: this.#needs.now(), over: null as string | null };
      this.#started = mine;
      child.on('error', (e) => {
        mine.over = e.message;
        this.#needs.log.error('the engine cannot be started', { error: e.message });
      });
      child.on('exit', (code, signal) => {
        mine.over = signal ?? `exit ${code}`;
        this.#needs.log.warn('the engine ended', { pid: mine.pid, how: mine.over, logFile });
      });
      child.unref();
      this.#needs.log.info('engine started', { pid: mine.pid, socket, logFile });
      return absent(`the engine (pid ${mine.pid}) is starting`, `its log is ${logFile}`);
    } finally {
      closeSync(out);
    }
  }

  #openLog(): number {
    const { logFile } = this.#settings;
    mkdirSync(path.dirname(logFile), { recursive: true, mode: 0o700 });
    if ((statSync(logFile, { throwIfNoEntry: false })?.size ?? 0) > LOG_BYTES) {
      renameSync(logFile, `${logFile}.1`);
    }
    return openSync(logFile, 'a', 0o600);
  }
}

/** Whoever accepts there holds the socket: a second engine could not have it. */
function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(socket);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
}

function absent(message: string, hint: string): Failure {
  return { phase: 'prepare', refusal: { code: 'engine_lost', message, hint }, transient: true, logTail: '' };
}

/**
 * The engine beside the agent: `dist/engine.mjs` beside `dist/agent.mjs`, else its source.
 * @param self the file of the agent's `main`
 */
export function engineBeside(self: string): string {
  const dir = path.dirname(self);
  return self.endsWith('.mjs')
    ? path.join(dir, 'engine.mjs')
    : path.join(dir, 'engine', 'embedded', 'main.ts');
}
