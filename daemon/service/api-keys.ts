import { ACTIONS, type Action, type Caller } from '../../proto/vocab/can.ts';
import { AppError } from '../../proto/vocab/errors.ts';
import { isWord, type Millis } from '../../proto/vocab/ids.ts';
import type { ApiKeyView } from '../../proto/vocab/people.ts';
import { safeText } from '../../proto/vocab/safe-text.ts';
import type { Mutation, PeopleService } from './api.ts';
import { same, sha256 } from './logins.ts';
import type { ApiKey, Clock, Draft, Random, Snapshot } from './ports.ts';
import { checkRole } from './users.ts';
import { authorise, guardRevision, type Writer } from './write.ts';

interface Needs {
  readonly writer: Writer;
  readonly clock: Clock;
  readonly random: Random;
}

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const USUAL_TTL_MS = 90 * DAY_MS;
const LONGEST_TTL_MS = 366 * DAY_MS;
const MOST_KEYS = 1000;

const SHAPE = /^ck1\.([0-9a-f]{12})\.([A-Za-z0-9_-]{43})$/;

/** Whoever may do these can give what they lack to others: a key that is narrower than its role would not be. */
const WIDENING: readonly Action[] = ['user.write', 'apikey.write'];

/** Machines' way in. 256 random bits need no slow hash. */
export class ApiKeys {
  private readonly needs: Needs;
  /** Used since it was last written down. */
  private readonly used = new Map<string, Millis>();

  constructor(needs: Needs) {
    this.needs = needs;
  }

  static looksLike(bearer: string): boolean {
    return bearer.startsWith('ck1.');
  }

  /** @throws AppError `unauthenticated` */
  caller(bearer: string, remote: string): Caller {
    const { writer, clock } = this.needs;
    const m = SHAPE.exec(bearer);
    const key = writer.view().get('apikey', m?.[1] ?? '');
    const right = same(sha256(m?.[2] ?? ''), key?.secretHash ?? '0'.repeat(64));
    if (!key || !right) throw new AppError('unauthenticated', 'this API key is not known here');
    const now = clock.now();
    if (key.revokedAt !== null) throw new AppError('unauthenticated', `the API key ${key.name} was revoked`);
    if (now >= key.expiresAt) {
      throw new AppError(
        'unauthenticated',
        `the API key ${key.name} expired at ${new Date(key.expiresAt).toISOString()}`,
      );
    }
    this.used.set(key.id, now);
    const { role, scopes } = key;
    return { actor: `key:${key.name}`, role, source: remote, ...(scopes === null ? {} : { scopes }) };
  }

  list(caller: Caller): readonly ApiKeyView[] {
    authorise(caller, 'apikey.list');
    return this.needs.writer.view().list('apikey').map(viewOf);
  }

  async create(
    m: Mutation,
    args: Parameters<PeopleService['createApiKey']>[1],
  ): ReturnType<PeopleService['createApiKey']> {
    authorise(m.caller, 'apikey.write');
    const { name, role, scopes } = args;
    const ttl = args.ttlMs ?? USUAL_TTL_MS;
    check(args, ttl);
    const { writer, random } = this.needs;
    const id = random.hex(6);
    const secret = Buffer.from(random.bytes(32)).toString('base64url');
    const { revision, result } = await writer.mutate(
      m,
      'apikey.write',
      args,
      (view, now) => {
        const all = view.list('apikey');
        if (all.some((k) => k.name === name && k.revokedAt === null && now < k.expiresAt)) {
          throw new AppError(
            'conflict',
            `there is an API key ${name} already; revoke it, or choose another name`,
          );
        }
        if (all.length >= MOST_KEYS) throw new AppError('precondition', `there are ${MOST_KEYS} API keys`);
        const value: Omit<ApiKey, 'modRevision'> = {
          id,
          name,
          secretHash: sha256(secret),
          role,
          scopes,
          createdBy: m.caller.actor,
          createdAt: now,
          expiresAt: now + ttl,
          lastUsedAt: null,
          revokedAt: null,
        };
        const narrowed = scopes === null ? '' : ` for ${scopes.join(', ')}`;
        const text = `made API key ${name}, ${role}${narrowed}`;
        return {
          ops: [{ op: 'put', kind: 'apikey', key: id, value }],
          events: [{ kind: 'master', who: m.caller.actor, subject: name, level: 'info', text }],
          result: id,
        };
      },
      (made) => made,
      (_view, made) => {
        throw new AppError(
          'conflict',
          `API key ${made} was made by this request before; its secret is not kept`,
        );
      },
    );
    return { revision, key: viewOf(must(writer.view(), result)), secret: `ck1.${id}.${secret}` };
  }

  async revoke(m: Mutation, id: string): Promise<{ revision: number }> {
    const { revision } = await this.needs.writer.mutate(
      m,
      'apikey.write',
      { revoke: true, id },
      (view, now) => {
        const key = must(view, id);
        guardRevision(m, id, key.modRevision);
        if (key.revokedAt !== null)
          throw new AppError('precondition', `API key ${key.name} is revoked already`);
        const text = `revoked API key ${key.name}`;
        return {
          ops: [{ op: 'put', kind: 'apikey', key: id, value: { ...key, revokedAt: now } }],
          events: [{ kind: 'master', who: m.caller.actor, subject: key.name, level: 'warn', text }],
          result: id,
        };
      },
      (x) => x,
      (_view, x) => x,
    );
    return { revision };
  }

  /** When each was last used, to the hour: a call is no write. */
  tick(): Promise<unknown> {
    if (this.used.size === 0) return Promise.resolve(null);
    return this.needs.writer.write('master', 'tick', (view) => {
      const ops: Draft[] = [];
      for (const [id, at] of this.used) {
        const key = view.get('apikey', id);
        if (!key || at - (key.lastUsedAt ?? 0) < HOUR_MS) continue;
        ops.push({ op: 'put', kind: 'apikey', key: id, value: { ...key, lastUsedAt: at } });
      }
      this.used.clear();
      return ops.length === 0 ? null : { ops, events: [], result: null };
    });
  }
}

function check(args: Parameters<PeopleService['createApiKey']>[1], ttl: number): void {
  const { name, role, scopes } = args;
  if (!isWord(name)) {
    throw new AppError(
      'invalid',
      `API key name ${JSON.stringify(safeText(name, { max: 63 }))}: a-z, 0-9 and - . _ are wanted, such as grafana`,
    );
  }
  checkRole(role);
  if (!(ttl >= 1000 && ttl <= LONGEST_TTL_MS))
    throw new AppError('invalid', 'an API key lives from 1s to 366d');
  for (const scope of scopes ?? []) {
    if (!ACTIONS.includes(scope)) {
      throw new AppError(
        'invalid',
        `scope ${JSON.stringify(safeText(scope, { max: 63 }))}: one of ${ACTIONS.join(', ')}`,
      );
    }
    if (WIDENING.includes(scope)) {
      throw new AppError(
        'invalid',
        `scope ${scope}: who may that can give themselves all else; make the key without scopes`,
      );
    }
  }
  if (scopes?.length === 0) throw new AppError('invalid', 'a key with no scope at all may nothing');
}

function viewOf({ secretHash: _, ...key }: ApiKey): ApiKeyView {
  return key;
}

function must(view: Snapshot, id: string): ApiKey {
  const key = view.get('apikey', id);
  if (!key) throw new AppError('not_found', `there is no API key ${safeText(id, { max: 64 })}`);
  return key;
}
