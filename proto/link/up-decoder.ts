import { ConnectRequest } from '../gen/aicdn/v1/agent.ts';
import { Engine as WireEngine } from '../gen/aicdn/v1/common.ts';
import type { AgentUp } from '../vocab/agent-link.ts';
import type { Millis } from '../vocab/ids.ts';
import type { EngineInfo } from '../vocab/node.ts';
import { decodeEngine } from './codec-common.ts';
import { decodeUpBody, HEALTH, instanceOf } from './codec-up.ts';
import { FastReader } from './fast-reader.ts';
import { type KnownNames, readMetrics } from './metrics-reader.ts';
import * as w from './wire.ts';

const INSTANCE_UID = (1 << 3) | 2;
const SEQUENCE = 2 << 3;
const HEARTBEAT = 4;
const METRICS = 7;
const LENGTH_DELIMITED = 2;

/** One message of an agent, its envelope read; good until the next one is, and until its body is taken, which comes last. */
export interface UpFrame {
  readonly sequence: number;
  /** @throws AppError `invalid` for what makes no sense, `unsupported` for a body this build does not know */
  instanceUid(): string;
  /** @throws AppError as above, RangeError for bytes that are no message */
  body(): AgentUp;
}

/** Messages are read one at a time. */
const READER = new FastReader();
const NO_BYTES: Buffer = Buffer.alloc(0);

/**
 * What one agent says, from the wire. Nearly all of it are heartbeats and reports, a thousand a second of a large fleet,
 * and nearly all of each is what the one before said: that is known again by its bytes. The rest goes the long way.
 */
export class UpDecoder implements UpFrame {
  sequence = 0;
  private bytes: Buffer = NO_BYTES;
  private uidStart = 0;
  private uidEnd = 0;
  private field = 0;
  private start = 0;
  private end = 0;
  private uidBytes = '';
  private uid = '';
  private engineBytes = '';
  private engine: EngineInfo | null = null;
  private readonly names: KnownNames = { engineInstance: '', services: [] };

  /** @throws RangeError for bytes that are no message */
  frame(bytes: Buffer): UpFrame {
    const r = READER.read(bytes);
    this.bytes = bytes;
    this.sequence = 0;
    this.uidStart = 0;
    this.uidEnd = 0;
    this.field = 0;
    while (r.more(r.length)) {
      const tag = r.tag();
      if (tag === SEQUENCE) {
        this.sequence = r.count('sequence_num');
        continue;
      }
      const field = tag >>> 3;
      if ((tag & 7) !== LENGTH_DELIMITED) {
        r.skip(tag);
        continue;
      }
      const end = r.end();
      if (field === 1) {
        this.uidStart = r.at;
        this.uidEnd = end;
      } else if (field > 2) {
        this.field = field;
        this.start = r.at;
        this.end = end;
      }
      r.skipTo(end);
    }
    return this;
  }

  body(): AgentUp {
    // A conversation is long, what it said is not kept as long.
    const { bytes } = this;
    this.bytes = NO_BYTES;
    if (this.field === HEARTBEAT) return this.heartbeat(bytes);
    if (this.field === METRICS) {
      const report = readMetrics(READER.read(bytes, this.start, this.end), this.end, this.names);
      return { kind: 'metrics', report };
    }
    return decodeUpBody(ConnectRequest.decode(bytes).body);
  }

  instanceUid(): string {
    const { bytes, uidStart, uidEnd } = this;
    if (!isSame(bytes, uidStart, uidEnd, this.uidBytes) || this.uid === '') {
      this.uid = instanceOf(bytes.subarray(uidStart, uidEnd));
      this.uidBytes = bytes.toString('latin1', uidStart, uidEnd);
    }
    return this.uid;
  }

  private heartbeat(bytes: Buffer): AgentUp {
    const { end } = this;
    const r = READER.read(bytes, this.start, end);
    let sentAt: Millis | null = null;
    let health = 0;
    let engine: EngineInfo | null = null;
    while (r.more(end)) {
      const tag = r.tag();
      if (tag === 10) sentAt = r.millis('heartbeat.sent_at');
      else if (tag === 16) health = r.int32();
      else if (tag === 26) {
        const to = r.end();
        engine = this.engineOf(bytes, r.at, to);
        r.skipTo(to);
      } else r.skip(tag);
    }
    if (sentAt === null) throw w.invalid('heartbeat.sent_at', 'is missing');
    return { kind: 'heartbeat', sentAt, health: HEALTH.read(health, 'heartbeat.health'), engine };
  }

  private engineOf(bytes: Buffer, start: number, end: number): EngineInfo | null {
    if (this.engine === null || !isSame(bytes, start, end, this.engineBytes)) {
      this.engine = decodeEngine(WireEngine.decode(bytes.subarray(start, end)), 'heartbeat.engine');
      this.engineBytes = bytes.toString('latin1', start, end);
    }
    return this.engine;
  }
}

/**
 * Whether it is a heartbeat or a report, seen without reading it: the body is behind the instance and the sequence. `false`
 * also for what is written otherwise.
 */
export function isRoutine(bytes: Uint8Array): boolean {
  if (bytes[0] !== INSTANCE_UID) return false;
  let at = 2 + (bytes[1] ?? 0);
  if (bytes[at] === SEQUENCE) {
    at += 1;
    while ((bytes[at] ?? 0) >= 128) at += 1;
    at += 1;
  }
  return (
    bytes[at] === ((HEARTBEAT << 3) | LENGTH_DELIMITED) || bytes[at] === ((METRICS << 3) | LENGTH_DELIMITED)
  );
}

function isSame(bytes: Uint8Array, start: number, end: number, latin1: string): boolean {
  if (end - start !== latin1.length) return false;
  for (let i = 0; i < latin1.length; i++) if (bytes[start + i] !== latin1.charCodeAt(i)) return false;
  return true;
}
