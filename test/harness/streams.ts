import { request } from 'node:http';

/** Live streams through an edge, each counted until it ends or is cut. */
export class LiveStreams {
  readonly states: StreamState[] = [];

  open(port: number, n: number): void {
    for (let i = 0; i < n; i++) this.states.push(new StreamState(port));
  }

  get cut(): readonly string[] {
    return this.states.flatMap((s) => (s.fault ? [s.fault] : []));
  }

  /** Every stream has had at least this many more chunks than at `since`. */
  advanced(since: readonly number[], by: number): boolean {
    return this.states.every((s, i) => s.chunks >= (since[i] ?? 0) + by);
  }

  get chunks(): readonly number[] {
    return this.states.map((s) => s.chunks);
  }

  close(): void {
    for (const s of this.states) s.close();
  }
}

class StreamState {
  chunks = 0;
  fault: string | null = null;
  private closing = false;
  private readonly req: ReturnType<typeof request>;

  constructor(port: number) {
    this.req = request({ port, host: '127.0.0.1', path: '/endless', agent: false }, (res) => {
      res.on('data', () => {
        this.chunks += 1;
      });
      res.on('end', () => this.over('ended'));
      res.on('error', (e) => this.over(e.message));
      res.on('aborted', () => this.over('aborted'));
    });
    this.req.on('error', (e) => this.over(e.message));
    this.req.end();
  }

  close(): void {
    this.closing = true;
    this.req.destroy();
  }

  private over(why: string): void {
    if (!this.closing) this.fault ??= why;
  }
}
