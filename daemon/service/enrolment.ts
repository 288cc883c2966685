import type { Caller } from '../../proto/vocab/can.ts';
import { AppError } from '../../proto/vocab/errors.ts';
import type { Millis, NodeName } from '../../proto/vocab/ids.ts';
import type { Node, NodeType } from '../../proto/vocab/node.ts';
import { safeText } from '../../proto/vocab/safe-text.ts';
import type { TokenView } from '../../proto/vocab/token.ts';
import { labelled } from '../core/node/axes.ts';
import { aimed } from './agents.ts';
import type { EnrolmentService as Api, Mutation } from './api.ts';
import { checkName, JoinTokens, type TokenMint } from './join-tokens.ts';
import type { AgentLink, Ca, Clock, Draft, IssuedCertificate, Log, RemovedNode } from './ports.ts';
import type { Templates } from './templates.ts';
import type { Decide, Writer } from './write.ts';

export interface EnrolmentSettings {
  /** host:port agents join at, for the command shown with a token. */
  readonly advertise: () => string;
  /** Life of a node's certificate. */
  readonly certificateMs?: number;
}

interface Needs {
  readonly writer: Writer;
  readonly templates: Templates;
  readonly ca: Pick<Ca, 'pin' | 'issueNode'>;
  readonly mint: TokenMint;
  readonly link: Pick<AgentLink, 'disconnect'>;
  readonly clock: Clock;
  readonly log: Log;
}

const DAY_MS = 86_400_000;
/** How long a node's certificate is good. */
export const CERTIFICATE_MS = 7 * DAY_MS;
/** For so long after its end a certificate may still renew. */
export const GRACE_MS = 30 * DAY_MS;
const MOST_LABELS = 32;
/** More than a node renews in the time that a certificate lives and may still renew: 37 days, every 3.5. */
const MOST_EARLIER = 16;
const MOST_REPLACED = 8 * MOST_EARLIER;
export class EnrolmentService implements Api {
  private readonly settings: EnrolmentSettings;
  private readonly needs: Needs;
  private readonly tokens: JoinTokens;

  constructor(settings: EnrolmentSettings, needs: Needs) {
    this.settings = settings;
    this.needs = needs;
    this.tokens = new JoinTokens(settings, needs);
  }

  createToken(m: Mutation, args: Parameters<Api['createToken']>[1]): ReturnType<Api['createToken']> {
    return this.tokens.create(m, args);
  }

  listTokens(caller: Caller): readonly TokenView[] {
    return this.tokens.list(caller);
  }

  revokeToken(m: Mutation, id: string): ReturnType<Api['revokeToken']> {
    return this.tokens.revoke(m, id);
  }

  private get certificateMs(): number {
    return this.settings.certificateMs ?? CERTIFICATE_MS;
  }

  async enrol(args: Parameters<Api['enrol']>[0]): ReturnType<Api['enrol']> {
    const { name, region, nodeType } = args;
    checkName(name);
    const { ca, clock, writer, link } = this.needs;
    // Looked at before the certificate is made, so that guesses cost nothing; decided again in the commit.
    this.tokens.check(writer.view(), args, clock.now());
    const issued = await ca.issueNode({
      csrDer: args.csrDer,
      name,
      now: clock.now(),
      ttlMs: this.certificateMs,
    });
    const caller = { actor: `node ${name}`, role: null, source: args.remote };
    const about = { caller, action: 'node.enrol', subject: name, requestId: '', reason: '' };
    const decide: Decide<null> = (view, now) => {
      const token = this.tokens.check(view, args, now);
      const old = view.get('node', name);
      if (old && old.identity !== 'revoked' && token.replace !== true) {
        throw new AppError(
          'conflict',
          `there is a node ${name} already; give this one another name, or make a token with --replace ${name} to install it anew`,
        );
      }
      const node = aimed(
        fresh(args, name, nodeType as NodeType, region, issued, now, {
          old: old ?? null,
          removed: view.get('removed', name) ?? null,
        }),
        this.needs.templates,
        view,
        now,
      );
      return {
        ops: [
          { op: 'put', kind: 'token', key: token.id, value: { ...token, usedAt: now, usedBy: name } },
          { op: 'put', kind: 'node', key: name, value: node },
        ],
        events: [
          {
            kind: 'node',
            who: name,
            subject: name,
            level: 'info',
            text: `joined from ${args.remote} with a token of ${token.createdBy}`,
          },
        ],
        effects: old ? [() => link.disconnect(name, `${name} was joined anew on another host`)] : [],
        result: null,
      };
    };
    await writer.told(about, decide, () => name);
    return { node: name, issued, renewAfter: clock.now() + this.certificateMs / 2 };
  }

  async renew(name: NodeName, csrDer: Uint8Array): Promise<IssuedCertificate> {
    const { ca, clock, writer } = this.needs;
    const issued = await ca.issueNode({ csrDer, name, now: clock.now(), ttlMs: this.certificateMs });
    await writer.write(`node ${name}`, 'agent', (view) => {
      const node = view.get('node', name);
      if (node?.identity !== 'accepted')
        throw new AppError('forbidden', `${name} may not renew its certificate`);
      const { serial, notAfter } = issued;
      const before = node.certificate ? [...(node.certificate.earlier ?? []), node.certificate.serial] : [];
      const certificate = { ...node.certificate, serial, notAfter, earlier: before.slice(-MOST_EARLIER) };
      return {
        ops: [{ op: 'put', kind: 'node', key: name, value: { ...node, certificate } }],
        events: [],
        result: null,
      };
    });
    return issued;
  }

  /**
   * A node may go on with its last certificate until it has picked up the new one, so only those of a host that was
   * replaced are told apart.
   */
  admit(name: NodeName, serial: string): 'ok' | 'unknown' | 'revoked' | 'replaced' {
    const node = this.needs.writer.view().get('node', name);
    if (!node) return this.needs.writer.view().get('removed', name) ? 'revoked' : 'unknown';
    if (node.identity === 'revoked') return 'revoked';
    const replaced = node.certificate?.replaced?.some((s) => sameSerial(s, serial)) ?? false;
    return replaced ? 'replaced' : 'ok';
  }
}

function fresh(
  args: Parameters<Api['enrol']>[0],
  name: NodeName,
  nodeType: NodeType,
  region: string,
  issued: IssuedCertificate,
  now: Millis,
  before: { readonly old: Node | null; readonly removed: RemovedNode | null },
): Node {
  const { old, removed } = before;
  const replaced = [...new Set([...(removed?.serials ?? []), ...serialsOf(old)])].slice(-MOST_REPLACED);
  // What operators said of this name stays with it when its host is another one.
  const assigned = old && old.identity !== 'revoked' ? (old.assigned ?? {}) : {};
  const labels = Object.entries(args.labels)
    .slice(0, MOST_LABELS)
    .map(([k, v]) => [safeText(k, { max: 63 }), safeText(v, { max: 253 })]);
  return {
    name,
    nodeType,
    region,
    labels: labelled(Object.fromEntries(labels) as Record<string, string>, assigned),
    ...(Object.keys(assigned).length > 0 ? { assigned } : {}),
    eligibility: old && old.identity !== 'revoked' ? old.eligibility : 'eligible',
    drain: 'none',
    configSync: 'unknown',
    identity: 'accepted',
    initialized: false,
    target: null,
    effective: null,
    rejectedHash: null,
    failure: null,
    warnings: [],
    agentVersion: safeText(args.agentVersion, { max: 64 }),
    engine: null,
    capabilities: [],
    joinedAt: now,
    certificate: {
      serial: issued.serial,
      notAfter: issued.notAfter,
      ...(replaced.length > 0 ? { replaced } : {}),
    },
    modRevision: 0,
  };
}

/** Of all its certificates, oldest first: one of a backup may not have expired yet. */
function serialsOf(node: Pick<Node, 'certificate'> | null): readonly string[] {
  const c = node?.certificate;
  return c ? [...(c.replaced ?? []), ...(c.earlier ?? []), c.serial] : [];
}

/** What is remembered of a node that is removed: until none of its certificates may even renew. */
export function removal(node: Node, before: RemovedNode | undefined, now: Millis): Draft {
  const serials = [...new Set([...(before?.serials ?? []), ...serialsOf(node)])].slice(-MOST_REPLACED);
  const until = Math.max(before?.until ?? 0, (node.certificate?.notAfter ?? now) + GRACE_MS);
  return { op: 'put', kind: 'removed', key: node.name, value: { name: node.name, serials, until } };
}

/** Hex, however it is written. */
function sameSerial(a: string, b: string): boolean {
  const plain = (s: string): string => s.toLowerCase().replace(/^0+/, '');
  return plain(a) === plain(b);
}
