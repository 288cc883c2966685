import type {
  Caller as WireCaller,
  ApiKey as WireKey,
  AuditRecord as WireRecord,
  Session as WireSession,
  User as WireUser,
} from '../gen/aicdn/v1/console.ts';
import type { AuditRecord } from '../vocab/audit.ts';
import { ACTIONS, type Action, type Caller, ROLES } from '../vocab/can.ts';
import { ERROR_CODES } from '../vocab/errors.ts';
import type { ApiKeyView, Session, UserView } from '../vocab/people.ts';
import * as w from './wire.ts';

// People, keys and records, wire ⇄ vocab. Decoders throw AppError `invalid`.

const OUTCOMES = ['ok', ...ERROR_CODES] as const;
/** A JWT of one name, one role and two ids; a key; a refresh token. */
export const LONGEST_TOKEN = 2048;

export function encodeUser(u: UserView): WireUser {
  return {
    name: u.name,
    role: u.role,
    disabled: u.disabled,
    createdBy: u.createdBy,
    createdAt: w.stamp(u.createdAt),
    lastLoginAt: u.lastLoginAt === null ? undefined : w.stamp(u.lastLoginAt),
    modRevision: w.big(u.modRevision, 'user.mod_revision'),
  };
}

export function decodeUser(u: WireUser): UserView {
  return {
    name: w.required(u.name, 'user.name'),
    role: w.oneOf(u.role, ROLES, 'user.role'),
    disabled: u.disabled,
    createdBy: w.text(u.createdBy, 'user.created_by', w.LONGEST.word),
    createdAt: w.millis(u.createdAt, 'user.created_at'),
    lastLoginAt: w.millisOrNull(u.lastLoginAt, 'user.last_login_at'),
    modRevision: w.int(u.modRevision, 'user.mod_revision'),
  };
}

export function encodeKey(k: ApiKeyView): WireKey {
  return {
    id: k.id,
    name: k.name,
    role: k.role,
    scoped: k.scopes !== null,
    scopes: [...(k.scopes ?? [])],
    createdBy: k.createdBy,
    createdAt: w.stamp(k.createdAt),
    expiresAt: w.stamp(k.expiresAt),
    lastUsedAt: k.lastUsedAt === null ? undefined : w.stamp(k.lastUsedAt),
    revokedAt: k.revokedAt === null ? undefined : w.stamp(k.revokedAt),
    modRevision: w.big(k.modRevision, 'key.mod_revision'),
  };
}

export function decodeKey(k: WireKey): ApiKeyView {
  return {
    id: w.required(k.id, 'key.id'),
    name: w.required(k.name, 'key.name'),
    role: w.oneOf(k.role, ROLES, 'key.role'),
    scopes: decodeScopes(k, 'key.scopes'),
    createdBy: w.text(k.createdBy, 'key.created_by', w.LONGEST.word),
    createdAt: w.millis(k.createdAt, 'key.created_at'),
    expiresAt: w.millis(k.expiresAt, 'key.expires_at'),
    lastUsedAt: w.millisOrNull(k.lastUsedAt, 'key.last_used_at'),
    revokedAt: w.millisOrNull(k.revokedAt, 'key.revoked_at'),
    modRevision: w.int(k.modRevision, 'key.mod_revision'),
  };
}

/** `null`: all that the role may. */
export function decodeScopes(
  k: { readonly scoped: boolean; readonly scopes: readonly string[] },
  field: string,
): readonly Action[] | null {
  if (!k.scoped) return null;
  return w.bounded(k.scopes, 64, field).map((s) => w.oneOf(s, ACTIONS, field));
}

export function encodeCaller(c: Pick<Caller, 'actor' | 'role'>): WireCaller {
  return { actor: c.actor, role: c.role };
}

export function decodeCaller(c: WireCaller, source: string): Caller {
  return {
    actor: w.required(c.actor, 'caller.actor'),
    role: w.oneOf(c.role, ROLES, 'caller.role'),
    source,
  };
}

export function encodeSession(s: Session): WireSession {
  return {
    accessToken: s.accessToken,
    expiresAt: w.stamp(s.expiresAt),
    refreshToken: s.refreshToken,
    refreshExpiresAt: w.stamp(s.refreshExpiresAt),
    caller: encodeCaller(s.caller),
  };
}

export function decodeSession(m: { readonly session?: WireSession | undefined }): Session {
  const s = w.present(m.session, 'session');
  return {
    accessToken: w.required(s.accessToken, 'session.access_token', LONGEST_TOKEN),
    expiresAt: w.millis(s.expiresAt, 'session.expires_at'),
    refreshToken: w.required(s.refreshToken, 'session.refresh_token', LONGEST_TOKEN),
    refreshExpiresAt: w.millis(s.refreshExpiresAt, 'session.refresh_expires_at'),
    caller: decodeCaller(w.present(s.caller, 'session.caller'), ''),
  };
}

export function encodeRecord(r: AuditRecord): WireRecord {
  return {
    ...r,
    seq: w.big(r.seq, 'record.seq'),
    at: w.stamp(r.at),
    role: r.role ?? '',
    revision: r.revision === null ? undefined : w.big(r.revision, 'record.revision'),
  };
}

export function decodeRecord(r: WireRecord): AuditRecord {
  return {
    seq: w.int(r.seq, 'record.seq'),
    at: w.millis(r.at, 'record.at'),
    actor: w.text(r.actor, 'record.actor', w.LONGEST.line),
    role: r.role === '' ? null : w.oneOf(r.role, ROLES, 'record.role'),
    source: w.text(r.source, 'record.source', w.LONGEST.line),
    action: w.text(r.action, 'record.action', w.LONGEST.word),
    subject: w.text(r.subject, 'record.subject', w.LONGEST.line),
    outcome: w.oneOf(r.outcome, OUTCOMES, 'record.outcome'),
    revision: r.revision === undefined ? null : w.int(r.revision, 'record.revision'),
    requestId: w.text(r.requestId, 'record.request_id', w.LONGEST.line),
    reason: w.text(r.reason, 'record.reason'),
    prev: w.text(r.prev, 'record.prev', 64),
    hash: w.text(r.hash, 'record.hash', 64),
  };
}
