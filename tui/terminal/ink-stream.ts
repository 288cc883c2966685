import { EventEmitter } from 'node:events';
import { readSize, type SizeSource, watchSize } from './size.ts';
import type { FrameWriter } from './writer.ts';

const ESC = String.fromCharCode(27);
/** What log-update puts before a frame to take the last one back: erase line, up, column one. */
const ERASE = new RegExp(`^(?:${ESC}\\[2K|${ESC}\\[1A|${ESC}\\[G)+`);

/**
 * What Ink is given as its stdout: every write is a whole frame, which goes to the writer instead of a terminal.
 * It says it is no TTY, so Ink sends no cursor, screen or synchronisation sequences of its own; with
 * `interactive: true` it renders every frame all the same, and follows `resize`.
 * An empty write is Ink asking whether all is out (`waitUntilRenderFlush`): answered when the terminal has it.
 */
export function inkStream(needs: {
  readonly writer: FrameWriter;
  readonly size: SizeSource;
}): NodeJS.WriteStream {
  const { writer, size } = needs;
  const stream = new EventEmitter();
  // Not a Writable: that would queue every frame behind a slow one, and only the newest counts.
  const write = (chunk: string | Uint8Array, a?: unknown, b?: unknown): boolean => {
    const text = typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('utf8');
    const frame = text.replace(ERASE, '');
    // Taking a frame back is not a frame.
    if (frame !== '') writer.draw(frame.endsWith('\n') ? frame.slice(0, -1) : frame);
    const done = typeof a === 'function' ? a : b;
    if (typeof done === 'function') writer.whenWritten(() => done());
    return true;
  };
  const stop = watchSize(size, () => {
    stream.emit('resize');
  });
  const end = () => {
    stop();
    return stream;
  };
  Object.defineProperties(stream, {
    write: { value: write },
    end: { value: end },
    writable: { value: true },
    columns: { get: () => readSize(size).width },
    rows: { get: () => readSize(size).height },
    isTTY: { value: false },
  });
  // Ink's type asks for a WriteStream; what it uses is write, columns, rows, isTTY and resize.
  return stream as unknown as NodeJS.WriteStream;
}
