import type { AgentEvents, EnrolmentService } from '../../daemon/service/api.ts';
import type { Clock, Log, Random } from '../../daemon/service/ports.ts';
import type { AgentHello } from '../../proto/vocab/agent-link.ts';
import type { ConfigHash, NodeName } from '../../proto/vocab/ids.ts';

/** A log that remembers. */
export function memoryLog(): Log & { readonly lines: { level: string; message: string; fields: string }[] } {
  const lines: { level: string; message: string; fields: string }[] = [];
  const at = (level: string) => (message: string, fields?: Record<string, unknown>) => {
    lines.push({ level, message, fields: JSON.stringify(fields ?? {}) });
  };
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

export const realClock: Clock = { now: () => Date.now() };
export const realRandom: Random = {
  hex: (n) => Buffer.from(crypto.getRandomValues(new Uint8Array(n))).toString('hex'),
  bytes: (n) => crypto.getRandomValues(new Uint8Array(n)),
};

/** What agents said, in order; `until` waits for a call that has come or will come. */
export function heardEvents(): AgentEvents & {
  readonly calls: { method: keyof AgentEvents; name: NodeName; args: unknown[] }[];
  until(method: keyof AgentEvents, count?: number): Promise<unknown[]>;
} {
  const calls: { method: keyof AgentEvents; name: NodeName; args: unknown[] }[] = [];
  let waiters: (() => void)[] = [];
  const take =
    (method: keyof AgentEvents) =>
    (name: NodeName, ...args: unknown[]) => {
      calls.push({ method, name, args });
      const all = waiters;
      waiters = [];
      for (const w of all) w();
    };
  return {
    calls,
    async until(method, count = 1) {
      for (;;) {
        const hits = calls.filter((c) => c.method === method);
        const hit = hits[count - 1];
        if (hit) return hit.args;
        await new Promise<void>((resolve) => waiters.push(resolve));
      }
    },
    connected: take('connected'),
    heartbeat: take('heartbeat'),
    standing: take('standing'),
    logLines: take('logLines'),
    configStatus: take('configStatus'),
    commandStatus: take('commandStatus'),
    metrics: take('metrics'),
    events: take('events'),
    disconnected: take('disconnected'),
  };
}

export function enrolmentTwin(over: Partial<EnrolmentService>): EnrolmentService {
  const no = () => Promise.reject(new Error('not part of this test'));
  const none = () => [];
  return {
    createToken: no,
    listTokens: none,
    revokeToken: no,
    enrol: no,
    renew: no,
    admit: () => 'ok',
    ...over,
  };
}

export const HASH = 'ab'.repeat(32) as ConfigHash;

export const hello: AgentHello = {
  agentVersion: '0.1.0',
  engine: null,
  capabilities: ['listener.tcp'],
  effectiveHash: null,
  rejectedHash: null,
  ledgerOpen: [],
  protocol: 1,
  labels: {},
  publicAddresses: [],
  logTail: [],
};
