import { gunzipSync, gzipSync } from 'node:zlib';
import type { RemoteConfig } from '../gen/aicdn/v1/agent.ts';
import * as w from './wire.ts';

// The body of an offer on the wire: as it is, or in gzip's form for an agent that says that it takes that.

/** How an agent says in its hello that it takes the latter. */
export const OFFER_GZIP = 'offer-gzip';

/** Bytes of a rendered document: it and all it names travel in one message. */
export const MOST_BODY = 240 * 1024;

/** 20 KB take 0.1 ms, 240 KB take 1 ms; the highest level saves 3 % more at best, in up to five times that. */
const LEVEL = 4;
/** Where less of it is saved, unpacking it is not worth that. */
const LEAST_SAVED = 0.25;

/**
 * What an agent says that it takes, beside what its node carries. Where that is nothing, as the engine could not be asked,
 * it stays nothing: to a master a node that says nothing is one not to be judged yet, and one word would be all it carries.
 */
export function saidWith(capabilities: readonly string[]): readonly string[] {
  return capabilities.length === 0 ? capabilities : [...capabilities, OFFER_GZIP];
}

/** @returns `null`: it is not clearly smaller, and travels as it is */
export function compressed(body: Uint8Array): Uint8Array | null {
  const made = gzipSync(body, { level: LEVEL });
  return made.length <= body.length * (1 - LEAST_SAVED) ? made : null;
}

/** The document, in whichever form it came. @throws AppError `invalid` */
export function bodyOf({ body, bodyGzip }: Pick<RemoteConfig, 'body' | 'bodyGzip'>): Uint8Array {
  if (bodyGzip.length === 0) return w.bytes(body, 'remote_config.body', MOST_BODY);
  if (body.length > 0) throw w.invalid('remote_config.body_gzip', 'is there beside the body');
  try {
    return gunzipSync(bodyGzip, { maxOutputLength: MOST_BODY });
  } catch (error) {
    throw w.invalid('remote_config.body_gzip', whyNot(error));
  }
}

function whyNot(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === 'ERR_BUFFER_TOO_LARGE' ? `longer than ${MOST_BODY} bytes` : `is no gzip: ${message}`;
}
