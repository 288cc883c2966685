import dgram from 'node:dgram';
import net from 'node:net';

const TYPE_A = 1;
const TYPE_AAAA = 28;
const CLASS_IN = 1;
const RCODE = { ok: 0, failed: 2, noName: 3 } as const;

export interface Zone {
  readonly a?: readonly string[];
  readonly aaaa?: readonly string[];
  /** Seconds. */
  readonly ttl: number;
}

/** A DNS server over UDP on loopback: real questions, real answers, whose content changes when a test says so. */
export class DnsServer {
  /** `name/A`, `name/AAAA`, in the order they came. */
  readonly questions: string[] = [];
  readonly #socket: dgram.Socket;
  readonly #names = new Map<string, Zone>();
  /** `silent` answers nothing at all, `broken` says SERVFAIL; of one type, or of all. */
  mood: { readonly how: 'silent' | 'broken'; readonly type?: 'A' | 'AAAA' } | null = null;

  private constructor(socket: dgram.Socket) {
    this.#socket = socket;
    socket.on('message', (message, from) => {
      const answer = this.#answer(message);
      if (answer !== null) socket.send(answer, from.port, from.address);
    });
  }

  static async start(): Promise<DnsServer> {
    const socket = dgram.createSocket('udp4');
    await new Promise<void>((r) => socket.bind(0, '127.0.0.1', r));
    return new DnsServer(socket);
  }

  /** As `--dns` wants it. */
  get address(): string {
    return `127.0.0.1:${this.#socket.address().port}`;
  }

  /** Null: there is no such name. */
  set(name: string, zone: Zone | null): void {
    if (zone === null) this.#names.delete(name);
    else this.#names.set(name, zone);
  }

  stop(): Promise<void> {
    return new Promise((r) => this.#socket.close(() => r()));
  }

  #answer(message: Buffer): Buffer | null {
    const { name, type, end } = readQuestion(message);
    const word = type === TYPE_A ? 'A' : type === TYPE_AAAA ? 'AAAA' : `TYPE${type}`;
    this.questions.push(`${name}/${word}`);
    const { mood } = this;
    const hit = mood !== null && (mood.type === undefined || mood.type === word);
    if (hit && mood.how === 'silent') return null;
    const zone = this.#names.get(name.toLowerCase());
    const rcode = hit ? RCODE.failed : zone === undefined ? RCODE.noName : RCODE.ok;
    const list = (type === TYPE_A ? zone?.a : type === TYPE_AAAA ? zone?.aaaa : undefined) ?? [];
    const records = rcode === RCODE.ok ? list.map((a) => record(a, type, zone?.ttl ?? 0)) : [];
    const head = Buffer.alloc(12);
    message.copy(head, 0, 0, 2);
    // An answer, authoritative, recursion as it was asked for.
    head.writeUInt16BE(0x8400 | (message.readUInt16BE(2) & 0x0100) | rcode, 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt16BE(records.length, 6);
    return Buffer.concat([head, message.subarray(12, end), ...records]);
  }
}

function readQuestion(message: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = message.readUInt8(at); length > 0; length = message.readUInt8(at)) {
    labels.push(message.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.'), type: message.readUInt16BE(at + 1), end: at + 5 };
}

function record(address: string, type: number, ttl: number): Buffer {
  const data = type === TYPE_A ? Buffer.from(address.split('.').map(Number)) : ipv6Bytes(address);
  const head = Buffer.alloc(12);
  // The name is that of the question, at offset 12.
  head.writeUInt16BE(0xc00c, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt16BE(CLASS_IN, 4);
  head.writeUInt32BE(ttl, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

function ipv6Bytes(address: string): Buffer {
  if (!net.isIPv6(address)) throw new Error(`${address} is not an IPv6 address`);
  const [left = '', right] = address.split('::');
  const groups = (text: string): number[] =>
    text === '' ? [] : text.split(':').map((g) => Number.parseInt(g, 16));
  const [a, b] = [groups(left), groups(right ?? '')];
  const all = right === undefined ? a : [...a, ...new Array(8 - a.length - b.length).fill(0), ...b];
  const bytes = Buffer.alloc(16);
  for (const [i, group] of all.entries()) bytes.writeUInt16BE(group, 2 * i);
  return bytes;
}
