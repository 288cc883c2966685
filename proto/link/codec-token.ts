import type { JoinToken as WireToken } from '../gen/aicdn/v1/console.ts';
import { NODE_TYPES } from '../vocab/node.ts';
import type { TokenView } from '../vocab/token.ts';
import * as w from './wire.ts';

// Join tokens as they are listed, wire ⇄ vocab.

export function encodeToken(t: TokenView): WireToken {
  return {
    id: t.id,
    nodeType: t.nodeType,
    region: t.region,
    name: t.name ?? '',
    replace: t.replace,
    createdBy: t.createdBy,
    createdAt: w.stamp(t.createdAt),
    expiresAt: w.stamp(t.expiresAt),
    usedAt: t.usedAt === null ? undefined : w.stamp(t.usedAt),
    usedBy: t.usedBy ?? '',
    revokedAt: t.revokedAt === null ? undefined : w.stamp(t.revokedAt),
    modRevision: w.big(t.modRevision, 'token.mod_revision'),
  };
}

export function decodeToken(t: WireToken): TokenView {
  const name = (value: string, field: string) => (value === '' ? null : w.nodeName(value, field));
  return {
    id: w.required(t.id, 'token.id'),
    nodeType: w.oneOf(t.nodeType, NODE_TYPES, 'token.node_type'),
    region: w.text(t.region, 'token.region', w.LONGEST.word),
    name: name(t.name, 'token.name'),
    replace: t.replace,
    createdBy: w.text(t.createdBy, 'token.created_by', w.LONGEST.word),
    createdAt: w.millis(t.createdAt, 'token.created_at'),
    expiresAt: w.millis(t.expiresAt, 'token.expires_at'),
    usedAt: w.millisOrNull(t.usedAt, 'token.used_at'),
    usedBy: name(t.usedBy, 'token.used_by'),
    revokedAt: w.millisOrNull(t.revokedAt, 'token.revoked_at'),
    modRevision: w.int(t.modRevision, 'token.mod_revision'),
  };
}
