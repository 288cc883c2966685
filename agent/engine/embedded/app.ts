import { readFile } from 'node:fs/promises';
import { configHash } from '../../../proto/document/hash.ts';
import { readDocument } from '../../../proto/document/read.ts';
import { formatRefusal } from '../../../proto/vocab/errors.ts';
import type { EngineIdentity } from '../port.ts';
import { Control } from './control/control.ts';
import { LogRing } from './control/logs.ts';
import { ControlServer } from './control/server.ts';
import { localData } from './data/local.ts';
import { DataPlane } from './data/plane.ts';
import type { Hello } from './protocol.ts';
import { PROTOCOL_MAX, PROTOCOL_MIN } from './protocol.ts';

export const CAPABILITIES = [
  'connector.relay',
  'dialer.tcp',
  'dialer.tls',
  'handler.relay',
  'handler.tcp',
  'listener.tcp',
  'listener.tls',
] as const;

const LOOK_AT_FILES_MS = 2_000;
/** A bare start may come before the ports of the engine before it are free. */
const BARE_TRIES = 30;
const BARE_RETRY_MS = 1_000;
const FLUSH_MS = 200;

export interface EngineSettings {
  readonly socket: string;
  /** The last effective document, loaded before any agent is there. */
  readonly document: string | null;
  readonly identity: EngineIdentity;
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
): Promise<{ stop: () => Promise<void>; log: LogRing['log'] }> {
  const { version, instance, pid, now } = needs;
  const logs = new LogRing({ now, write: needs.write });
  const { log } = logs;
  const plane = new DataPlane({ ...needs, log });
  const data = localData(plane.calls);
  const hello: Hello['hello'] = {
    protocol: [PROTOCOL_MIN, PROTOCOL_MAX],
    kind: 'embedded',
    version,
    instance,
    pid,
    capabilities: CAPABILITIES,
  };
  let stopping = false;
  const stop = async (): Promise<void> => {
    if (stopping) return;
    stopping = true;
    clearInterval(look);
    log('info', 'stopping');
    // Streams are cut, not ended: what is half an answer must not look whole.
    await data.call('stop', {});
    await server.close();
    setTimeout(needs.exit, FLUSH_MS);
  };
  const control = new Control({ data, hello, logs, startedAt: now(), now, onStop: () => void stop() });
  const server = new ControlServer({ calls: control.calls, hello: { hello }, log });
  await server.listen(settings.socket);
  log('info', `engine ${version} (pid ${pid}) listens on ${settings.socket}`);
  const look = setInterval(() => {
    control.refresh().catch((e: unknown) => log('error', `certificates: ${String(e)}`));
  }, LOOK_AT_FILES_MS);
  look.unref();
  if (settings.document !== null) {
    void startBare({ file: settings.document, settings, control, log, stopped: () => stopping });
  }
  return { stop, log };
}

/** nothing -> carries the last effective document, unless an agent was quicker. */
async function startBare(args: {
  file: string;
  settings: EngineSettings;
  control: Control;
  log: LogRing['log'];
  stopped: () => boolean;
}): Promise<void> {
  const { file, settings, control, log, stopped } = args;
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
      if (!control.untouched) return;
      const again = left > 1 ? `; trying again in ${BARE_RETRY_MS / 1000} s` : '; waiting for the agent';
      log('error', `${file} is not carried: ${e instanceof Error ? e.message : String(e)}${again}`);
      await new Promise((resolve) => setTimeout(resolve, BARE_RETRY_MS));
    }
  }
}
