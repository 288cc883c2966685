import { dialMaster, enrol } from '../../proto/link/dial.ts';
import { type JoinTokenParts, parseJoinToken } from '../../proto/link/join-token.ts';
import { fetchPinnedCa } from '../../proto/link/tls.ts';
import { AppError, type ErrorCode } from '../../proto/vocab/errors.ts';
import type { NodeName } from '../../proto/vocab/ids.ts';
import type { NodeType } from '../../proto/vocab/node.ts';
import { safeText } from '../../proto/vocab/safe-text.ts';
import { issued, newKey } from './csr.ts';

export interface JoinArgs {
  /** `host:port`, tried in this order. */
  readonly addresses: readonly string[];
  /** `ct1.…` */
  readonly token: string;
  readonly name: NodeName;
  readonly nodeType: NodeType;
  readonly region: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly agentVersion: string;
}

/** PEM, to be stored; the key was made here. */
export interface Joined {
  readonly node: NodeName;
  readonly keyPem: string;
  readonly certificatePem: string;
  readonly caPem: string;
}

/**
 * Enrols this node. The CA is pinned before anything secret is sent: a master that shows another one than the token names
 * learns nothing.
 * @throws AppError whose message says why, and what to do
 */
export async function join(args: JoinArgs): Promise<Joined> {
  const token = parseJoinToken(args.token);
  const away: string[] = [];
  for (const address of args.addresses) {
    try {
      return await joinOne(address, token, args);
    } catch (e) {
      if (!(e instanceof AppError)) throw e;
      if (e.code !== 'unavailable' && e.code !== 'timeout') throw explained(e, address);
      away.push(e.message.includes(address) ? e.message : `${address}: ${e.message}`);
    }
  }
  throw new AppError(
    'unavailable',
    `no master answers: ${safeText(away.join('; '), { max: 1000 })}. Check master.addr, that the master runs, and that nothing in between blocks the port; the token was not used`,
  );
}

async function joinOne(address: string, token: JoinTokenParts, args: JoinArgs): Promise<Joined> {
  const caPem = await fetchPinnedCa({ address, pin: token.pin });
  const { keyPem, csrDer } = await newKey(args.name);
  const client = dialMaster(address, { caPem, identity: null });
  try {
    const { node, chainDer } = await enrol(client, {
      tokenId: token.id,
      tokenSecret: token.secret,
      csrDer,
      name: args.name,
      nodeType: args.nodeType,
      region: args.region,
      labels: args.labels,
      agentVersion: args.agentVersion,
    });
    return { node, ...issued(keyPem, chainDer, token.pin) };
  } finally {
    client.close();
  }
}

const NEW_TOKEN = 'make a new one with `aicdnctl token create` on the master';
/** What to do about a refusal, by its code. */
const ADVICE: Readonly<Partial<Record<ErrorCode, string>>> = {
  unauthenticated: `the token is of no use here: ${NEW_TOKEN}`,
  not_found: `the token is of no use here: ${NEW_TOKEN}`,
  forbidden: `check --type, --region and --name against what the token is for, or ${NEW_TOKEN}`,
  precondition: NEW_TOKEN,
  conflict: 'choose another --name',
};

function explained(e: AppError, address: string): AppError {
  const why = safeText(e.message, { max: 1000 });
  const said = why.includes(address) ? why : `${address} refused: ${why}`;
  // Whoever says what to do already is not talked over.
  const advice = /token create|a new token|make a token/.test(why) ? undefined : ADVICE[e.code];
  return new AppError(e.code, advice ? `${said}. What to do: ${advice}` : said, { cause: e });
}
