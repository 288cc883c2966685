import { writeSync } from 'node:fs';
import { Readable } from 'node:stream';
import type { ReadStream, WriteStream } from 'node:tty';
import { inkStream } from './ink-stream.ts';
import { type ProbeResult, probe } from './probe.ts';
import { type ProcessPort, TerminalModes } from './restore.ts';
import { type InputEvent, ROUTER_SETTINGS, Router, type Timers } from './router.ts';
import { readSize, type Size } from './size.ts';
import { TtyOut } from './tty-out.ts';
import { FrameWriter } from './writer.ts';

export interface TerminalSettings {
  /** The screen's descriptor: 1. */
  readonly fd: number;
  /** How long the terminal may take to say what it is, ms. */
  readonly probeMs: number;
  /** Whether to measure ambiguous characters; pointless where only ASCII is drawn. */
  readonly askWidth: boolean;
}

export interface Terminal {
  /** For Ink: `render(…, { stdout, stdin, interactive: true, patchConsole: false })`, and no `alternateScreen`. */
  readonly stdout: NodeJS.WriteStream;
  /** For Ink as well; keys never come this way. */
  readonly stdin: NodeJS.ReadStream;
  /** What the terminal said of itself. Keys typed meanwhile reach `listen` later, in their order. */
  readonly probed: Promise<ProbeResult>;
  /** Keys and pastes one by one; the answer stops listening. What came before the first listener is kept for it. */
  readonly listen: (fn: (e: InputEvent) => void) => () => void;
  readonly size: () => Size;
  readonly modes: TerminalModes;
  /** Gives the terminal back; the process may go on. */
  readonly close: () => void;
}

/** Keys kept while nobody listens: more than that was not meant for us. */
const MOST_KEPT = 64;

/** The process's own terminal, taken over until `close` or the end of the process, however it ends. */
export function openTerminal(
  settings: TerminalSettings,
  needs: {
    readonly proc: ProcessPort;
    readonly input: ReadStream;
    readonly output: WriteStream;
    readonly tell: (line: string) => void;
    /** Keyboard or screen is gone: nothing can be shown or asked any more. */
    readonly onGone: () => void;
  },
): Terminal {
  const { input, output, proc } = needs;
  const timers: Timers = {
    start: (ms, fn) => {
      const t = setTimeout(fn, ms);
      return () => clearTimeout(t);
    },
  };
  const out = new TtyOut(settings.fd, { onError: () => gone() });
  const writer = new FrameWriter({ sink: out, size: output });
  const listeners = new Set<(e: InputEvent) => void>();
  const kept: InputEvent[] = [];
  const replies = new Set<(e: InputEvent) => void>();
  const router = new Router(ROUTER_SETTINGS, {
    timers,
    emit: (e) => {
      if (e.kind === 'reply') for (const fn of [...replies]) fn(e);
      else if (listeners.size > 0) for (const fn of [...listeners]) fn(e);
      else if (kept.length < MOST_KEPT) kept.push(e);
    },
  });
  const modes = new TerminalModes({
    proc,
    tell: needs.tell,
    setRawMode: (on) => input.setRawMode(on),
    writeSync: (data) => writeAll(settings.fd, data),
    onResume: () => {
      writer.forget();
      output.emit('resize');
      writer.again();
    },
    onExit: () => {
      writer.stop();
      out.stop();
    },
  });

  const onData = (chunk: Buffer) => router.feed(chunk);
  let closed = false;
  function close(): void {
    if (closed) return;
    closed = true;
    writer.stop();
    out.stop();
    router.stop();
    input.off('data', onData);
    input.off('end', gone);
    input.pause();
    modes.leave();
  }
  function gone(): void {
    if (closed) return;
    close();
    needs.onGone();
  }

  modes.enter();
  input.on('data', onData);
  input.once('end', gone);
  input.resume();
  const probed = probe(
    { ms: settings.probeMs, askWidth: settings.askWidth },
    {
      write: (data) => writeAll(settings.fd, data),
      timers,
      subscribe: (fn) => {
        replies.add(fn);
        return () => replies.delete(fn);
      },
    },
  );
  const idle = Object.assign(new Readable({ read() {} }), { isTTY: false });
  return {
    stdout: inkStream({ writer, size: output }),
    // Ink's type; it only asks whether this is a TTY as long as no hook of it reads keys.
    stdin: idle as unknown as NodeJS.ReadStream,
    probed,
    listen: (fn) => {
      listeners.add(fn);
      for (const e of kept.splice(0)) fn(e);
      return () => listeners.delete(fn);
    },
    size: () => readSize(output),
    modes,
    close,
  };
}

/** All of it, now. A descriptor somebody made non-blocking may be full for a moment; a second is the most we try. */
function writeAll(fd: number, data: string): void {
  const bytes = Buffer.from(data);
  let at = 0;
  for (let tries = 0; at < bytes.length && tries < 100; tries++) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (e) {
      if ((e as NodeJS.ErrnoException).code !== 'EAGAIN') throw e;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }
}
