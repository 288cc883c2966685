import { randomBytes } from 'node:crypto';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MasterSettings } from '../config/master.ts';
import { keptSecret } from '../config/secret.ts';
import { AppError } from '../proto/vocab/errors.ts';
import { VERSION } from '../proto/vocab/version.ts';
import { createAccessTokens } from './ca/access-tokens.ts';
import { openCa } from './ca/ca.ts';
import { createPasswords, PASSWORDS } from './ca/passwords.ts';
import { makeToken, secretMatches } from './ca/tokens.ts';
import { openVault } from './ca/vault.ts';
import { createDialler } from './drivers/dialler.ts';
import { createExposition } from './drivers/exposition.ts';
import type { KeptRings } from './drivers/rings/rings.ts';
import { RingSaver } from './drivers/rings/saver.ts';
import { fewRandom } from './few-random.ts';
import type { Clock, Log, Random, Turns } from './service/ports.ts';
import type { createServices } from './service/services.ts';
import { createArchive } from './store/archive.ts';
import { openAuditFile } from './store/audit-file.ts';
import { openFileStore } from './store/file-store.ts';
import { AgentTransport } from './transport/grpc/agent-service.ts';
import { AgentSessions } from './transport/grpc/agent-sessions.ts';
import { ConsoleTransport } from './transport/grpc/console-service.ts';
import { peerReader } from './transport/grpc/peercred.ts';
import { isLoopback } from './transport/rest/root.ts';
import { RestTransport } from './transport/rest/server.ts';

const TICK_MS = 1000;
/** Thousands of agents that answer at once are written some dozens at a time, and no answer is later by more. */
const MOMENT_MS = 25;
const CERTIFICATE_RENEWAL_MS = 20 * 86_400_000; // of a year; a timer holds 24.8 days

export interface AppNeeds {
  readonly log: Log;
  readonly createServices: typeof createServices;
  readonly createRings: () => KeptRings;
}

/** Where a started master listens. */
export interface Bound {
  readonly grpc: string;
  readonly http: string;
  /** The same with its scheme: `https://…`. */
  readonly rest: string;
  readonly socket: string;
  /** Path of the fleet CA's certificate, PEM. */
  readonly ca: string;
  readonly pid: number;
}

export interface Master {
  readonly bound: Bound;
  /** Stops accepting, ends the watches and sessions in words, flushes, closes the store. */
  stop(): Promise<void>;
}

const clock: Clock = { now: () => Date.now() };
const turns: Turns = { next: () => new Promise((next) => setImmediate(next)) };

/**
 * Builds all and starts it in order: store, CA, services, console socket, REST, agents' port. What was started is
 * stopped again when a later step fails.
 * @throws AppError `precondition` or `conflict`, saying what is in the way
 */
export async function startMaster(settings: MasterSettings, needs: AppNeeds): Promise<Master> {
  const { log } = needs;
  const draw = fewRandom();
  const random: Random = { hex: (n) => draw(n).toString('hex'), bytes: (n) => randomBytes(n) };
  const mint = { make: (pin: string) => makeToken(pin, random), matches: secretMatches };
  const undo: (() => Promise<void>)[] = [];
  let stopping = false;
  const stop = async (): Promise<void> => {
    stopping = true;
    for (const step of undo.splice(0).reverse()) {
      await step().catch((error: unknown) => log.error('while stopping', { error: String(error) }));
    }
  };
  try {
    const store = await openFileStore({ dir: settings.database.dir }, { random, log });
    undo.push(() => store.close());
    const audit = await openAuditFile({ dir: path.join(settings.stateDir, 'audit') });
    undo.push(() => audit.close());
    const ca = await openCa({ dir: path.join(settings.stateDir, 'ca') }, { clock, random });
    if (ca.created)
      log.warn('a new fleet CA was made: nodes of an earlier one have to join again', { pin: ca.pin });
    const secret = settings.jwt.secret ?? keptSecret(path.join(settings.stateDir, 'jwt.secret'), random.hex);
    const vault = await openVault(path.join(settings.stateDir, 'sealing.key'), { random });
    const caFile = path.join(settings.stateDir, 'ca.crt');
    await writeWhole(caFile, ca.certificatePem, 0o644);

    const rings = needs.createRings();
    const saver = new RingSaver(path.join(settings.stateDir, 'rings'), rings, log);
    await saver.start();
    undo.push(() => saver.stop());

    const names = settings.grpc.advertise.length > 0 ? settings.grpc.advertise : [hostname()];
    // Port 0 is any that is free: known once it is bound.
    let { port } = settings.grpc.addr;
    const sessions = new AgentSessions();
    const services = needs.createServices(
      {
        context: settings.name,
        masterVersion: VERSION,
        heartbeatMs: settings.heartbeatMs,
        reportMs: settings.heartbeatMs,
        nodeDownForMs: settings.nodeDownForMs,
        commandTimeoutMs: settings.commandTimeoutMs,
        rollout: settings.rollout,
        accessMs: settings.jwt.expirationMs,
        advertise: () => withPort(names[0] ?? 'localhost', port),
      },
      {
        store,
        audit,
        ca,
        mint,
        passwords: createPasswords(PASSWORDS, { random }),
        tokens: createAccessTokens({ secret }),
        link: sessions,
        vault,
        archive: createArchive({ store: settings.database.dir, state: settings.stateDir }, store.id, random),
        dialler: createDialler({ allow: settings.outboundAllow }),
        rings,
        clock,
        turns,
        random,
        log,
        moment: () => sleep(MOMENT_MS),
      },
    );
    await services.start();
    undo.push(() => services.stop());

    // Those who come back to a master that begins are offered the pace of all of them.
    let fleet = services.nodes.facts().nodes.length;
    const server = await ca.issueServer({ names: names.map(withoutPort), now: clock.now() });
    const agents = new AgentTransport(
      {
        listener: {
          ...settings.grpc.addr,
          certificatePem: server.certificatePem,
          keyPem: server.keyPem,
          caPem: ca.certificatePem,
          otherCasPem: ca.trustedPem.slice(1),
        },
        storeId: store.id,
        heartbeatMs: settings.heartbeatMs,
        reportMs: settings.heartbeatMs,
      },
      { sessions, services, operators: services, fleet: () => fleet, log, clock, random },
    );
    const peer = await peerReader();
    if (peer.why) log.warn('operators on the local socket cannot be told apart', { why: peer.why });
    const operators = new ConsoleTransport(
      { socket: settings.socket },
      { services, log, readPeer: peer.read },
    );
    await operators.start();
    undo.push(() => operators.stop());

    let listening = false;
    const degraded = () => services.degraded();
    const exposition = createExposition({ services, degraded });
    const rest = new RestTransport(
      {
        ...settings.http.addr,
        tls: wantsTls(settings.http)
          ? { certificatePem: server.certificatePem, keyPem: server.keyPem }
          : null,
        storeId: store.id,
      },
      {
        services,
        clock,
        log,
        degraded,
        ready: () => listening && !stopping,
        exposition,
      },
    );
    const http = await rest.start();
    undo.push(() => rest.stop());

    const grpc = await agents.start();
    port = grpc.port;
    undo.push(() => agents.stop());
    listening = true;

    const ticks = setInterval(() => {
      fleet = services.nodes.facts().nodes.length;
      services.tick();
    }, TICK_MS);
    // A master that runs for a year must not end with its certificate.
    const renewal = setInterval(() => {
      ca.issueServer({ names: names.map(withoutPort), now: clock.now() }).then(
        (next) => {
          agents.listener.useCertificate(next.certificatePem, next.keyPem);
          rest.useCertificate(next.certificatePem, next.keyPem);
        },
        (error: unknown) => log.error('the certificate was not renewed', { error: String(error) }),
      );
    }, CERTIFICATE_RENEWAL_MS);
    undo.push(async () => {
      clearInterval(ticks);
      clearInterval(renewal);
      operators.stopAccepting();
    });

    const bound: Bound = {
      grpc: addressOf(grpc),
      http: addressOf(http),
      rest: `${wantsTls(settings.http) ? 'https' : 'http'}://${addressOf(http)}`,
      socket: settings.socket,
      ca: caFile,
      pid: process.pid,
    };
    log.info('listening', { ...bound, version: VERSION, pin: ca.pin, store: store.id });
    return { bound, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** So that a reader sees all of it or none. */
export async function writeWhole(file: string, content: string, mode: number): Promise<void> {
  const tmp = `${file}.${process.pid}.tmp`;
  try {
    await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
    await writeFile(tmp, content, { mode });
    await rename(tmp, file);
  } catch (error) {
    throw new AppError('precondition', `${file} cannot be written: ${String(error)}`, { cause: error });
  }
}

export function wantsTls({ addr, tls }: MasterSettings['http']): boolean {
  return tls === 'auto' ? !isLoopback(addr.host) : tls === 'on';
}

function addressOf(a: AddressInfo): string {
  return a.family === 'IPv6' ? `[${a.address}]:${a.port}` : `${a.address}:${a.port}`;
}

/** `advertise` holds what agents dial: a name or an address, with a port where it is not the listener's. */
function withPort(name: string, port: number): string {
  if (withoutPort(name) !== name) return name;
  return name.includes(':') ? `[${name}]:${port}` : `${name}:${port}`;
}

function withoutPort(name: string): string {
  const m = /^(?:\[([0-9a-f:.]+)\]|([^:]+)):\d+$/i.exec(name);
  return m?.[1] ?? m?.[2] ?? name;
}
