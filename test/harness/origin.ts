import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** An origin inside the test, so that the test decides when each token leaves. */
export class SteppedOrigin {
  readonly server: Server;
  /** Live answers, newest last. */
  readonly answers: SteppedAnswer[] = [];
  private waiting: ((a: SteppedAnswer) => void)[] = [];

  private constructor() {
    this.server = createServer((req, res) => {
      const answer = new SteppedAnswer(req, res);
      this.answers.push(answer);
      req.resume().on('end', () => {
        const waiter = this.waiting.shift();
        waiter?.(answer);
      });
    });
  }

  static async start(): Promise<SteppedOrigin> {
    const origin = new SteppedOrigin();
    origin.server.listen(0, '127.0.0.1');
    await once(origin.server, 'listening');
    return origin;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** The next request, once it has been read whole. Ask before sending it. */
  next(): Promise<SteppedAnswer> {
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }
}

class SteppedAnswer {
  readonly req: IncomingMessage;
  private readonly res: ServerResponse;
  private sent = 0;

  constructor(req: IncomingMessage, res: ServerResponse) {
    this.req = req;
    this.res = res;
  }

  begin(): void {
    this.res.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
    this.res.flushHeaders();
  }

  token(content: string): void {
    this.sent += 1;
    const choices = [{ index: 0, delta: { content }, finish_reason: null }];
    this.event({ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'm', choices });
  }

  end(): void {
    const choices = [{ index: 0, delta: {}, finish_reason: 'stop' }];
    this.event({ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'm', choices });
    this.res.end('data: [DONE]\n\n');
  }

  /** The origin dies in the middle of the answer: a reset, not an end. */
  reset(): void {
    this.req.socket.resetAndDestroy();
  }

  private event(value: unknown): void {
    this.res.write(`data: ${JSON.stringify(value)}\n\n`);
  }
}
