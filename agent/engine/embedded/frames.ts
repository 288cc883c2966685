import { MAX_FRAME } from './protocol.ts';

// Frames of engine.sock: uint32 big-endian length, then JSON, at most 1 MiB.

/** `null` when the value is larger than a frame may be. */
export function encodeFrame(value: unknown): Buffer | null {
  const json = Buffer.from(JSON.stringify(value), 'utf8');
  if (json.length > MAX_FRAME) return null;
  const frame = Buffer.allocUnsafe(4 + json.length);
  frame.writeUInt32BE(json.length, 0);
  json.copy(frame, 4);
  return frame;
}

/** Cuts a byte stream into frames. After an error it takes nothing more: the connection has lost its place. */
export class FrameReader {
  #held: Buffer[] = [];
  #size = 0;
  #broken: string | null = null;

  /** Calls `onFrame` for each whole frame; returns why the stream is unusable, or `null`. */
  push(chunk: Buffer, onFrame: (value: unknown) => void): string | null {
    if (this.#broken !== null) return this.#broken;
    this.#held.push(chunk);
    this.#size += chunk.length;
    while (this.#size >= 4) {
      const length = this.#peekLength();
      if (length > MAX_FRAME)
        return this.#break(`a frame of ${length} bytes; at most ${MAX_FRAME} are allowed`);
      if (this.#size < 4 + length) return null;
      const all = this.#held.length === 1 ? (this.#held[0] as Buffer) : Buffer.concat(this.#held);
      const rest = all.subarray(4 + length);
      this.#held = rest.length > 0 ? [rest] : [];
      this.#size = rest.length;
      let value: unknown;
      try {
        value = JSON.parse(all.toString('utf8', 4, 4 + length));
      } catch {
        return this.#break('a frame that is not JSON');
      }
      onFrame(value);
    }
    return null;
  }

  #peekLength(): number {
    const first = this.#held[0] as Buffer;
    if (first.length >= 4) return first.readUInt32BE(0);
    const all = Buffer.concat(this.#held);
    this.#held = [all];
    return all.readUInt32BE(0);
  }

  #break(why: string): string {
    this.#broken = why;
    this.#held = [];
    this.#size = 0;
    return why;
  }
}
