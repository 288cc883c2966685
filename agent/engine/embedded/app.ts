import { readFile } from 'node:fs/promises';
import { configHash } from '../../../proto/document/hash.ts';
import { readDocument } from '../../../proto/document/read.ts';
import { formatRefusal } from '../../../proto/vocab/errors.ts';
import type { EngineIdentity } from '../port.ts';
import { Control } from './control/control.ts';
import { LogRing } from './control/logs.ts';
import { ControlServer } from './control/server.ts';
import { ownDescriptors } from './data/headroom.ts';
import { localData } from './data/local.ts';
import { DataPlane } from './data/plane.ts';
import type { Hello } from './protocol.ts';
import { PROTOCOL_MAX, PROTOCOL_MIN } from './protocol.ts';

export const CAPABILITIES = [
  'admission',
  'climiter',
  'connector.forward',
  'connector.relay',
  'dialer.mtls',
  'dialer.mwss',
  'dialer.tcp',
  'dialer.tls',
  'dialer.ws',
  'dialer.wss',
  'handler.forward',
  'handler.relay',
  'handler.tcp',
  'limiter',
  'listener.mtls',
  'listener.mwss',
  'listener.tcp',
  'listener.tls',
  'listener.ws',
  'listener.wss',
  'mux.maxStreams',
  'probe',
  'proxy.read',
  'proxy.write',
  'readBufferSize',
  'rlimiter',
  'sealed-files',
  'selector.least',
] as const;

const LOOK_AT_FILES_MS = 2_000;
/** A bare start may come before the ports of the engine before it are free. */
const BARE_TRIES = 30;
const BARE_RETRY_MS = 1_000;
const FLUSH_MS = 200;
/** Who starts an engine with a document waits for it to be carried, but not for long. */
const BARE_PATIENCE_MS = 5_000;

export interface EngineSettings {
  readonly socket: string;
  /** The last effective document, loaded before any agent is there. */
  readonly document: string | null;
  readonly identity: EngineIdentity;
  /** DNS servers, `host:port`; none: the system's. */
  readonly dns?: readonly string[];
}

/** The engine: control and data in one process, talking by messages. `exit` is called once it has stopped. */
export async function startEngine(
  settings: EngineSettings,
  needs: {
    version: string;
    instance: string;
    pid: number;
    now: () => number;
    clock: () => number;
    random: () => number;
    write: (line: string) => void;
    exit: () => void;
  },
): Promise<{ started: Promise<void>; stop: () => Promise<void>; log: LogRing['log'] }> {
  const { version, instance, pid, now } = needs;
  const logs = new LogRing({ now, write: needs.write });
  const { log } = logs;
  const data = localData(
    new DataPlane({ ...needs, log, dns: settings.dns ?? [], descriptors: ownDescriptors() }).calls,
  );
  let stopping = false;
  const stop = async (): Promise<void> => {
    if (stopping) return;
    stopping = true;
    log('info', 'stopping');
    // Streams are cut, not ended: what is half an answer must not look whole.
    await data.call('stop', {});
    await running.close();
    setTimeout(needs.exit, FLUSH_MS);
  };
  const running = await startControl(settings, {
    ...{ version, instance, pid, now, data, logs, startedAt: now() },
    onStop: () => void stop(),
  });
  return { started: running.started, stop, log };
}

/**
 * Control on its socket, with what carries for it. `started`: it carries the document it was given, or it waits for an agent.
 * @throws AppError when the socket cannot be had
 */
export async function startControl(
  settings: EngineSettings,
  needs: Omit<ConstructorParameters<typeof Control>[0], 'hello'> & {
    readonly version: string;
    readonly instance: string;
    readonly pid: number;
    /** Called with what an earlier control had carried, before anybody can ask for something else. */
    readonly resumed?: (plan: Control['carried']) => Promise<void>;
  },
): Promise<{ started: Promise<void>; close: () => Promise<void> }> {
  const { version, instance, pid, logs } = needs;
  const { log } = logs;
  const hello: Hello['hello'] = {
    protocol: [PROTOCOL_MIN, PROTOCOL_MAX],
    kind: 'embedded',
    version,
    instance,
    pid,
    capabilities: CAPABILITIES,
  };
  const control = new Control({ ...needs, hello });
  await needs.resumed?.(control.carried);
  const server = new ControlServer({ calls: control.calls, hello: { hello }, log });
  await server.listen(settings.socket);
  log('info', `engine ${version} (pid ${pid}) listens on ${settings.socket}`);
  const look = setInterval(() => {
    control.refresh().catch((e: unknown) => log('error', `certificates: ${String(e)}`));
  }, LOOK_AT_FILES_MS);
  look.unref();
  let closed: Promise<void> | null = null;
  const { promise: started, resolve: tried } = Promise.withResolvers<void>();
  if (settings.document !== null && control.untouched) {
    const late = setTimeout(tried, BARE_PATIENCE_MS);
    const stopped = (): boolean => closed !== null;
    void startBare({ file: settings.document, settings, control, log, stopped, tried }).finally(() => {
      clearTimeout(late);
      tried();
    });
  } else tried();
  const close = async (): Promise<void> => {
    clearInterval(look);
    control.close();
    await server.close();
  };
  return {
    started,
    close: () => {
      closed ??= close();
      return closed;
    },
  };
}

/** nothing -> carries the last effective document, unless an agent was quicker. */
async function startBare(args: {
  file: string;
  settings: EngineSettings;
  control: Control;
  log: LogRing['log'];
  stopped: () => boolean;
  /** Called after the first try. */
  tried: () => void;
}): Promise<void> {
  const { file, settings, control, log, stopped, tried } = args;
  const text = await readFile(file, 'utf8').catch((e: NodeJS.ErrnoException) => {
    if (e.code === 'ENOENT') log('info', `${file}: no document yet, waiting for the agent`);
    else log('error', `${file}: ${e.message}`);
    return null;
  });
  if (text === null) return;
  const read = readDocument(text);
  if (!read.ok) {
    log('error', `${file} is not carried: ${read.refusals.map(formatRefusal).join('; ')}`);
    return;
  }
  const { document } = read;
  for (let left = BARE_TRIES; left > 0 && control.untouched && !stopped(); left--) {
    try {
      const { identity } = settings;
      await control.calls.apply({ document, hash: configHash(document), baseGeneration: 0, identity });
      return;
    } catch (e) {
      tried();
      if (!control.untouched) return;
      const again = left > 1 ? `; trying again in ${BARE_RETRY_MS / 1000} s` : '; waiting for the agent';
      log('error', `${file} is not carried: ${e instanceof Error ? e.message : String(e)}${again}`);
      await new Promise((resolve) => setTimeout(resolve, BARE_RETRY_MS));
    }
  }
}
