import { ConnectRequest } from '../gen/aicdn/v1/agent.ts';
import { Engine as WireEngine } from '../gen/aicdn/v1/common.ts';
import type { AgentUp } from '../vocab/agent-link.ts';
import type { Millis } from '../vocab/ids.ts';
import type { EngineInfo } from '../vocab/node.ts';
import { decodeUpBody, HEALTH, instanceOf } from './codec-agent.ts';
import { decodeEngine } from './codec-common.ts';
import { FastReader } from './fast-reader.ts';
import { type KnownNames, readMetrics } from './metrics-reader.ts';
import * as w from './wire.ts';

const HEARTBEAT = 4;
const METRICS = 7;
const LENGTH_DELIMITED = 2;

/** One message of an agent, its envelope read. */
export interface UpFrame {
  readonly sequence: number;
  /** @throws AppError `invalid` for what makes no sense, `unsupported` for a body this build does not know */
  readonly instanceUid: () => string;
  /** @throws AppError as above, RangeError for bytes that are no message */
  readonly body: () => AgentUp;
}

/**
 * What one agent says, from the wire. Nearly all of it are heartbeats and reports, a thousand a second of a large fleet,
 * and nearly all of each is what the one before said: that is known again by its bytes. The rest goes the long way.
 */
export class UpDecoder {
  private uidBytes = '';
  private uid = '';
  private engineBytes = '';
  private engine: EngineInfo | null = null;
  private readonly names: KnownNames = { engineInstance: '', services: [] };

  /** @throws RangeError for bytes that are no message */
  frame(bytes: Buffer): UpFrame {
    const r = new FastReader(bytes);
    let sequence = 0;
    let uid: readonly [number, number] = [0, 0];
    let body: { readonly field: number; readonly start: number; readonly end: number } | null = null;
    while (r.more(r.length)) {
      const tag = r.tag();
      if (tag === 16) {
        sequence = r.count('sequence_num');
        continue;
      }
      const field = tag >>> 3;
      if ((tag & 7) !== LENGTH_DELIMITED) {
        r.skip(tag);
        continue;
      }
      const end = r.end();
      if (field === 1) uid = [r.at, end];
      else if (field > 2) body = { field, start: r.at, end };
      r.skipTo(end);
    }
    return {
      sequence,
      instanceUid: () => this.instanceUid(bytes, uid),
      body: () => {
        if (body?.field === HEARTBEAT) return this.heartbeat(bytes, body);
        if (body?.field === METRICS) return this.metrics(bytes, body);
        return decodeUpBody(ConnectRequest.decode(bytes).body);
      },
    };
  }

  private instanceUid(bytes: Buffer, [start, end]: readonly [number, number]): string {
    if (!isSame(bytes, start, end, this.uidBytes) || this.uid === '') {
      this.uid = instanceOf(bytes.subarray(start, end));
      this.uidBytes = bytes.toString('latin1', start, end);
    }
    return this.uid;
  }

  private heartbeat(bytes: Buffer, { start, end }: { start: number; end: number }): AgentUp {
    const r = new FastReader(bytes.subarray(0, end));
    r.skipTo(start);
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

  private metrics(bytes: Buffer, { start, end }: { start: number; end: number }): AgentUp {
    const r = new FastReader(bytes.subarray(0, end));
    r.skipTo(start);
    return { kind: 'metrics', report: readMetrics(r, end, this.names) };
  }
}

function isSame(bytes: Uint8Array, start: number, end: number, latin1: string): boolean {
  if (end - start !== latin1.length) return false;
  for (let i = 0; i < latin1.length; i++) if (bytes[start + i] !== latin1.charCodeAt(i)) return false;
  return true;
}
