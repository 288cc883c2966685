import { write } from 'node:fs';
import type { Sink } from './writer.ts';

const RETRY_MS = 10;

/**
 * A terminal's descriptor as a sink that never blocks the event loop: `process.stdout` on a TTY writes synchronously,
 * so a stalled terminal would stop the whole console. One write is under way at a time, in the thread pool.
 * `onError` is called once, when the terminal is gone; nothing is written after that.
 */
export class TtyOut implements Sink {
  readonly #fd: number;
  readonly #onError: (e: Error) => void;
  #state: 'idle' | 'writing' | 'gone' = 'idle';
  #drained: (() => void) | null = null;

  constructor(fd: number, needs: { readonly onError: (e: Error) => void }) {
    this.#fd = fd;
    this.#onError = needs.onError;
  }

  /** idle -> writing. Always busy afterwards: the answer is the end of the write. */
  write(data: string): boolean {
    if (this.#state !== 'idle') return false;
    this.#state = 'writing';
    this.#push(Buffer.from(data), 0);
    return false;
  }

  onDrain(fn: () => void): void {
    this.#drained = fn;
  }

  /** What is not written yet never will be: the terminal is about to be somebody else's. * -> gone */
  stop(): void {
    this.#state = 'gone';
    this.#drained = null;
  }

  #push(data: Buffer, from: number): void {
    write(this.#fd, data, from, data.length - from, null, (e, written) => {
      if (this.#state === 'gone') return;
      if (e !== null) {
        // Shared with a descriptor that somebody made non-blocking: full for the moment.
        if (e.code === 'EAGAIN') setTimeout(() => this.#retry(data, from), RETRY_MS).unref();
        else this.#fail(e);
        return;
      }
      if (from + written < data.length) this.#push(data, from + written);
      else this.#done();
    });
  }

  #retry(data: Buffer, from: number): void {
    if (this.#state === 'writing') this.#push(data, from);
  }

  /** writing -> idle */
  #done(): void {
    this.#state = 'idle';
    const fn = this.#drained;
    this.#drained = null;
    fn?.();
  }

  /** writing -> gone */
  #fail(e: Error): void {
    this.#state = 'gone';
    this.#drained = null;
    this.#onError(e);
  }
}
