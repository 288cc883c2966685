import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Turns } from './turns.ts';

interface Seen {
  requests: number;
  ttft: number[];
  gap: number[];
}

function watch(): { turns: Turns; seen: Seen; say: (...s: Step[]) => Turns } {
  const seen: Seen = { requests: 0, ttft: [], gap: [] };
  const turns = new Turns({
    request: () => {
      seen.requests += 1;
    },
    ttft: (ms) => seen.ttft.push(ms),
    gap: (ms) => seen.gap.push(ms),
  });
  const say = (...steps: Step[]): Turns => {
    for (const [at, who, text] of steps) {
      if (who === '>') turns.fromClient(Buffer.from(text, 'latin1'), at);
      else turns.fromOrigin(Buffer.from(text, 'latin1'), at);
    }
    return turns;
  };
  return { turns, seen, say };
}

/** When, from whom (`>` the client, `<` the origin), what. */
type Step = readonly [number, '>' | '<', string];

const POST = 'POST /v1/chat HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody';
const SSE_HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n';
const chunk = (s: string): string => `${s.length.toString(16)}\r\n${s}\r\n`;
const LAST = '0\r\n\r\n';

describe('Turns', () => {
  it("runs TTFT from the request's last byte to the first byte that is no comment, gaps between chunks after", () => {
    const { turns, seen, say } = watch();
    say(
      [0, '>', POST.slice(0, -2)],
      [10, '>', POST.slice(-2)],
      [20, '<', SSE_HEAD],
      [30, '<', chunk(': ping\n\n')],
      [1010, '<', chunk(': pong\n\ndata: a\n\n')],
      [1050, '<', chunk('data: b\n\n')],
    );
    expect(turns.outstanding).toBe(true);
    say([1150, '<', chunk('data: c\n\n') + LAST]);
    expect(turns.outstanding).toBe(false);
    expect(seen).toEqual({ requests: 1, ttft: [1000], gap: [40, 100] });
  });

  it.each([
    ['P', 'S'],
    ['SET a b\r\n', '+OK\r\n'],
    ['', '220 mail ESMTP\r\n'],
  ])('takes an answer to what is no request for another protocol: %j, %j', (question, answer) => {
    const { turns, seen, say } = watch();
    say([0, '>', question], [1, '<', answer]);
    expect([turns.opaque, turns.answering, turns.outstanding]).toEqual([true, false, false]);
    expect(seen).toEqual({ requests: 1, ttft: [], gap: [] });
  });

  it('tells the turns of a kept connection apart, also pipelined', () => {
    const { turns, seen, say } = watch();
    const answer = (n: number): string => `HTTP/1.1 200 OK\r\ncontent-length: ${n}\r\n\r\n${'x'.repeat(n)}`;
    say([0, '>', POST], [5, '<', answer(3)], [10, '>', POST], [17, '<', answer(70_000)]);
    say([20, '>', POST + POST], [29, '<', answer(1) + answer(2)]);
    expect(seen).toEqual({ requests: 4, ttft: [5, 7, 9, 9], gap: [] });
    expect(turns.outstanding).toBe(false);
    expect(turns.opaque).toBe(false);
  });

  it('reads answers without a body, interim answers, trailers, extensions and an end by closing', () => {
    const { turns, seen, say } = watch();
    say([0, '>', 'HEAD / HTTP/1.1\r\n\r\n'], [1, '<', 'HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n']);
    say([0, '>', 'GET / HTTP/1.1\r\n\r\n'], [1, '<', 'HTTP/1.1 204 No\r\n\r\n']);
    say(
      [0, '>', 'PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n'],
      [1, '<', 'HTTP/1.1 100 Continue\r\n\r\n'],
      [2, '>', '4;ext=1\r\nbody\r\n0\r\nTrailer: x\r\n\r\n'],
      [6, '<', 'HTTP/1.1 200 OK\r\n\r\nuntil the end'],
    );
    expect(turns.outstanding).toBe(true);
    turns.originEnd();
    expect(turns.outstanding).toBe(false);
    expect(seen).toEqual({ requests: 3, ttft: [4], gap: [] });
  });

  it.each([
    ['TLS', '\x16\x03\x01\x02\x00'],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['CONNECT', 'CONNECT a:1 HTTP/1.1\r\n\r\n'],
    ['two lengths', 'POST / HTTP/1.1\r\ncontent-length: 1\r\nContent-Length: 2\r\n\r\n'],
    ['length and chunked', 'POST / HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n'],
    ['a bad chunk size', 'POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n'],
    ['an endless chunk size', `POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n${'1'.repeat(20)}`],
    ['an endless head', `GET / HTTP/1.1\r\nx: ${'y'.repeat(70_000)}`],
  ])('is opaque to %s: one request, no TTFT', (_name, bytes) => {
    const { turns, seen, say } = watch();
    say([0, '>', bytes], [1, '<', 'whatever'], [2, '>', POST], [3, '<', SSE_HEAD + chunk('x')]);
    expect(turns.opaque).toBe(true);
    expect(turns.outstanding).toBe(false);
    expect(seen).toEqual({ requests: 1, ttft: [], gap: [] });
  });

  it('is opaque after a switch of protocols and after an answer that comes too early', () => {
    const ws = watch();
    ws.say(
      [0, '>', 'GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n'],
      [1, '<', 'HTTP/1.1 101 Switching\r\n\r\n\x81'],
    );
    expect(ws.turns.opaque).toBe(true);
    const early = watch();
    early.say([0, '>', POST.slice(0, -1)], [1, '<', 'HTTP/1.1 413 No\r\ncontent-length: 0\r\n\r\n']);
    expect(early.turns.opaque).toBe(true);
    expect(early.seen.ttft).toEqual([]);
  });

  it('sees the same in whatever pieces the bytes come, and never throws on any', () => {
    const answer = SSE_HEAD + chunk(': c\n\n') + chunk('data: a\n\n') + chunk('data: b\n\n') + LAST;
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 60 }), (sizes) => {
        const { turns, seen } = watch();
        const pieces = (text: string, give: (b: Buffer) => void): void => {
          let rest = Buffer.from(text, 'latin1');
          for (const n of sizes) {
            if (rest.length === 0) return;
            give(rest.subarray(0, n));
            rest = rest.subarray(n);
          }
          if (rest.length > 0) give(rest);
        };
        for (let i = 0; i < 2; i++) {
          pieces(POST, (b) => turns.fromClient(b, 1));
          pieces(answer, (b) => turns.fromOrigin(b, 3));
        }
        expect(turns.opaque || turns.outstanding).toBe(false);
        expect(seen).toMatchObject({ requests: 2, ttft: [2, 2] });
      }),
      { numRuns: 300 },
    );
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ minLength: 1, maxLength: 60 }), { maxLength: 10 }), (chunks) => {
        const { turns } = watch();
        turns.fromClient(Buffer.from(POST), 0);
        for (const c of chunks) {
          turns.fromOrigin(Buffer.from(c), 1);
          turns.fromClient(Buffer.from(c), 1);
        }
        expect(typeof turns.opaque).toBe('boolean');
      }),
      { numRuns: 500 },
    );
  });
});
