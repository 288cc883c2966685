import { readFileSync } from 'node:fs';
import { request as plain } from 'node:http';
import { request as secure } from 'node:https';
import { chooseContext } from '../../config/console-socket.ts';
import { connectConsole } from '../../proto/link/console-client.ts';
import { AppError, type ErrorCode } from '../../proto/vocab/errors.ts';
import type { ListenerInfo, NodeStatus, NodeType } from '../../proto/vocab/node.ts';
import { placeOf } from '../../tui/client/place.ts';
import type { Member } from './member.ts';

export interface Where {
  readonly socket: string | null;
  readonly context: string | null;
  readonly addr: string | null;
  readonly caPin: string | null;
  /** REST instead: `https://master:8080`. */
  readonly url: string | null;
  /** The CA of that URL's certificate, a file. */
  readonly cacert: string | null;
}

type Env = Readonly<Record<string, string | undefined>>;

/** Reads all nodes once. Made once, asked as often as wanted. */
export interface Registry {
  /** @throws AppError */
  read(): Promise<readonly Member[]>;
  close(): void;
}

/** As aicdnctl finds its master; over REST where a URL is given. @throws AppError `invalid` */
export function openRegistry(where: Where, env: Env): Registry {
  const url = where.url ?? (env['AICDN_URL'] || null);
  if (url !== null) return overRest(url, where.cacert ?? (env['AICDN_CACERT'] || null), env);
  const api = connectConsole(placeOf(chooseContext(where, env), env));
  return {
    close: () => api.close(),
    read: async () => {
      const { nodes, vitals } = await api.listNodes();
      const by = new Map(vitals.map((v) => [v.name, v]));
      return nodes.map((n) => {
        const v = by.get(n.name);
        return {
          name: n.name,
          region: n.region,
          nodeType: n.nodeType,
          status: v?.status ?? 'unknown',
          eligibility: n.eligibility,
          drain: n.drain,
          stopped: n.stopped === true,
          identity: n.identity,
          configSync: n.configSync,
          labels: n.labels,
          addresses: n.addresses ?? [],
          streams: v?.streams ?? null,
          ttft95Ms: v?.ttft95Ms ?? null,
          errPct: v?.errPct ?? null,
          listeners: n.engine?.listeners ?? [],
        };
      });
    },
  };
}

const AT_ONCE = 8;
const ANSWER_MS = 10_000;
const MOST_BYTES = 16 * 1024 * 1024;

function overRest(base: string, cacert: string | null, env: Env): Registry {
  const key = env['AICDN_API_KEY'] || env['AICDN_TOKEN'];
  if (!key) {
    throw new AppError(
      'invalid',
      `${base} needs an API key: AICDN_API_KEY; make one with aicdnctl api-key create`,
    );
  }
  if (!URL.canParse(base) || !/^https?:$/.test(new URL(base).protocol)) {
    throw new AppError('invalid', `${base} is no URL of a master: write https://HOST:8080`);
  }
  const ca = cacert === null ? undefined : readCa(cacert);
  const get = (path: string) => getJson(new URL(path, base), key, ca);
  return {
    close: () => {},
    read: async () => {
      const names: string[] = [];
      for (let cursor = ''; ; ) {
        const page = await get(`/api/v1/nodes?limit=200${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
        for (const n of page['nodes'] as { name: string }[]) names.push(n.name);
        if (typeof page['next'] !== 'string') break;
        cursor = page['next'];
      }
      const members: Member[] = [];
      const ask = async (): Promise<void> => {
        for (let name = names.pop(); name !== undefined; name = names.pop()) {
          members.push(memberOf(await get(`/api/v1/nodes/${encodeURIComponent(name)}`)));
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, ask));
      return members.sort((a, b) => (a.name < b.name ? -1 : 1));
    },
  };
}

function readCa(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new AppError('invalid', `--cacert ${file} cannot be read`, { cause });
  }
}

type Json = Readonly<Record<string, unknown>>;

function memberOf(n: Json): Member {
  const figures = n['figures'] as Readonly<Record<string, number | null>>;
  const engine = n['engine'] as { readonly listeners: readonly ListenerInfo[] } | null;
  return {
    name: String(n['name']),
    region: String(n['region']),
    nodeType: n['node_type'] as NodeType,
    status: n['status'] as NodeStatus,
    eligibility: String(n['eligibility']),
    drain: String(n['drain']),
    stopped: n['stopped'] === true,
    identity: String(n['identity']),
    configSync: String(n['config_sync']),
    labels: n['labels'] as Readonly<Record<string, string>>,
    addresses: n['addresses'] as readonly string[],
    streams: figures['streams'] ?? null,
    ttft95Ms: figures['ttft_p95_ms'] ?? null,
    errPct: figures['err_pct'] ?? null,
    listeners: engine?.listeners ?? [],
  };
}

const CODES: Readonly<Record<number, ErrorCode>> = {
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'not_found',
  429: 'unavailable',
  503: 'unavailable',
};

function getJson(url: URL, key: string, ca: Buffer | undefined): Promise<Json> {
  return new Promise((resolve, reject) => {
    const failed = (why: string, code: ErrorCode = 'unavailable'): void =>
      reject(new AppError(code, `${url.origin}: ${why}`));
    const headers = { authorization: `Bearer ${key}`, accept: 'application/json' };
    const options = { headers, signal: AbortSignal.timeout(ANSWER_MS) };
    const req =
      url.protocol === 'https:' ? secure(url, { ...options, ...(ca ? { ca } : {}) }) : plain(url, options);
    req.on('error', (e) => failed(e.message));
    req.on('response', (res) => {
      const parts: Buffer[] = [];
      let bytes = 0;
      res.on('error', (e) => failed(e.message));
      res.on('data', (part: Buffer) => {
        bytes += part.length;
        if (bytes > MOST_BYTES) res.destroy(new Error('the answer does not end'));
        parts.push(part);
      });
      res.on('end', () => {
        const text = Buffer.concat(parts).toString('utf8');
        const status = res.statusCode ?? 0;
        let body: unknown = null;
        try {
          body = JSON.parse(text);
        } catch {
          return failed(`status ${status}, and no JSON: is this a master's address?`);
        }
        if (typeof body !== 'object' || body === null) return failed(`status ${status}, and no object`);
        const said = body as Json;
        if (status === 200) return resolve(said);
        failed(`${status} ${String(said['detail'] ?? said['title'] ?? '')}`, CODES[status] ?? 'internal');
      });
    });
    req.end();
  });
}
