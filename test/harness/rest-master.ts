import { createExposition } from '../../daemon/drivers/exposition.ts';
import { RestTransport } from '../../daemon/transport/rest/server.ts';
import type { Action, Role } from '../../proto/vocab/can.ts';
import { MemoryMaster } from './memory-master.ts';
import { RestDocument } from './rest-document.ts';

export interface Asking {
  /** A name of `keys`, or a bearer token as it is; `nobody`: none. */
  readonly as?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Told {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Of a JSON body. */
  readonly body: Record<string, unknown>;
}

/** REST over a memory master, on a real socket. Every answer is held against the document that it serves. */
export class RestMaster {
  readonly master: MemoryMaster;
  readonly base: string;
  readonly document: RestDocument;
  /** API keys by who holds them. */
  readonly keys = new Map<string, string>();
  /** Operations that were answered with 2xx. */
  readonly answered = new Set<string>();
  private readonly transport: RestTransport;

  private constructor(master: MemoryMaster, transport: RestTransport, base: string, document: RestDocument) {
    this.master = master;
    this.transport = transport;
    this.base = base;
    this.document = document;
  }

  static async start(limits: { inFlight?: number } = {}): Promise<RestMaster> {
    const m = await MemoryMaster.start();
    const { services } = m;
    const degraded = () => services.degraded();
    const exposition = createExposition({ services, degraded });
    const transport = new RestTransport(
      { host: '127.0.0.1', port: 0, tls: null, storeId: m.store.id, ...limits },
      {
        services,
        clock: { now: () => m.now },
        log: m.log,
        degraded,
        ready: () => true,
        exposition,
      },
    );
    const { port } = await transport.start();
    const base = `http://127.0.0.1:${port}`;
    const document = new RestDocument(await (await fetch(`${base}/openapi.json`)).json());
    const rest = new RestMaster(m, transport, base, document);
    for (const role of ['viewer', 'operator', 'admin'] as const) await rest.key(role, role);
    return rest;
  }

  /** The one-time code of the first start, as the log said it. */
  bootstrapCode(): string {
    const line = this.master.log.lines.find((l) => l.fields.includes('"code"'));
    return (JSON.parse(line?.fields ?? '{}') as { code?: string }).code ?? '';
  }

  /** Makes an API key and remembers it under a name. */
  async key(name: string, role: Role, scopes: readonly Action[] | null = null): Promise<string> {
    const made = await this.master.services.people.createApiKey(this.master.m(), {
      name,
      role,
      scopes,
      ttlMs: null,
    });
    this.keys.set(name, made.secret);
    return made.key.id;
  }

  bearer(as: string): Record<string, string> {
    if (as === 'nobody') return {};
    return { authorization: `Bearer ${this.keys.get(as) ?? as}` };
  }

  /** Below /api/v1. @throws when the answer is not documented */
  async call(method: string, path: string, asking: Asking = {}): Promise<Told> {
    const { as = 'admin', body } = asking;
    const response = await fetch(`${this.base}/api/v1${path}`, {
      method,
      headers: {
        ...this.bearer(as),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...asking.headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const type = response.headers.get('content-type') ?? '';
    const operation = this.document.operationOf(method, `/api/v1${path.split('?', 1)[0]}`);
    if (operation) {
      const wrong = this.document.undocumented(operation, { status: response.status, type, text });
      if (wrong !== null) throw new Error(wrong);
      if (response.status < 300) this.answered.add(operation.id);
    }
    return {
      status: response.status,
      headers: response.headers,
      text,
      body: /json/.test(type) ? (JSON.parse(text) as Record<string, unknown>) : {},
    };
  }

  async stop(): Promise<void> {
    await this.transport.stop();
    await this.master.services.stop();
  }
}
