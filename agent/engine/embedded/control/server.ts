import net from 'node:net';
import { AppError } from '../../../../proto/vocab/errors.ts';
import { encodeFrame, FrameReader } from '../frames.ts';
import type { CallError, CallName, Calls, Hello, Response } from '../protocol.ts';
import { PROTOCOL_MAX, PROTOCOL_MIN } from '../protocol.ts';
import type { Log } from './logs.ts';
import { listenOnSocket } from './socket-path.ts';

/** One method a call; a forgotten one does not compile. Faults are thrown as AppError. */
export type CallTable = { readonly [K in CallName]: (args: Calls[K]['args']) => Promise<Calls[K]['ok']> };

// A client that asks without reading its answers is cut off here.
const MAX_UNREAD = 8 * 1024 * 1024;
const GREETING_MS = 5_000;

function toCallError(error: unknown): CallError {
  if (!(error instanceof AppError))
    return { code: 'internal', message: 'the engine failed; its log says why' };
  const { code, message, refusals } = error;
  return refusals.length > 0 ? { code, message, refusals } : { code, message };
}

/** engine.sock: any number of clients, each call answered on its own, in whatever order they finish. */
export class ControlServer {
  readonly #calls: CallTable;
  readonly #hello: Hello;
  readonly #log: Log;
  readonly #server: net.Server;
  readonly #clients = new Set<net.Socket>();

  constructor(needs: { calls: CallTable; hello: Hello; log: Log }) {
    this.#calls = needs.calls;
    this.#hello = needs.hello;
    this.#log = needs.log;
    this.#server = net.createServer((socket) => this.#serve(socket));
  }

  async listen(path: string): Promise<void> {
    await listenOnSocket(this.#server, path);
    this.#server.on('error', (e) => this.#log('error', `engine socket: ${e.message}`));
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const client of this.#clients) client.end();
    const late = setTimeout(() => {
      for (const client of this.#clients) client.destroy();
    }, 200);
    await closed;
    clearTimeout(late);
  }

  #serve(socket: net.Socket): void {
    this.#clients.add(socket);
    const reader = new FrameReader();
    let greeted = false;
    const drop = (why: string): void => {
      this.#log('warn', `engine socket: closed a client: ${why}`);
      socket.destroy();
    };
    const greeting = setTimeout(() => drop('it did not answer the greeting'), GREETING_MS);
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearTimeout(greeting);
      this.#clients.delete(socket);
    });
    socket.on('data', (chunk) => {
      const broken = reader.push(chunk as Buffer, (frame) => {
        if (greeted) return this.#request(socket, frame, drop);
        const use = (frame as { use?: unknown } | null)?.use;
        if (typeof use !== 'number' || use < PROTOCOL_MIN || use > PROTOCOL_MAX) {
          return drop(`it wants protocol ${JSON.stringify(use)}`);
        }
        clearTimeout(greeting);
        greeted = true;
      });
      if (broken !== null) drop(broken);
    });
    this.#send(socket, this.#hello);
  }

  #request(socket: net.Socket, frame: unknown, drop: (why: string) => void): void {
    const { id, call, args } = (frame ?? {}) as { id?: unknown; call?: unknown; args?: unknown };
    if (typeof id !== 'number') {
      drop('a request without an id');
      return;
    }
    const answer = (response: Response): void => this.#send(socket, response);
    if (typeof call !== 'string' || !Object.hasOwn(this.#calls, call)) {
      const message = `this engine does not know the call ${JSON.stringify(call)}`;
      answer({ id, error: { code: 'unsupported', message } });
      return;
    }
    // The table's key decides the argument's type; the other end of the socket is our own client.
    const run = this.#calls[call as CallName] as (args: unknown) => Promise<Calls[CallName]['ok']>;
    Promise.resolve()
      .then(() => run(args ?? {}))
      .then(
        (ok) => answer({ id, ok }),
        (error: unknown) => {
          if (!(error instanceof AppError)) this.#log('error', `${call}: ${describe(error)}`);
          answer({ id, error: toCallError(error) });
        },
      );
  }

  #send(socket: net.Socket, message: Hello | Response): void {
    if (socket.destroyed) return;
    const tooLarge = 'id' in message ? encodeFrame(largeError(message.id)) : null;
    const frame = encodeFrame(message) ?? tooLarge;
    if (frame === null || socket.writableLength > MAX_UNREAD) socket.destroy();
    else socket.write(frame);
  }
}

function largeError(id: number): Response {
  return {
    id,
    error: { code: 'too_large', message: 'the answer does not fit into one frame; ask for less' },
  };
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
