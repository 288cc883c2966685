import { parseAddress } from '../../../../proto/document/address.ts';
import type {
  ForwardNode,
  HopNode,
  Selector,
  Service,
  TlsFiles,
  TunnelDocument,
} from '../../../../proto/document/document.ts';
import { isMux, isSecure } from '../../../../proto/document/transports.ts';
import type { Refusal } from '../../../../proto/vocab/node.ts';
import type { EngineIdentity } from '../../port.ts';
import {
  type DataNode,
  type DataService,
  DIRECT,
  type Endpoint,
  type Guards,
  type Pool,
} from '../data/messages.ts';

/** A set of files that sockets need, and where the document asks for it. */
export interface Want {
  readonly key: string;
  readonly files: TlsFiles;
  /** `services[0].listener.tls` */
  readonly path: string;
  readonly ofIdentity: boolean;
  /** A listener cannot do without certificate and key; a dialer can. */
  readonly needsKey: boolean;
}

export interface Plan {
  readonly services: readonly DataService[];
  readonly wants: readonly Want[];
  readonly refusals: readonly Refusal[];
}

/** A document and an identity -> what data has to be told, or why it cannot be. Reads no file. */
export function planDocument(document: TunnelDocument, identity: EngineIdentity): Plan {
  const planner = new Planner(document, identity);
  const services = document.services.map((s, i) => planner.service(s, `services[${i}]`));
  return { services, wants: [...planner.wants.values()], refusals: planner.refusals };
}

class Planner {
  readonly wants = new Map<string, Want>();
  readonly refusals: Refusal[] = [];
  readonly #document: TunnelDocument;
  readonly #identity: EngineIdentity;

  constructor(document: TunnelDocument, identity: EngineIdentity) {
    this.#document = document;
    this.#identity = identity;
  }

  service(s: Service, path: string): DataService {
    const cores = s.handler.chain === null ? null : this.#cores(s.handler.chain, `${path}.handler.chain`);
    const targets =
      s.forwarder === null
        ? null
        : this.#pool(
            s.name,
            s.forwarder.selector,
            s.forwarder.nodes.map(plainNode),
            (i) => `${path}.forwarder.nodes[${i}]`,
          );
    if (s.handler.type !== 'relay' && cores === null && targets === null) {
      this.#refuse(`${path}.handler`, `a ${s.handler.type} handler needs a chain or a forwarder`);
    }
    return {
      name: s.name,
      listen: this.#address(s.addr, 'listen', `${path}.addr`),
      tls: this.#listenTls(s, `${path}.listener.tls`),
      over: {
        path: s.listener.path ?? null,
        mux: isMux(s.listener.type),
        ...(s.listener.maxStreams === undefined ? {} : { maxStreams: s.listener.maxStreams }),
        ...buffer(s.listener),
      },
      proxyIn: s.proxyProtocol !== undefined,
      proxyOut: s.handler.proxyProtocol ?? 0,
      handler: s.handler.type,
      auths: this.#auths(s, `${path}.handler.auther`),
      cores,
      targets,
      ...this.#guards(s, path),
      retries: s.handler.retries,
      dialTimeoutMs: s.dialTimeoutMs,
      turns: s.enableStats,
    };
  }

  #listenTls(s: Service, path: string): DataService['tls'] {
    if (!isSecure(s.listener.type)) return null;
    const { identity, tls } = s.listener;
    if (identity) return { material: this.#wantIdentity(path), peers: 'fleet' };
    const files = tls ?? { certFile: null, keyFile: null, caFile: null };
    const material = this.#want({ files, path, ofIdentity: false, needsKey: true });
    return { material, peers: files.caFile === null ? 'any' : 'ca' };
  }

  #auths(s: Service, path: string): DataService['auths'] {
    if (s.handler.auther === null) return null;
    const auther = this.#document.authers.find((a) => a.name === s.handler.auther);
    if (auther === undefined) this.#refuse(path, `there is no auther ${JSON.stringify(s.handler.auther)}`);
    // An unknown auther lets nobody in.
    return auther?.auths ?? [];
  }

  #guards(s: Service, path: string): { guards?: Guards } {
    const doc = this.#document;
    const named = <T extends { readonly name: string }>(
      what: keyof Guards,
      among: readonly T[] = [],
    ): { [K in typeof what]?: T } => {
      const name = s[what];
      if (name === undefined) return {};
      const found = among.find((one) => one.name === name);
      if (found === undefined) this.#refuse(`${path}.${what}`, `there is no ${what} ${JSON.stringify(name)}`);
      return found === undefined ? {} : { [what]: found };
    };
    const guards = {
      ...named('admission', doc.admissions),
      ...named('limiter', doc.limiters),
      ...named('climiter', doc.climiters),
      ...named('rlimiter', doc.rlimiters),
    } as Guards;
    return Object.keys(guards).length > 0 ? { guards } : {};
  }

  #cores(name: string, path: string): Pool {
    const empty = { name, selector: { strategy: 'fifo', maxFails: 1, failTimeoutMs: 1 } as const, nodes: [] };
    const chain = this.#document.chains.find((c) => c.name === name);
    const hopName = chain?.hops[0];
    const index = this.#document.hops.findIndex((h) => h.name === hopName);
    const hop = this.#document.hops[index];
    if (chain === undefined || hop === undefined) {
      const missing =
        chain === undefined ? `chain ${JSON.stringify(name)}` : `hop ${JSON.stringify(hopName ?? '')}`;
      this.#refuse(path, `there is no ${missing}`);
      return empty;
    }
    if (chain.hops.length > 1)
      this.#refuse(path, 'a chain of more than one hop is not carried by this engine');
    const at = (i: number): string => `hops[${index}].nodes[${i}]`;
    return this.#pool(
      hop.name,
      hop.selector,
      hop.nodes.map((n, i) => this.#core(n, at(i))),
      at,
    );
  }

  #core(n: HopNode, path: string): UnresolvedNode {
    const { name, addr, backup, weight, connector, dialer } = n;
    const over = {
      path: dialer.path ?? null,
      host: dialer.host ?? null,
      sessions: dialer.connections ?? 0,
      ...buffer(dialer),
    };
    const node = {
      ...{ name, addr, backup, weight, over, speaks: connector.type, auth: connector.auth },
      ...(n.probe === undefined
        ? {}
        : { probe: { intervalMs: n.probe.intervalMs, timeoutMs: n.probe.timeoutMs } }),
    };
    if (!isSecure(dialer.type)) return { ...node, tls: null };
    const serverName = dialer.tls?.serverName ?? null;
    if (dialer.identity) {
      return {
        ...node,
        tls: { material: this.#wantIdentity(`${path}.dialer.tls`), peers: 'fleet', serverName },
      };
    }
    const files = dialer.tls ?? { certFile: null, keyFile: null, caFile: null };
    const material = this.#want({ files, path: `${path}.dialer.tls`, ofIdentity: false, needsKey: false });
    return { ...node, tls: { material, peers: dialer.tls?.secure === false ? 'any' : 'ca', serverName } };
  }

  #pool(name: string, selector: Selector, nodes: readonly UnresolvedNode[], at: (i: number) => string): Pool {
    if (nodes.length === 0) this.#refuse(at(0), `${name} has no nodes: its streams would have nowhere to go`);
    return {
      name,
      selector,
      nodes: nodes.map(({ addr, ...node }, i) => ({
        ...node,
        ...this.#address(addr, 'dial', `${at(i)}.addr`),
      })),
    };
  }

  #wantIdentity(path: string): string {
    const { certFile, keyFile, caFile } = this.#identity;
    if (certFile === '' || keyFile === '' || caFile === '') {
      this.#refuse(
        path,
        "needs the node's own identity, and the engine was given none",
        'start it with --identity-cert, --identity-key and --identity-ca',
      );
    }
    return this.#want({ files: { certFile, keyFile, caFile }, path, ofIdentity: true, needsKey: true });
  }

  #want(want: Omit<Want, 'key'>): string {
    const { certFile, keyFile, caFile } = want.files;
    const key = JSON.stringify([certFile, keyFile, caFile]);
    if (!this.wants.has(key)) this.wants.set(key, { ...want, key });
    return key;
  }

  #address(text: string, use: 'listen' | 'dial', path: string): Endpoint {
    const address = parseAddress(text, use);
    if (typeof address !== 'string') return address;
    this.#refuse(path, address);
    return { host: '', port: 0 };
  }

  #refuse(path: string, message: string, hint?: string): void {
    this.refusals.push({ code: 'invalid', message, path, ...(hint === undefined ? {} : { hint }) });
  }
}

type UnresolvedNode = Omit<DataNode, 'host' | 'port'> & { readonly addr: string };

function buffer(of: { readonly readBufferBytes?: number }): { bufferBytes?: number } {
  return of.readBufferBytes === undefined ? {} : { bufferBytes: of.readBufferBytes };
}

function plainNode(n: ForwardNode): UnresolvedNode {
  return { name: n.name, addr: n.addr, ...DIRECT };
}
