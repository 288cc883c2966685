// What the demo's nodes run. One version for both edges: what differs between them comes from their labels.

/** Two services on the core, one an origin listener, so that their figures stay apart. */
export function coreDocument(ports: { a: number; b: number; originA: number; originB: number }): string {
  const service = (name: string, port: number, origin: number): string => `\
- name: svc-${name}
  addr: "127.0.0.1:${port}"
  handler: {type: relay}
  # No certFile: the node's own identity, and only nodes of this fleet may dial in.
  listener: {type: mtls, metadata: {mux.version: 2}}
  forwarder:
    nodes:
    - {name: origin-${name}, addr: "127.0.0.1:${origin}"}
`;
  return `services:\n${service('a', ports.a, ports.originA)}${service('b', ports.b, ports.originB)}`;
}

/** `label.chat_port` is where clients come in, `label.core_port` which of the core's services they go to. */
export const EDGE_DOCUMENT = `\
services:
- name: chat
  addr: "127.0.0.1:\${label.chat_port}"
  handler: {type: tcp, chain: to-core, retries: 1}
  listener: {type: tcp}
chains:
- name: to-core
  hops:
  - {name: cores}
hops:
- name: cores
  selector: {strategy: fifo, maxFails: 1, failTimeout: 5s}
  nodes:
  - name: cn-1
    addr: "127.0.0.1:\${label.core_port}"
    connector: {type: relay}
    dialer: {type: mtls, metadata: {mux.version: 2}}
`;
