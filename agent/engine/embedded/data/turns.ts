import { type Body, type Direction, MessageScanner, type ScannerEvents } from './message-scanner.ts';

export interface TurnSink {
  request(): void;
  ttft(ms: number): void;
  gap(ms: number): void;
}

interface Turn {
  /** The request's last byte. */
  readonly at: number;
  readonly bodyless: boolean;
}

const MAX_WAITING = 64;
const LONGEST_METHOD = 16;

/**
 * Watches both directions of a clear HTTP/1.1 connection go by. A turn is a request and its answer: TTFT runs from the
 * request's last byte to the first body byte that is not an SSE comment, a gap lies between body chunks after it.
 * Whatever it does not understand makes the stream opaque for good: one request, no TTFT. It never alters a byte.
 */
export class Turns implements ScannerEvents {
  readonly #sink: TurnSink;
  readonly #requests: MessageScanner;
  readonly #answers: MessageScanner;
  readonly #waiting: Turn[] = [];
  #method = '';
  #opaque = false;
  #seen = false;
  #sse = false;
  #comment: 'line-start' | 'comment' | 'over' = 'over';
  #body = false;
  #lastBody: number | null = null;
  #now = 0;

  constructor(sink: TurnSink) {
    this.#sink = sink;
    this.#requests = new MessageScanner('request', this);
    this.#answers = new MessageScanner('answer', this);
  }

  get opaque(): boolean {
    return this.#opaque;
  }

  /** A request has begun and its answer is not complete. */
  get outstanding(): boolean {
    return !this.#opaque && (this.#waiting.length > 0 || this.#requests.inBody);
  }

  /** A whole request is there, and its answer is not complete. */
  get awaited(): boolean {
    return this.#waiting.length > 0 && !this.#requests.inBody;
  }

  /** Part of an answer has come: an end now would leave it truncated. */
  get answering(): boolean {
    return !this.#opaque && this.#answers.begun;
  }

  fromClient(chunk: Buffer, now: number): void {
    if (this.#opaque) return;
    if (!this.#seen && !mayBeMethod(chunk)) {
      this.#giveUp();
      return;
    }
    this.#seen = true;
    this.#now = now;
    if (!this.#requests.feed(chunk) || this.#waiting.length > MAX_WAITING) this.#giveUp();
  }

  fromOrigin(chunk: Buffer, now: number): void {
    if (this.#opaque) return;
    // An answer to what is no request yet: another protocol whose first word looked like a method, a server that speaks
    // first. Taken for the head of an answer, its end would pass for a cut.
    if (this.#waiting.length === 0 && !this.#requests.inBody) {
      this.#giveUp();
      return;
    }
    this.#now = now;
    this.#body = false;
    if (!this.#answers.feed(chunk)) this.#giveUp();
    if (!this.#body) return;
    if (this.#lastBody !== null) this.#sink.gap(now - this.#lastBody);
    this.#lastBody = now;
  }

  /** The origin has ended in good order; that completes an answer without a length. */
  originEnd(): void {
    this.#body = false;
    if (!this.#opaque) this.#answers.eof();
  }

  /** A scanner found a head. */
  head(of: Direction, head: string): Body {
    return of === 'request' ? this.#requestHead(head) : this.#answerHead(head);
  }

  /** A scanner passed body bytes. */
  body(of: Direction, chunk: Buffer, from: number, to: number): void {
    if (of === 'answer') this.#answerBody(chunk, from, to);
  }

  /** A scanner came to a message's end. */
  end(of: Direction): void {
    if (of === 'request') this.#requestEnd();
    else this.#answerEnd();
  }

  #giveUp(): void {
    this.#opaque = true;
    this.#waiting.length = 0;
    this.#sink.request();
  }

  #requestHead(head: string): Body {
    const line = /^([A-Z]+) \S+ HTTP\/1\.[01]$/.exec(head.slice(0, endOfLine(head)));
    if (line === null || line[1] === 'CONNECT') return 'odd';
    this.#method = line[1] ?? '';
    return bodyOf(head, 'none');
  }

  #requestEnd(): void {
    this.#waiting.push({ at: this.#now, bodyless: this.#method === 'HEAD' });
    this.#sink.request();
  }

  #answerHead(head: string): Body {
    const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1] ?? 0);
    if (status >= 100 && status < 200 && status !== 101) return 'again';
    const turn = this.#waiting[0];
    // An answer before its request is over, or a switch to another protocol.
    if (status < 200 || turn === undefined) return 'odd';
    this.#sse = /\r\ncontent-type:[ \t]*text\/event-stream/i.test(head);
    this.#comment = this.#sse ? 'line-start' : 'over';
    this.#lastBody = null;
    if (turn.bodyless || status === 204 || status === 304) return 'none';
    return bodyOf(head, 'eof');
  }

  #answerBody(chunk: Buffer, from: number, to: number): void {
    if (this.#lastBody === null && !this.#body) {
      if (!this.#isContent(chunk, from, to)) return;
      const turn = this.#waiting[0];
      if (turn !== undefined) this.#sink.ttft(this.#now - turn.at);
    }
    this.#body = true;
  }

  /** Passes comment lines (`: ping`) and empty lines by; true at the first byte of anything else. */
  #isContent(chunk: Buffer, from: number, to: number): boolean {
    for (let i = from; i < to && this.#comment !== 'over'; i++) {
      const byte = chunk[i];
      const newline = byte === 0x0a || byte === 0x0d;
      if (this.#comment === 'comment') {
        if (newline) this.#comment = 'line-start';
      } else if (!newline) this.#comment = byte === 0x3a ? 'comment' : 'over';
    }
    return this.#comment === 'over';
  }

  #answerEnd(): void {
    this.#waiting.shift();
    if (this.#body && this.#lastBody !== null) this.#sink.gap(this.#now - this.#lastBody);
    // What followed in the same chunk belongs to the next turn.
    this.#lastBody = null;
    this.#body = false;
  }
}

/** Capitals and a space: not TLS, not some other protocol altogether. */
function mayBeMethod(chunk: Buffer): boolean {
  for (let i = 0; i < Math.min(chunk.length, LONGEST_METHOD); i++) {
    const byte = chunk[i] as number;
    if (byte === 0x20) return i > 0;
    if (byte < 0x41 || byte > 0x5a) return false;
  }
  return chunk.length < LONGEST_METHOD;
}

function endOfLine(head: string): number {
  const at = head.indexOf('\r\n');
  return at < 0 ? head.length : at;
}

function bodyOf(head: string, otherwise: 'none' | 'eof'): Body {
  let encoding: string | null = null;
  let length: string | null = null;
  // Only what begins like one of the two is cut out of the head: most lines never become strings of their own.
  for (let at = endOfLine(head); at < head.length; ) {
    const from = at + 2;
    const next = head.indexOf('\r\n', from);
    const to = next < 0 ? head.length : next;
    at = to;
    const first = head.charCodeAt(from) | 0x20;
    if (first !== 0x63 && first !== 0x74) continue;
    const colon = head.indexOf(':', from);
    if (colon < 0 || colon > to) continue;
    const name = head.slice(from, colon).toLowerCase();
    if (name !== 'transfer-encoding' && name !== 'content-length') continue;
    const value = head.slice(colon + 1, to).trim();
    if (name === 'transfer-encoding') {
      if (encoding !== null) return 'odd';
      encoding = value.toLowerCase();
    } else {
      if (length !== null && length !== value) return 'odd';
      length = value;
    }
  }
  if (encoding !== null) return encoding === 'chunked' && length === null ? 'chunked' : 'odd';
  if (length === null) return otherwise;
  return /^\d{1,15}$/.test(length) ? Number(length) : 'odd';
}
