import net from 'node:net';
import { AppError } from '../../../proto/vocab/errors.ts';
import type { Engine } from '../port.ts';
import { encodeFrame, FrameReader } from './frames.ts';
import type { CallError, CallName, Calls, Hello } from './protocol.ts';
import { PROTOCOL_MAX, PROTOCOL_MIN } from './protocol.ts';

const BACKOFF_MS = [50, 100, 200, 400, 800, 1600] as const;
const GREETING_MS = 5_000;
const SHORT_MS = 5_000;
const LONG_MS = 30_000;
const DEADLINE_MS: { readonly [K in CallName]: number } = {
  info: SHORT_MS,
  validate: LONG_MS,
  apply: LONG_MS,
  reload: SHORT_MS,
  confirm: LONG_MS,
  effective: SHORT_MS,
  stats: SHORT_MS,
  logs: SHORT_MS,
  drain: LONG_MS,
  drainStatus: SHORT_MS,
  undrain: LONG_MS,
  upgrade: 2 * LONG_MS,
  stop: SHORT_MS,
};

interface Waiting {
  readonly resolve: (ok: unknown) => void;
  readonly reject: (error: AppError) => void;
  readonly timer: NodeJS.Timeout;
}

type Link =
  | { readonly at: 'waiting'; readonly timer: NodeJS.Timeout }
  | { readonly at: 'greeting'; readonly socket: net.Socket }
  | { readonly at: 'up'; readonly socket: net.Socket; readonly hello: Hello['hello'] }
  | { readonly at: 'closed' };

/**
 * The port over engine.sock. Connects at once and again by itself; while the link is down every call rejects
 * `unavailable` without waiting. A listener given to `onLink` while the link is up is told so at the next tick.
 */
export function createEmbeddedEngine(needs: {
  socket: string;
  log?: (level: 'debug' | 'info' | 'warn', text: string) => void;
}): Engine {
  const { socket: path } = needs;
  const log = needs.log ?? (() => undefined);
  const waiting = new Map<number, Waiting>();
  const listeners: ((up: boolean) => void)[] = [];
  let link: Link = { at: 'closed' };
  let tries = 0;
  let lastId = 0;
  let lastError = 'not connected yet';

  // waiting | closed -> greeting
  const connect = (): void => {
    const socket = net.connect(path);
    const reader = new FrameReader();
    link = { at: 'greeting', socket };
    const slow = setTimeout(() => socket.destroy(new Error('no greeting in time')), GREETING_MS);
    socket.on('data', (chunk) => {
      const broken = reader.push(chunk as Buffer, (frame) => {
        if (link.at === 'greeting') {
          clearTimeout(slow);
          greeted(socket, frame);
        } else answered(frame);
      });
      if (broken !== null) socket.destroy(new Error(broken));
    });
    socket.on('error', (e) => {
      lastError = e.message;
    });
    socket.on('close', () => {
      clearTimeout(slow);
      lost();
    });
  };

  // greeting -> up
  const greeted = (socket: net.Socket, frame: unknown): void => {
    const hello = (frame as Hello | null)?.hello;
    const [min, max] = hello?.protocol ?? [0, -1];
    const use = Math.min(max, PROTOCOL_MAX);
    if (hello === undefined || use < PROTOCOL_MIN || use < min) {
      socket.destroy(new Error(`it speaks protocol ${min} to ${max}, we ${PROTOCOL_MIN} to ${PROTOCOL_MAX}`));
      return;
    }
    const answer = encodeFrame({ use });
    if (answer !== null) socket.write(answer);
    tries = 0;
    link = { at: 'up', socket, hello };
    log('info', `engine ${hello.version} (pid ${hello.pid}) answers on ${path}`);
    for (const tell of listeners) tell(true);
  };

  // greeting | up -> waiting
  const lost = (): void => {
    if (link.at === 'closed') return;
    const wasUp = link.at === 'up';
    const delay = BACKOFF_MS[Math.min(tries, BACKOFF_MS.length - 1)] ?? 1600;
    tries += 1;
    link = { at: 'waiting', timer: setTimeout(connect, delay) };
    failAll(gone());
    if (!wasUp) return;
    log('warn', `lost the engine on ${path}`);
    for (const tell of listeners) tell(false);
  };

  const gone = (): AppError =>
    new AppError('unavailable', `the engine does not answer on ${path} (${lastError}); is it running?`);

  const failAll = (error: AppError): void => {
    const open = [...waiting.values()];
    waiting.clear();
    for (const w of open) {
      clearTimeout(w.timer);
      w.reject(error);
    }
  };

  const answered = (frame: unknown): void => {
    const { id, ok, error } = (frame ?? {}) as { id?: number; ok?: unknown; error?: CallError };
    const w = id === undefined ? undefined : waiting.get(id);
    if (id === undefined || w === undefined) return;
    waiting.delete(id);
    clearTimeout(w.timer);
    if (error === undefined) w.resolve(ok);
    else w.reject(new AppError(error.code, error.message, { refusals: error.refusals ?? [] }));
  };

  const call = <K extends CallName>(name: K, args: Calls[K]['args']): Promise<Calls[K]['ok']> =>
    new Promise((resolve, reject) => {
      if (link.at !== 'up') return reject(gone());
      lastId += 1;
      const id = lastId;
      const frame = encodeFrame({ id, call: name, args });
      if (frame === null) {
        return reject(
          new AppError('too_large', 'the document does not fit into one frame to the engine (1 MiB)'),
        );
      }
      const timer = setTimeout(() => {
        waiting.delete(id);
        reject(new AppError('timeout', `the engine did not answer ${name} in ${DEADLINE_MS[name] / 1000} s`));
      }, DEADLINE_MS[name]);
      waiting.set(id, { resolve: (ok) => resolve(ok as Calls[K]['ok']), reject, timer });
      link.socket.write(frame);
    });

  connect();
  return {
    info: () => call('info', {}),
    capabilities: async () => {
      if (link.at !== 'up') throw gone();
      return link.hello.capabilities;
    },
    validate: (document, identity) => call('validate', { document, identity }),
    apply: (args) => call('apply', args),
    reload: () => call('reload', {}),
    confirm: () => call('confirm', {}),
    effective: () => call('effective', {}),
    stats: () => call('stats', {}),
    logs: (after, max) => call('logs', { after, max }),
    drain: (args) => call('drain', args),
    drainStatus: () => call('drainStatus', {}),
    undrain: (args) => call('undrain', args),
    upgrade: (args) => call('upgrade', args),
    stop: async () => {
      await call('stop', {});
    },
    onLink: (listener) => {
      listeners.push(listener);
      if (link.at === 'up') queueMicrotask(() => link.at === 'up' && listener(true));
    },
    close: () => {
      const was = link;
      link = { at: 'closed' };
      failAll(new AppError('unavailable', 'the link to the engine was closed'));
      if (was.at === 'waiting') clearTimeout(was.timer);
      else if (was.at !== 'closed') was.socket.destroy();
    },
  };
}
