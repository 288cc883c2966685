import { AppError } from '../../proto/vocab/errors.ts';
import { isNodeName, isWord, type Millis, type NodeName } from '../../proto/vocab/ids.ts';
import type { Node, NodeType } from '../../proto/vocab/node.ts';
import { safeText } from '../../proto/vocab/safe-text.ts';
import type { TokenView } from '../../proto/vocab/token.ts';
import { labelled } from '../core/node/axes.ts';
import { aimed } from './agents.ts';
import type { EnrolmentService as Api, Mutation } from './api.ts';
import type {
  AgentLink,
  Ca,
  Clock,
  Draft,
  IssuedCertificate,
  JoinToken,
  Log,
  RemovedNode,
  Snapshot,
} from './ports.ts';
import type { Templates } from './rendering.ts';
import { authorise, type Decide, guardRevision, type Writer } from './write.ts';

/** Makes and compares join tokens; implemented by daemon/ca. */
export interface TokenMint {
  make(pin: string): { readonly id: string; readonly secretHash: string; readonly text: string };
  matches(secret: string, secretHash: string): boolean;
}

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
const TOKEN_MS = 30 * 60_000;
const LONGEST_TOKEN_MS = 7 * DAY_MS;
const MOST_LABELS = 32;
/** More than a node renews in the time that a certificate lives and may still renew: 37 days, every 3.5. */
const MOST_EARLIER = 16;
const MOST_REPLACED = 8 * MOST_EARLIER;
/** What the master's own certificate says beside its addresses. */
const RESERVED: readonly string[] = ['ai-cdn-master', 'localhost'];

export class EnrolmentService implements Api {
  private readonly settings: EnrolmentSettings;
  private readonly needs: Needs;

  constructor(settings: EnrolmentSettings, needs: Needs) {
    this.settings = settings;
    this.needs = needs;
  }

  private get certificateMs(): number {
    return this.settings.certificateMs ?? CERTIFICATE_MS;
  }

  async createToken(
    m: Mutation,
    args: Parameters<Api['createToken']>[1],
  ): Promise<{ revision: number; token: string; expiresAt: Millis; joinCommand: string }> {
    if (!isWord(args.region)) {
      throw new AppError(
        'invalid',
        `region ${quoted(args.region)}: a-z, 0-9 and - . _ are wanted, such as hk`,
      );
    }
    const { name, replace } = args;
    if (name !== null) checkName(name);
    else if (replace) throw new AppError('invalid', 'a token that replaces a node needs its name');
    const ttl = args.ttlMs ?? TOKEN_MS;
    if (!(ttl >= 1000 && ttl <= LONGEST_TOKEN_MS)) {
      throw new AppError('invalid', 'a token lives from 1s to 7d');
    }
    const minted = this.needs.mint.make(this.needs.ca.pin);
    const { revision, result } = await this.needs.writer.mutate(
      m,
      'token.create',
      args,
      (view, now) => {
        if (replace && name !== null && !view.get('node', name)) {
          throw new AppError('not_found', `there is no node ${name} to replace: make a token without that`);
        }
        const value: Omit<JoinToken, 'modRevision'> = {
          id: minted.id,
          secretHash: minted.secretHash,
          nodeType: args.nodeType,
          region: args.region,
          name,
          createdBy: m.caller.actor,
          createdAt: now,
          expiresAt: now + ttl,
          usedAt: null,
          usedBy: null,
          ...(replace ? { replace } : {}),
        };
        const bound = name === null ? '' : replace ? ` in the place of ${name}` : `, ${name} only`;
        const text = `made a join token for ${args.nodeType} in ${args.region}${bound}`;
        return {
          ops: [{ op: 'put', kind: 'token', key: minted.id, value }],
          events: [{ kind: 'node', who: m.caller.actor, subject: minted.id, level: 'info', text }],
          result: { id: minted.id, expiresAt: value.expiresAt },
        };
      },
      (r) => r.id,
      (_view, id) => {
        throw new AppError('conflict', `token ${id} was made by this request before; its secret is not kept`);
      },
    );
    const who = `--type ${args.nodeType} --region ${args.region}${name ? ` --name ${name}` : ''}`;
    return {
      revision,
      token: minted.text,
      expiresAt: result.expiresAt,
      joinCommand: `aicdn-agent join --master ${this.settings.advertise()} --token ${minted.text} ${who}`,
    };
  }

  listTokens(caller: Parameters<Api['listTokens']>[0]): readonly TokenView[] {
    authorise(caller, 'token.list');
    return this.needs.writer.view().list('token').map(viewOf).toReversed();
  }

  async revokeToken(m: Mutation, id: string): ReturnType<Api['revokeToken']> {
    const { writer } = this.needs;
    const { revision } = await writer.mutate(
      m,
      'token.revoke',
      { id },
      (view, now) => {
        const token = knownToken(view, id);
        guardRevision(m, `token ${id}`, token.modRevision);
        if (token.usedAt !== null) {
          throw new AppError(
            'precondition',
            `the token was used${token.usedBy ? ` by ${token.usedBy}` : ''} already: remove the node to undo that`,
          );
        }
        const value: JoinToken = token.revokedAt === undefined ? { ...token, revokedAt: now } : token;
        const text = 'took a join token back';
        return {
          ops: [{ op: 'put', kind: 'token', key: id, value }],
          events: [{ kind: 'node', who: m.caller.actor, subject: id, level: 'info', text }],
          result: id,
        };
      },
      (key) => key,
      (_view, key) => key,
    );
    return { revision, token: viewOf(knownToken(writer.view(), id)) };
  }

  async enrol(args: Parameters<Api['enrol']>[0]): ReturnType<Api['enrol']> {
    const { name, region, nodeType } = args;
    checkName(name);
    const { ca, clock, writer, link } = this.needs;
    // Looked at before the certificate is made, so that guesses cost nothing; decided again in the commit.
    this.checkToken(writer.view(), args, clock.now());
    const issued = await ca.issueNode({
      csrDer: args.csrDer,
      name,
      now: clock.now(),
      ttlMs: this.certificateMs,
    });
    const caller = { actor: `node ${name}`, role: null, source: args.remote };
    const about = { caller, action: 'node.enrol', subject: name, requestId: '', reason: '' };
    const decide: Decide<null> = (view, now) => {
      const token = this.checkToken(view, args, now);
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

  /** @throws AppError saying which it is: wrong, used, expired, for something else */
  private checkToken(view: Snapshot, args: Parameters<Api['enrol']>[0], now: Millis): JoinToken {
    const token = view.get('token', args.tokenId);
    const secret = args.tokenSecret;
    // An unknown id costs the same comparison as a known one.
    const matches = this.needs.mint.matches(secret, token?.secretHash ?? '0'.repeat(64));
    if (!token || !matches) {
      throw new AppError(
        'unauthenticated',
        'the join token is wrong: this master does not know it; make one with aicdnctl token create',
      );
    }
    if (token.usedAt !== null) {
      const by = token.usedBy ? ` by ${token.usedBy}` : '';
      throw new AppError('unauthenticated', `the join token was used${by} already; each works once`);
    }
    if (token.revokedAt !== undefined) {
      throw new AppError(
        'unauthenticated',
        `the join token was taken back at ${new Date(token.revokedAt).toISOString()}; make a new one`,
      );
    }
    if (now >= token.expiresAt) {
      throw new AppError(
        'unauthenticated',
        `the join token expired at ${new Date(token.expiresAt).toISOString()}`,
      );
    }
    const { nodeType, region, name } = args;
    if (
      token.nodeType !== nodeType ||
      token.region !== region ||
      (token.name !== null && token.name !== name)
    ) {
      const bound = token.name === null ? '' : ` named ${token.name}`;
      throw new AppError(
        'forbidden',
        `the join token is for a node of type ${token.nodeType} in region ${token.region}${bound}, not ${quoted(nodeType)} in ${quoted(region)}${token.name === null ? '' : ` named ${quoted(name)}`}`,
      );
    }
    return token;
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

function knownToken(view: Snapshot, id: string): JoinToken {
  const token = view.get('token', id);
  if (!token) throw new AppError('not_found', `there is no join token ${safeText(id, { max: 64 })}`);
  return token;
}

function viewOf(t: JoinToken): TokenView {
  const { secretHash: _, replace = false, revokedAt = null, ...shown } = t;
  return { ...shown, replace, revokedAt };
}

/** Hex, however it is written. */
function sameSerial(a: string, b: string): boolean {
  const plain = (s: string): string => s.toLowerCase().replace(/^0+/, '');
  return plain(a) === plain(b);
}

const quoted = (s: string): string => JSON.stringify(safeText(s, { max: 63 }));

/** @throws AppError `invalid` */
function checkName(name: string): asserts name is NodeName {
  if (!isNodeName(name)) throw new AppError('invalid', badName(name));
  if (RESERVED.includes(name)) {
    throw new AppError('invalid', `node name ${quoted(name)} is a name of the master: choose another`);
  }
}

function badName(name: string): string {
  return `node name ${quoted(name)}: 1 to 63 lower-case letters, digits and - are wanted, such as hk-1`;
}
