import { readFile } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';
import type { MasterSettings } from '../config/master.ts';
import { safeText } from '../proto/vocab/safe-text.ts';
import { wantsTls } from './app.ts';

const WAIT_MS = 5_000;
const EVERYWHERE: readonly string[] = ['', '0.0.0.0', '::'];

/** What `/health` of the master of this host says: `ok`, or why it is not. */
export async function ownHealth({ http: at, stateDir }: Pick<MasterSettings, 'http' | 'stateDir'>): Promise<{
  readonly ok: boolean;
  readonly text: string;
}> {
  const { host, port } = at.addr;
  const where = { host: EVERYWHERE.includes(host) ? '127.0.0.1' : host, port, path: '/health' };
  try {
    // The CA is this fleet's own; under which of its names the master is reached here does not matter.
    const request = wantsTls(at)
      ? https.get({
          ...where,
          ca: await readFile(path.join(stateDir, 'ca.crt')),
          checkServerIdentity: () => undefined,
        })
      : http.get(where);
    const { status, reason } = JSON.parse(await answer(request)) as { status: string; reason?: string };
    if (status === 'ok') return { ok: true, text: 'ok' };
    return { ok: false, text: safeText(`${status}: ${reason ?? ''}`) };
  } catch (e) {
    const why = e instanceof Error ? e.message : String(e);
    return { ok: false, text: safeText(`REST does not answer on ${host}:${port}: ${why}`) };
  }
}

function answer(request: http.ClientRequest): Promise<string> {
  return new Promise((resolve, reject) => {
    request.setTimeout(WAIT_MS, () => request.destroy(new Error(`nothing in ${WAIT_MS / 1000} s`)));
    request.on('error', reject);
    request.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => resolve(text));
      response.on('error', reject);
    });
  });
}
