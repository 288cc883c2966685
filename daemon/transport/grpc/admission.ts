import type { Socket } from 'node:net';

// Before TLS. A handshake costs two milliseconds of the one loop; ten thousand at once would block it for twenty
// seconds. So connections wait in one queue, first come first served, and are let in at a pace the loop can bear.

export interface AdmissionSettings {
  /** Handshakes a second, at least; also under load. */
  readonly minPerSecond: number;
  readonly maxPerSecond: number;
  /** Let in at once after a quiet time. */
  readonly burst: number;
  /** Connections of one address that are waiting or have not shown who they are. */
  readonly maxPerAddress: number;
  readonly maxWaiting: number;
  /** Who waited longer has given up dialling. */
  readonly maxWaitMs: number;
}

export const ADMISSION: AdmissionSettings = {
  minPerSecond: 150,
  maxPerSecond: 400,
  burst: 64,
  maxPerAddress: 256,
  maxWaiting: 12_000,
  maxWaitMs: 30_000,
};

const TICK_MS = 10;
/** A tick later than this means the loop is busy: slow down. */
const LATE_MS = 50;

export interface AdmissionNeeds {
  admit(socket: Socket): void;
  refused(address: string, reason: string): void;
  /** Monotonic milliseconds. */
  monotonic(): number;
}

export class Admission {
  private readonly settings: AdmissionSettings;
  private readonly needs: AdmissionNeeds;
  private readonly perAddress = new Map<string, number>();
  private readonly unknown = new Map<string, string>();
  private waiting: { socket: Socket; since: number }[] = [];
  private rate: number;
  private credit: number;
  private last: number;
  private timer: NodeJS.Timeout | null = null;

  constructor(settings: AdmissionSettings, needs: AdmissionNeeds) {
    this.settings = settings;
    this.needs = needs;
    this.rate = settings.maxPerSecond;
    this.credit = settings.burst;
    this.last = needs.monotonic();
  }

  get queued(): number {
    return this.waiting.length;
  }

  /** A new, paused connection. It counts against its address until `known` or its close. */
  arrive(socket: Socket): void {
    const address = socket.remoteAddress ?? 'unknown';
    const count = this.perAddress.get(address) ?? 0;
    if (count >= this.settings.maxPerAddress) {
      this.refuse(socket, address, 'too many from this address');
      return;
    }
    if (this.waiting.length >= this.settings.maxWaiting) {
      this.refuse(socket, address, 'the queue is full');
      return;
    }
    const key = peerKey(socket);
    this.perAddress.set(address, count + 1);
    this.unknown.set(key, address);
    socket.once('close', () => this.known(key));
    socket.on('error', ignore); // a queued connection that resets: 'close' follows
    this.waiting.push({ socket, since: this.needs.monotonic() });
    this.run();
  }

  /** The peer has shown who it is: it counts no longer against its address. */
  known(key: string): void {
    const address = this.unknown.get(key);
    if (address === undefined) return;
    this.unknown.delete(key);
    const left = (this.perAddress.get(address) ?? 1) - 1;
    if (left > 0) this.perAddress.set(address, left);
    else this.perAddress.delete(address);
  }

  stop(): void {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    for (const { socket } of this.waiting.splice(0)) socket.destroy();
  }

  private refuse(socket: Socket, address: string, reason: string): void {
    socket.on('error', ignore);
    socket.destroy();
    this.needs.refused(address, reason);
  }

  private run(): void {
    const { minPerSecond, maxPerSecond, burst, maxWaitMs } = this.settings;
    const now = this.needs.monotonic();
    const elapsed = now - this.last;
    this.last = now;
    if (this.timer) {
      // Only between ticks does the time passed tell how busy the loop is.
      clearTimeout(this.timer);
      this.timer = null;
      this.rate =
        elapsed > LATE_MS
          ? Math.max(minPerSecond, this.rate * 0.8)
          : Math.min(maxPerSecond, this.rate * 1.02);
    }
    this.credit = Math.min(burst, this.credit + (elapsed * this.rate) / 1000);
    while (this.credit >= 1) {
      const next = this.waiting.shift();
      if (!next) return;
      if (next.socket.destroyed) continue;
      if (now - next.since > maxWaitMs) {
        this.refuse(next.socket, next.socket.remoteAddress ?? 'unknown', 'waited too long');
        continue;
      }
      this.credit -= 1;
      this.needs.admit(next.socket);
    }
    if (this.waiting.length > 0) this.timer = setTimeout(() => this.run(), TICK_MS);
  }
}

function ignore(): void {}

/** `address:port`, as gRPC names a peer too; unique among the connections alive. */
export function peerKey(socket: Socket): string {
  return `${socket.remoteAddress}:${socket.remotePort}`;
}
