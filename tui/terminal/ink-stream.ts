import { Writable } from 'node:stream';
import { readSize, type SizeSource, watchSize } from './size.ts';
import type { FrameWriter } from './writer.ts';

const ESC = String.fromCharCode(27);
/** What log-update puts before a frame to take the last one back: erase line, up, column one. */
const ERASE = new RegExp(`^(?:${ESC}\\[2K|${ESC}\\[1A|${ESC}\\[G)+`);

/**
 * What Ink is given as its stdout: every write is a whole frame, which goes to the writer instead of a terminal.
 * It says it is no TTY, so Ink sends no cursor, screen or synchronisation sequences of its own; with
 * `interactive: true` it renders every frame all the same, and follows `resize`.
 */
export function inkStream(needs: {
  readonly writer: FrameWriter;
  readonly size: SizeSource;
}): NodeJS.WriteStream {
  const { writer, size } = needs;
  const stream = new Writable({
    decodeStrings: false,
    write(chunk: string | Buffer, _encoding, done) {
      const text = String(chunk);
      const frame = text.replace(ERASE, '');
      // Taking a frame back is not a frame, nor is the empty write that asks for a flush.
      if (frame !== '') writer.draw(frame.endsWith('\n') ? frame.slice(0, -1) : frame);
      done();
    },
  });
  Object.defineProperties(stream, {
    columns: { get: () => readSize(size).width },
    rows: { get: () => readSize(size).height },
    isTTY: { value: false },
  });
  const stop = watchSize(size, () => {
    stream.emit('resize');
  });
  stream.once('close', stop);
  // Ink asks for a WriteStream; it uses write, columns, rows, isTTY and resize.
  return stream as unknown as NodeJS.WriteStream;
}
