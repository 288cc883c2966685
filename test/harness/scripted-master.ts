import path from 'node:path';
import { openCa } from '../../daemon/ca/ca.ts';
import { hashSecret, makeToken, secretMatches } from '../../daemon/ca/tokens.ts';
import { AgentTransport } from '../../daemon/transport/grpc/agent-service.ts';
import { AgentSessions } from '../../daemon/transport/grpc/agent-sessions.ts';
import { bodyHash, configHash } from '../../proto/document/hash.ts';
import { readDocument } from '../../proto/document/read.ts';
import { parseJoinToken } from '../../proto/link/join-token.ts';
import { AppError } from '../../proto/vocab/errors.ts';
import type { ConfigHash, NodeName, VersionLabel } from '../../proto/vocab/ids.ts';
import { enrolmentTwin, heardEvents, memoryLog, realClock, realRandom } from '../fakes/services.ts';

/** A master without a mind of its own: real TLS, real certificates, real sessions; the test says what it wants. */
export interface ScriptedMaster {
  readonly address: string;
  readonly pin: string;
  readonly sessions: AgentSessions;
  readonly heard: ReturnType<typeof heardEvents>;
  readonly log: ReturnType<typeof memoryLog>;
  /** A token that works once. */
  token(): string;
  /** Secrets that reached it, right or wrong. */
  readonly secrets: string[];
  readonly renewals: NodeName[];
  offer(name: NodeName, revision: number, text: string): ConfigHash;
  stop(): Promise<void>;
}

const DAY = 86_400_000;

export async function scriptedMaster(s: {
  readonly dir: string;
  readonly port?: number;
  readonly storeId?: string;
  readonly rollbackMs?: number;
  /** Life of the certificates it gives out at enrolment. */
  readonly ttlMs?: number;
  /** Made by an earlier one, still good. */
  readonly tokens?: readonly string[];
}): Promise<ScriptedMaster> {
  const ca = await openCa({ dir: path.join(s.dir, 'ca') }, { clock: realClock, random: realRandom });
  const server = await ca.issueServer({ names: [], now: Date.now() });
  const sessions = new AgentSessions();
  const heard = heardEvents();
  const log = memoryLog();
  const tokens = new Map<string, { secretHash: string; used: boolean }>();
  for (const text of s.tokens ?? []) {
    const { id, secret } = parseJoinToken(text);
    tokens.set(id, { secretHash: hashSecret(secret), used: false });
  }
  const secrets: string[] = [];
  const renewals: NodeName[] = [];
  const enrolment = enrolmentTwin({
    async enrol({ tokenId, tokenSecret, csrDer, name }) {
      secrets.push(tokenSecret);
      const token = tokens.get(tokenId);
      if (!token || !secretMatches(tokenSecret, token.secretHash)) {
        throw new AppError('unauthenticated', 'the token is wrong');
      }
      if (token.used) throw new AppError('unauthenticated', 'the token was used already');
      token.used = true;
      const node = name as NodeName;
      const ttlMs = s.ttlMs ?? 7 * DAY;
      const issued = await ca.issueNode({ csrDer, name: node, now: Date.now(), ttlMs });
      return { node, issued, renewAfter: Date.now() + ttlMs / 2 };
    },
    async renew(name, csrDer) {
      renewals.push(name);
      return ca.issueNode({ csrDer, name, now: Date.now(), ttlMs: 7 * DAY });
    },
  });
  const transport = new AgentTransport(
    {
      listener: { host: '127.0.0.1', port: s.port ?? 0, ...server, caPem: ca.certificatePem },
      storeId: s.storeId ?? 'store-1',
      heartbeatMs: 100,
      reportMs: 100,
      rollbackMs: s.rollbackMs ?? 60_000,
    },
    {
      sessions,
      services: { agents: heard, enrolment },
      log,
      clock: realClock,
      random: realRandom,
    },
  );
  const { port } = await transport.start();
  return {
    address: `127.0.0.1:${port}`,
    pin: ca.pin,
    sessions,
    heard,
    log,
    secrets,
    renewals,
    token() {
      const { id, secretHash, text } = makeToken(ca.pin, realRandom);
      tokens.set(id, { secretHash, used: false });
      return text;
    },
    offer(name, revision, text) {
      const read = readDocument(text);
      const body = Buffer.from(text);
      // What does not read has no hash of its own; the agent must refuse it before it compares.
      const hash = read.ok ? configHash(read.document) : (bodyHash(body) as string as ConfigHash);
      sessions.offerConfig(name, {
        hash,
        revision,
        version: `v${revision}` as VersionLabel,
        body,
        sealed: [],
        retry: 0,
        rollbackMs: null,
      });
      return hash;
    },
    stop: () => transport.stop(),
  };
}
