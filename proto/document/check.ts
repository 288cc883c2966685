import { collide, type HostPort, isHost, parseAddress } from './address.ts';
import type { HopNode, ListenerType, Service, TunnelDocument } from './document.ts';
import type { Problems } from './problems.ts';
import { isMux, isSecure, isWebSocket } from './transports.ts';

/**
 * What the table cannot see: references, uniqueness, and everything that must fail closed.
 * Runs on a normalised document whose tree may have been refused in parts; empty names are those parts.
 */
export function check(doc: TunnelDocument, problems: Problems): void {
  unique(doc.services, 'services', problems);
  unique(doc.chains, 'chains', problems);
  unique(doc.hops, 'hops', problems);
  unique(doc.authers, 'authers', problems);
  for (const list of GUARD_LISTS) unique(doc[list] ?? [], list, problems);
  for (const [i, service] of doc.services.entries()) checkService(service, `services[${i}]`, doc, problems);
  checkListeners(doc, problems);
  checkChains(doc, problems);
  for (const [i, hop] of doc.hops.entries()) {
    unique(hop.nodes, `hops[${i}].nodes`, problems);
    for (const [j, node] of hop.nodes.entries()) checkHopNode(node, `hops[${i}].nodes[${j}]`, problems);
  }
  warnUnused(doc, problems);
}

function checkService(service: Service, path: string, doc: TunnelDocument, problems: Problems): void {
  const { handler, forwarder } = service;
  if (forwarder) unique(forwarder.nodes, `${path}.forwarder.nodes`, problems);
  if (handler.chain !== null)
    refer(
      handler.chain,
      doc.chains,
      'chain',
      `${path}.handler.chain`,
      problems,
      'gost would dial the target directly',
    );
  if (handler.auther !== null)
    refer(
      handler.auther,
      doc.authers,
      'auther',
      `${path}.handler.auther`,
      problems,
      'gost would let everyone in',
    );
  if (handler.chain === null && forwarder === null)
    problems.refuseAt(
      `${path}.handler`,
      handler.type !== 'relay'
        ? { message: 'has neither a chain nor a forwarder', hint: 'write handler.chain (edge) or forwarder' }
        : {
            message: 'has neither a forwarder nor a chain',
            hint: 'write forwarder; it pins the target to your origin',
          },
    );
  if (handler.chain !== null && forwarder !== null)
    problems.refuseAt(`${path}.forwarder`, {
      code: 'unsupported',
      message: 'beside handler.chain is not carried by this engine',
      hint: "remove one; with a chain the last core's forwarder names the origin",
    });
  if (handler.type !== 'relay' && handler.auther !== null)
    problems.refuseAt(`${path}.handler.auther`, {
      message: `a ${handler.type} handler asks for no credentials, everyone would get in`,
      hint: 'remove it, or use type: relay',
    });
  checkGuards(service, path, doc, problems);
  checkServiceTls(service, path, problems);
}

const GUARDS = ['limiter', 'climiter', 'rlimiter', 'admission'] as const;
const GUARD_LISTS = ['limiters', 'climiters', 'rlimiters', 'admissions'] as const;

function checkGuards(service: Service, path: string, doc: TunnelDocument, problems: Problems): void {
  for (const guard of GUARDS) {
    const name = service[guard];
    if (name === undefined) continue;
    const without = guard === 'admission' ? 'let everyone in' : 'set no limit';
    refer(name, doc[`${guard}s`] ?? [], guard, `${path}.${guard}`, problems, `gost would ${without}`);
  }
}

function checkServiceTls({ handler, listener }: Service, path: string, problems: Problems): void {
  const at = `${path}.listener`;
  if (problems.refused(`${at}.type`)) return;
  checkLayers(`${at}.metadata`, listener.type, 'listener', problems);
  if (!isSecure(listener.type)) {
    if (problems.has(`${at}.tls`))
      problems.refuseAt(`${at}.tls`, {
        message: `a ${listener.type} listener ignores it`,
        hint: `write listener.type: ${securely(listener.type)}`,
      });
    if (handler.type === 'relay' && handler.auther === null)
      problems.warnAt(at, { message: 'a relay in clear without auther: whoever reaches the port uses it' });
    return;
  }
  if (listener.identity) {
    // Only half of the files: own files were meant, the node's identity would be a surprise.
    for (const key of ['keyFile', 'caFile'])
      if (problems.has(`${at}.tls.${key}`))
        problems.refuseAt(`${at}.tls.${key}`, {
          message: 'without certFile',
          hint: "write certFile and keyFile, or remove tls for the node's own identity",
        });
    return;
  }
  const { certFile, keyFile, caFile } = listener.tls ?? { certFile: null, keyFile: null, caFile: null };
  if (certFile === null || keyFile === null) {
    const missing = certFile === null ? 'certFile' : 'keyFile';
    problems.refuseAt(problems.has(`${at}.tls`) ? `${at}.tls.${missing}` : `${at}.tls`, {
      message: 'is missing',
      hint:
        handler.type === 'tcp'
          ? 'clients of a tcp handler need a certificate: write certFile and keyFile'
          : "write certFile and keyFile both, or neither for the node's own identity",
    });
  } else if (handler.type === 'relay' && caFile === null && handler.auther === null)
    problems.warnAt(`${at}.tls`, {
      message: 'a relay that asks neither a client certificate nor credentials',
      hint: 'write caFile, or handler.auther',
    });
}

function checkHopNode(node: HopNode, path: string, problems: Problems): void {
  const { dialer, connector } = node;
  const at = `${path}.dialer`;
  checkProbe(node, `${path}.probe`, problems);
  if (connector.type === 'forward' && connector.auth)
    problems.refuseAt(`${path}.connector.auth`, {
      message: 'a forward connector sends no credentials',
      hint: 'remove it, or write type: relay',
    });
  if (problems.refused(`${at}.type`)) return;
  checkLayers(`${at}.metadata`, dialer.type, 'dialer', problems);
  if (dialer.host !== undefined && !isHostHeader(dialer.host))
    problems.refuseAt(`${at}.metadata.host`, {
      message: 'is no host name',
      hint: 'write host: core.example',
    });
  if (!isSecure(dialer.type)) {
    if (problems.has(`${at}.tls`))
      problems.refuseAt(`${at}.tls`, {
        message: `a ${dialer.type} dialer ignores it`,
        hint: `write dialer.type: ${securely(dialer.type)}`,
      });
    else if (connector.auth)
      problems.warnAt(`${path}.connector.auth`, { message: 'the password goes over the line in clear' });
    return;
  }
  const tls = dialer.tls;
  if (!tls) return;
  if ((tls.certFile === null) !== (tls.keyFile === null))
    problems.refuseAt(`${at}.tls.${tls.certFile === null ? 'keyFile' : 'certFile'}`, {
      message: `without ${tls.certFile === null ? 'certFile' : 'keyFile'}`,
      hint: "write both, or neither for the node's own identity",
    });
  if (tls.serverName !== null && !isHost(tls.serverName))
    problems.refuseAt(`${at}.tls.serverName`, {
      message: 'is no host name',
      hint: 'write serverName: core.internal',
    });
  if (tls.secure) return;
  if (dialer.identity)
    problems.refuseAt(`${at}.tls.secure`, {
      message: "the node's own identity is always verified",
      hint: 'remove secure: false',
    });
  else
    problems.warnAt(`${at}.tls.secure`, {
      message: 'the core is not verified: anyone on the line can be it',
    });
}

function checkProbe({ addr, dialer, connector, probe }: HopNode, path: string, problems: Problems): void {
  if (probe === undefined) return;
  if (probe.addr !== '' && probe.addr !== addr)
    problems.refuseAt(`${path}.addr`, {
      message: 'a tcp probe goes to the node itself and no farther',
      hint: `write addr: ${JSON.stringify(addr)}`,
    });
  if (connector.type === 'forward' && !isMux(dialer.type))
    problems.refuseAt(path, {
      message: 'would open a stream on the node: a forward connection begins with the stream itself',
      hint: 'remove it, or write connector.type: relay, or a dialer of type mtls or mwss',
    });
}

/** Settings of layers that the type does not have would be silently ignored. */
function checkLayers(at: string, type: ListenerType, what: 'listener' | 'dialer', problems: Problems): void {
  const refuse = (key: string, hint: string): void => {
    if (problems.has(`${at}.${key}`))
      problems.refuseAt(`${at}.${key}`, { message: `a ${type} ${what} has none`, hint });
  };
  if (!isWebSocket(type)) for (const key of ['path', 'host']) refuse(key, 'it is of ws, wss and mwss');
  if (!isMux(type))
    refuse('maxStreams', 'it is of mtls and mwss; connections are limited by climiters: ["$ 1000"]');
  if (!isMux(type))
    for (const key of ['mux.version', 'mux.connections']) refuse(key, 'it is of mtls and mwss');
}

function securely(type: ListenerType): ListenerType {
  return type === 'ws' ? 'wss' : 'tls';
}

function isHostHeader(text: string): boolean {
  const parsed = parseAddress(text, 'dial');
  return isHost(text) || typeof parsed !== 'string';
}

function checkListeners(doc: TunnelDocument, problems: Problems): void {
  const byPort = new Map<number, { readonly service: Service; readonly at: HostPort }[]>();
  for (const [i, service] of doc.services.entries()) {
    const at = parseAddress(service.addr, 'listen');
    if (typeof at === 'string' || problems.full) continue;
    const others = byPort.get(at.port) ?? [];
    byPort.set(at.port, [...others, { service, at }]);
    const other = others.find((o) => collide(o.at, at))?.service;
    if (other)
      problems.refuseAt(`services[${i}].addr`, {
        message: `collides with ${other.addr} of service ${other.name}`,
        hint: 'one service an address',
      });
  }
}

function checkChains(doc: TunnelDocument, problems: Problems): void {
  for (const [i, chain] of doc.chains.entries()) {
    for (const [j, hop] of chain.hops.entries())
      refer(
        hop,
        doc.hops,
        'hop',
        `chains[${i}].hops[${j}].name`,
        problems,
        'gost would dial the target directly',
      );
    if (chain.hops.length > 1)
      problems.refuseAt(`chains[${i}].hops[1]`, {
        code: 'unsupported',
        message: 'a second hop is not carried by this engine',
        hint: 'one hop a chain',
      });
  }
}

interface Named {
  readonly name: string;
}

function refer(
  name: string,
  among: readonly Named[],
  what: string,
  path: string,
  problems: Problems,
  otherwise: string,
): void {
  // An entry whose name could not be read may be the one meant.
  if (name === '' || among.some((n) => n.name === name || n.name === '')) return;
  const names = among.map((n) => n.name).join(', ');
  problems.refuseAt(path, {
    message: `no ${what} is named ${name}`,
    hint: `${names === '' ? `there are no ${what}s` : `there is ${names.slice(0, 200)}`}; ${otherwise}`,
  });
}

function unique(among: readonly Named[], path: string, problems: Problems): void {
  const seen = new Set<string>();
  for (const [i, { name }] of among.entries()) {
    if (name !== '' && seen.has(name))
      problems.refuseAt(`${path}[${i}].name`, {
        message: `is a second ${name}`,
        hint: 'names are unique in a list',
      });
    seen.add(name);
  }
}

function warnUnused(doc: TunnelDocument, problems: Problems): void {
  const chains = new Set(doc.services.map((s) => s.handler.chain));
  const hops = new Set(doc.chains.flatMap((c) => c.hops));
  const authers = new Set(doc.services.map((s) => s.handler.auther));
  const lists = [
    ['chains', doc.chains, chains],
    ['hops', doc.hops, hops],
    ['authers', doc.authers, authers],
    ...GUARDS.map(
      (g) => [`${g}s`, doc[`${g}s`] ?? [], new Set(doc.services.map((s) => s[g] ?? null))] as const,
    ),
  ] as const;
  for (const [path, list, used] of lists)
    for (const [i, { name }] of list.entries())
      if (!used.has(name)) problems.warnAt(`${path}[${i}]`, { message: `nothing uses ${name}` });
}
