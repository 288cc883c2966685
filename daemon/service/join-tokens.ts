import type { Caller } from '../../proto/vocab/can.ts';
import { AppError } from '../../proto/vocab/errors.ts';
import { isNodeName, isWord, type Millis, type NodeName } from '../../proto/vocab/ids.ts';
import { safeText } from '../../proto/vocab/safe-text.ts';
import type { TokenView } from '../../proto/vocab/token.ts';
import type { EnrolmentService as Api, Mutation } from './api.ts';
import type { Ca, JoinToken, Snapshot } from './ports.ts';
import { authorise, guardRevision, type Writer } from './write.ts';

/** Makes and compares join tokens; implemented by daemon/ca. */
export interface TokenMint {
  make(pin: string): { readonly id: string; readonly secretHash: string; readonly text: string };
  matches(secret: string, secretHash: string): boolean;
}

interface Needs {
  readonly writer: Writer;
  readonly ca: Pick<Ca, 'pin'>;
  readonly mint: TokenMint;
}

const TOKEN_MS = 30 * 60_000;
const LONGEST_TOKEN_MS = 7 * 86_400_000;
/** What the master's own certificate says beside its addresses. */
const RESERVED: readonly string[] = ['ai-cdn-master', 'localhost'];

/** What lets one node join, once: made, listed, taken back, looked at. */
export class JoinTokens {
  private readonly settings: { readonly advertise: () => string };
  private readonly needs: Needs;

  constructor(settings: { readonly advertise: () => string }, needs: Needs) {
    this.settings = settings;
    this.needs = needs;
  }

  async create(
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

  list(caller: Caller): readonly TokenView[] {
    authorise(caller, 'token.list');
    return this.needs.writer.view().list('token').map(viewOf).toReversed();
  }

  async revoke(m: Mutation, id: string): ReturnType<Api['revokeToken']> {
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

  /** @throws AppError saying which it is: wrong, used, expired, for something else */
  check(view: Snapshot, args: Parameters<Api['enrol']>[0], now: Millis): JoinToken {
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

function knownToken(view: Snapshot, id: string): JoinToken {
  const token = view.get('token', id);
  if (!token) throw new AppError('not_found', `there is no join token ${safeText(id, { max: 64 })}`);
  return token;
}

function viewOf(t: JoinToken): TokenView {
  const { secretHash: _, replace = false, revokedAt = null, ...shown } = t;
  return { ...shown, replace, revokedAt };
}

const quoted = (s: string): string => JSON.stringify(safeText(s, { max: 63 }));

/** @throws AppError `invalid` */
export function checkName(name: string): asserts name is NodeName {
  if (!isNodeName(name)) throw new AppError('invalid', badName(name));
  if (RESERVED.includes(name)) {
    throw new AppError('invalid', `node name ${quoted(name)} is a name of the master: choose another`);
  }
}

function badName(name: string): string {
  return `node name ${quoted(name)}: 1 to 63 lower-case letters, digits and - are wanted, such as hk-1`;
}
