import { createHmac, timingSafeEqual } from 'node:crypto';
import { decodeJwt, decodeProtectedHeader, SignJWT } from 'jose';
import type { AccessClaims, AccessTokens } from '../service/ports.ts';

const ISSUER = 'ai-cdn-master';
/** A name, a role, two ids and two times. */
const LONGEST = 1024;

/**
 * Access tokens as JWT, HS256. Reading them compares the signature here and now, as every call asks and none may wait;
 * only HS256 is read, whatever a token says of itself.
 */
export function createAccessTokens({ secret }: { readonly secret: string }): AccessTokens {
  const key = Buffer.from(secret);
  return {
    sign(claims) {
      const { jti, sub, role, sid, issuedAt, expiresAt } = claims;
      return new SignJWT({ role, sid })
        .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
        .setIssuer(ISSUER)
        .setJti(jti)
        .setSubject(sub)
        .setIssuedAt(Math.floor(issuedAt / 1000))
        .setExpirationTime(Math.floor(expiresAt / 1000))
        .sign(key);
    },
    read(token) {
      if (token.length > LONGEST) return null;
      const end = token.lastIndexOf('.');
      const given = Buffer.from(token.slice(end + 1), 'base64url');
      const right = createHmac('sha256', key).update(token.slice(0, end)).digest();
      if (given.length !== right.length || !timingSafeEqual(given, right)) return null;
      return claimsOf(token);
    },
  };
}

/** Of a token whose signature holds; still of another shape when somebody else signed with the same secret. */
function claimsOf(token: string): AccessClaims | null {
  try {
    if (decodeProtectedHeader(token).alg !== 'HS256') return null;
    const { iss, jti, sub, iat, exp, ...more } = decodeJwt(token);
    const { role, sid } = more;
    if (iss !== ISSUER || jti === undefined || sub === undefined || iat === undefined || exp === undefined)
      return null;
    if (typeof role !== 'string' || typeof sid !== 'string') return null;
    return { jti, sub, role, sid, issuedAt: iat * 1000, expiresAt: exp * 1000 };
  } catch {
    return null;
  }
}
