import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';

/** A port that answers nothing, not even a SYN: a listener that is stopped, its queue full. */
export class BlackHole {
  readonly #child: ChildProcess;
  readonly #filling: readonly net.Socket[];

  private constructor(child: ChildProcess, filling: readonly net.Socket[]) {
    this.#child = child;
    this.#filling = filling;
  }

  static async open(host: string, port: number): Promise<BlackHole> {
    const listen = `require('net').createServer().listen({host:'${host}',port:${port},backlog:1},()=>process.send(1))`;
    const child = spawn(process.execPath, ['-e', listen], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    await once(child, 'message');
    child.kill('SIGSTOP');
    const filling = Array.from({ length: 8 }, () => net.connect({ host, port }));
    for (const s of filling) s.on('error', () => undefined);
    // A queue of 1 holds two.
    await Promise.all(filling.slice(0, 2).map((s) => once(s, 'connect')));
    return new BlackHole(child, filling);
  }

  close(): void {
    for (const s of this.#filling) s.destroy();
    this.#child.kill('SIGKILL');
  }
}
