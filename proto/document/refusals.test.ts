// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is how documents write their variables
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { formatRefusal } from '../vocab/errors.ts';
import { readDocument } from './read.ts';

const GOOD = readFileSync(new URL('fixtures/both.yml', import.meta.url), 'utf8');

/** In fixtures/both.yml, instead of the first text the second is written; the reader says the third. */
const EDITS: readonly (readonly [from: string, to: string, says: readonly string[]])[] = [
  [
    '  addr: ":443"',
    '  adr: ":443"',
    ['line 3, column 3: services[0].adr: unknown key (did you mean addr?)'],
  ],
  [
    '    chain: to-core',
    '    chian: to-core',
    ['line 6, column 5: services[0].handler.chian: unknown key (did you mean chain?)'],
  ],
  [
    'certFile:',
    'cert-file:',
    ['line 10, column 7: services[0].listener.tls.cert-file: unknown key (did you mean certFile?)'],
  ],
  [
    '  metadata:\n    dialTimeout: 8s',
    '  frobnicate: 1',
    [
      'line 12, column 3: services[0].frobnicate: unknown key (known here: name, addr, handler, listener, forwarder, metadata, limiter, climiter, rlimiter, admission)',
    ],
  ],
  ['services:', 'Services:', ['line 1, column 1: Services: unknown key (did you mean services?)']],
  [
    '    type: tcp',
    '    type: tcp\n    dialer: {type: tls}',
    [
      "line 6, column 5: services[0].handler.dialer: is ignored by gost (write a chain with a hop; a dialer is of a hop's node: hops[].nodes[].dialer)",
    ],
  ],
  [
    '    type: tcp',
    '    type: tcp\n    forwarder: {}',
    [
      'line 6, column 5: services[0].handler.forwarder: is ignored by gost (a forwarder is of the service: services[].forwarder)',
    ],
  ],
  [
    '    type: tls\n  forwarder',
    '    type: tls\n    config:\n      read-buffer-size: 1\n  forwarder',
    [
      'line 21, column 5: services[1].listener.config: is ignored by gost (write listener.metadata)',
      'line 22, column 7: services[1].listener.config.read-buffer-size: is ignored by gost (write metadata.readBufferSize: 64KB)',
    ],
  ],
  [
    '    type: tls\n  forwarder',
    '    type: tls\n    metadata: {path: /ws}\n  forwarder',
    [
      'line 21, column 22: services[1].listener.metadata.path: a tls listener has none (it is of ws, wss and mwss)',
    ],
  ],
  [
    '      type: tls\nauthers',
    '      type: tls\n      host: 203.0.113.10\nauthers',
    [
      'line 41, column 7: hops[0].nodes[0].dialer.host: is ignored by gost (write the node\'s addr: "HOST:PORT")',
    ],
  ],
  [
    '    nodes:\n    - name: origin\n      addr: "127.0.0.1:8000"',
    '    targets: ["127.0.0.1:8000"]',
    [
      'line 22, column 5: services[1].forwarder.targets: is ignored by gost (write forwarder.nodes)',
      'line 22, column 5: services[1].forwarder.nodes: is missing (write nodes: [{name: origin, addr: "127.0.0.1:8000"}])',
    ],
  ],
  ['authers:', 'bypasses: []\nauthers:', ['line 41, column 1: bypasses: not carried by this engine']],
  [
    '  addr: ":8443"',
    '  addr: ":8443"\n  climiter: a\n  admission: b',
    [
      'line 16, column 13: services[1].climiter: no climiter is named a (there are no climiters; gost would set no limit)',
      'line 17, column 14: services[1].admission: no admission is named b (there are no admissions; gost would let everyone in)',
    ],
  ],
  [
    'authers:',
    'api: {addr: ":18080"}\nmetrics: {addr: ":9000"}\nauthers:',
    [
      'line 41, column 1: api: belongs to the agent (remove it; the agent opens its own)',
      'line 42, column 1: metrics: belongs to the agent (remove it; the agent reads the figures itself)',
    ],
  ],
  [
    '    auther: edges',
    '    auth: {username: a, password: b}',
    [
      'line 18, column 5: services[1].handler.auth: not carried by this engine (write handler.auther and an entry of authers)',
    ],
  ],
  [
    '  addr: ":8443"',
    '  addr: ":8443"\n  addr: ":8444"',
    ['line 16, column 3: services[1].addr: written twice, first on line 15 (remove one)'],
  ],
  ['authers:', '1: x\nauthers:', ['line 41, column 1: a key that is not a text (write "key": value)']],
  [
    'authers:',
    '__proto__: {polluted: true}\nauthers:',
    [
      'line 41, column 1: __proto__: unknown key (known here: services, chains, hops, authers, limiters, climiters, rlimiters, admissions)',
    ],
  ],
  [
    'authers:',
    'constructor: 1\nauthers:',
    [
      'line 41, column 1: constructor: unknown key (known here: services, chains, hops, authers, limiters, climiters, rlimiters, admissions)',
    ],
  ],
  [
    'authers:',
    '<<: {}\nauthers:',
    [
      'line 41, column 1: <<: unknown key (known here: services, chains, hops, authers, limiters, climiters, rlimiters, admissions)',
    ],
  ],
  ['addr: ":443"', 'addr: 443', ['line 3, column 9: services[0].addr: must be host:port (write ":443")']],
  [
    'addr: ":443"',
    'addr: ":0"',
    ['line 3, column 9: services[0].addr: port 0 is not in 1-65535 (write ":443")'],
  ],
  [
    'addr: ":443"',
    'addr: ":65536"',
    ['line 3, column 9: services[0].addr: port 65536 is not in 1-65535 (write ":443")'],
  ],
  [
    'addr: ":443"',
    'addr: "::1:443"',
    ['line 3, column 9: services[0].addr: an IPv6 address needs brackets (write ":443")'],
  ],
  [
    'addr: ":443"',
    'addr: "[::1::]:443"',
    ['line 3, column 9: services[0].addr: ::1:: is not an IPv6 address (write ":443")'],
  ],
  [
    'addr: ":443"',
    'addr: "256.0.0.1:443"',
    ['line 3, column 9: services[0].addr: 256.0.0.1 is not an IPv4 address (write ":443")'],
  ],
  [
    'addr: ":443"',
    'addr: "https://a.example:443"',
    ['line 3, column 9: services[0].addr: must be host:port (write ":443")'],
  ],
  [
    'addr: "203.0.113.10:8443"',
    'addr: ":8443"',
    ['line 36, column 11: hops[0].nodes[0].addr: has no host (write "203.0.113.10:8443")'],
  ],
  [
    'addr: "203.0.113.10:8443"',
    'addr: "203.0.113.10"',
    ['line 36, column 11: hops[0].nodes[0].addr: must be host:port (write "203.0.113.10:8443")'],
  ],
  [
    'dialTimeout: 8s',
    'dialTimeout: 8',
    ['line 13, column 18: services[0].metadata.dialTimeout: a bare number is no duration (write "8s")'],
  ],
  [
    'dialTimeout: 8s',
    'dialTimeout: eight',
    ['line 13, column 18: services[0].metadata.dialTimeout: eight is no duration (write "10s")'],
  ],
  [
    'dialTimeout: 8s',
    'dialTimeout: 10m',
    ['line 13, column 18: services[0].metadata.dialTimeout: must be 1ms to 300s'],
  ],
  [
    'dialTimeout: 8s',
    'enableStats: yes',
    ['line 13, column 18: services[0].metadata.enableStats: must be true or false (write true)'],
  ],
  [
    'failTimeout: 15s',
    'failTimeout: 15',
    ['line 33, column 18: hops[0].selector.failTimeout: a bare number is no duration (write "15s")'],
  ],
  ['failTimeout: 15s', 'maxFails: 0', ['line 33, column 15: hops[0].selector.maxFails: must be 1 to 1000']],
  [
    'failTimeout: 15s',
    'maxFails: 1.5',
    ['line 33, column 15: hops[0].selector.maxFails: must be a whole number'],
  ],
  [
    'strategy: fifo',
    'strategy: fastest',
    [
      'line 32, column 15: hops[0].selector.strategy: must be one of round, rr, rand, random, fifo, ha, hash, least',
    ],
  ],
  [
    '    connector:\n',
    '    probe: {interval: 10s}\n    connector:\n',
    [
      "line 37, column 12: hops[0].nodes[0].probe.addr: is missing (write the node's own addr again; without it gost does not probe)",
    ],
  ],
  [
    '    connector:\n',
    '    probe: {type: http, addr: "203.0.113.10:8443", interval: 10ms, httpPath: /}\n    connector:\n',
    [
      'line 37, column 19: hops[0].nodes[0].probe.type: http is not carried by this engine (it carries tcp)',
      'line 37, column 62: hops[0].nodes[0].probe.interval: must be 1000ms to 3600s',
      'line 37, column 68: hops[0].nodes[0].probe.httpPath: not carried by this engine',
    ],
  ],
  [
    '    connector:\n',
    '    probe: {addr: "203.0.113.10:80"}\n    connector:\n',
    [
      'line 37, column 19: hops[0].nodes[0].probe.addr: a tcp probe goes to the node itself and no farther (write addr: "203.0.113.10:8443")',
    ],
  ],
  [
    '    connector:\n      type: relay',
    '    probe: {addr: "203.0.113.10:8443"}\n    connector:\n      type: forward',
    [
      'line 37, column 12: hops[0].nodes[0].probe: would open a stream on the node: a forward connection begins with the stream itself (remove it, or write connector.type: relay, or a dialer of type mtls or mwss)',
    ],
  ],
  [
    'strategy: fifo',
    'strategy: lowestlatency\n    maxLatency: 1s',
    [
      'line 32, column 15: hops[0].selector.strategy: lowestlatency is not carried by this engine (it carries round, rr, rand, random, fifo, ha, hash, least)',
      'line 33, column 5: hops[0].selector.maxLatency: not carried by this engine',
    ],
  ],
  [
    'strategy: fifo',
    'strategy: parallel',
    [
      'line 32, column 15: hops[0].selector.strategy: parallel is not carried by this engine (it carries round, rr, rand, random, fifo, ha, hash, least)',
    ],
  ],
  [
    '    type: tcp',
    '    type: TCP',
    ['line 5, column 11: services[0].handler.type: must be one of tcp, relay, forward (did you mean tcp?)'],
  ],
  [
    '    type: tcp',
    '    type: http3',
    [
      'line 5, column 11: services[0].handler.type: http3 is not carried by this engine (it needs gost as the engine; between nodes write mtls)',
    ],
  ],
  [
    '    type: tls\n    tls:',
    '    type: mws\n    tls:',
    ['line 8, column 11: services[0].listener.type: mws is not carried by this engine (write mwss, or mtls)'],
  ],
  [
    '    type: tls\n    tls:',
    '    type: grpc\n    tls:',
    [
      'line 8, column 11: services[0].listener.type: grpc is not carried by this engine (it carries tcp, tls, ws, wss, mtls, mwss)',
    ],
  ],
  [
    '      type: tls\nauthers',
    '      type: quic\nauthers',
    [
      'line 40, column 13: hops[0].nodes[0].dialer.type: quic is not carried by this engine (it needs gost as the engine; between nodes write mtls)',
    ],
  ],
  [
    '      type: relay\n    dialer',
    '      type: socks5\n    dialer',
    [
      'line 38, column 13: hops[0].nodes[0].connector.type: socks5 is not carried by this engine (it carries relay, forward)',
    ],
  ],
  [
    '      type: relay\n    dialer',
    '      type: forward\n      auth: {username: a, password: b}\n    dialer',
    [
      'line 39, column 13: hops[0].nodes[0].connector.auth: a forward connector sends no credentials (remove it, or write type: relay)',
    ],
  ],
  [
    '    type: relay\n    auther',
    '    type: forward\n    auther',
    [
      'line 18, column 13: services[1].handler.auther: a forward handler asks for no credentials, everyone would get in (remove it, or use type: relay)',
    ],
  ],
  [
    '    type: tls\n  forwarder',
    '    type: wss\n    metadata: {path: ws}\n  forwarder',
    ['line 21, column 22: services[1].listener.metadata.path: is no path of a URL (write "/ws")'],
  ],
  [
    '    type: tls\n  forwarder',
    '    type: mtls\n    metadata: {mux.version: 1}\n  forwarder',
    ['line 21, column 29: services[1].listener.metadata.mux.version: must be 2'],
  ],
  [
    '    type: tls\n  forwarder',
    '    type: tls\n    metadata: {maxStreams: 10000, readBufferSize: 64}\n  forwarder',
    [
      'line 21, column 28: services[1].listener.metadata.maxStreams: a tls listener has none (it is of mtls and mwss; connections are limited by climiters: ["$ 1000"])',
      'line 21, column 51: services[1].listener.metadata.readBufferSize: must be 4KB to 16MB',
    ],
  ],
  [
    '    type: tls\n  forwarder',
    '    type: mtls\n    metadata: {maxStreams: 0, readBufferSize: 64 kilobytes}\n  forwarder',
    [
      'line 21, column 28: services[1].listener.metadata.maxStreams: must be 1 to 65536',
      'line 21, column 47: services[1].listener.metadata.readBufferSize: 64 kilobytes is no size (write 64KB)',
    ],
  ],
  [
    '    type: tls\n  forwarder',
    '    type: tls\n    metadata: {proxyProtocol: 1}\n  forwarder',
    [
      'line 21, column 16: services[1].listener.metadata.proxyProtocol: is ignored by gost (write it in the metadata of the service: services[].metadata.proxyProtocol)',
    ],
  ],
  [
    '    type: tls\n    tls:',
    '    type: ws\n    tls:',
    ['line 10, column 7: services[0].listener.tls: a ws listener ignores it (write listener.type: wss)'],
  ],
  [
    '      type: tls\nauthers',
    '      type: mtls\n      metadata: {mux.connections: 9, mux.version: 1, path: /ws}\nauthers',
    [
      'line 41, column 35: hops[0].nodes[0].dialer.metadata.mux.connections: must be 1 to 8',
      'line 41, column 51: hops[0].nodes[0].dialer.metadata.mux.version: must be 2',
      'line 41, column 60: hops[0].nodes[0].dialer.metadata.path: a mtls dialer has none (it is of ws, wss and mwss)',
    ],
  ],
  [
    '      type: tls\nauthers',
    '      type: tls\n      metadata: {mux.connections: 2}\nauthers',
    [
      'line 41, column 35: hops[0].nodes[0].dialer.metadata.mux.connections: a tls dialer has none (it is of mtls and mwss)',
    ],
  ],
  [
    '      type: tls\nauthers',
    '      type: wss\n      metadata: {host: "a b"}\nauthers',
    ['line 41, column 24: hops[0].nodes[0].dialer.metadata.host: is no host name (write host: core.example)'],
  ],
  [
    'dialTimeout: 8s',
    'proxyProtocol: 3',
    ['line 13, column 20: services[0].metadata.proxyProtocol: must be 1 to 2'],
  ],
  [
    '    connector:\n      type: relay\n',
    '',
    [
      'line 35, column 5: hops[0].nodes[0].connector: is missing (write connector: {type: relay}; left out, gost takes http)',
    ],
  ],
  [
    '    connector:\n      type: relay\n',
    '    connector: {}\n',
    [
      'line 37, column 16: hops[0].nodes[0].connector.type: is missing (write type: relay; left out, gost takes http)',
    ],
  ],
  ['- name: core\n', '- name: ""\n', ['line 14, column 9: services[1].name: is empty']],
  ['- name: core\n', '- name:\n', ['line 14, column 8: services[1].name: is empty (write a value)']],
  [
    '- name: core\n',
    '- name: "a b"\n',
    [
      'line 14, column 9: services[1].name: is no name (letters, digits and . _ - @ : /, at most 63, a letter or digit first)',
    ],
  ],
  [
    '- name: core\n',
    '- name: "\\u202eeroc"\n',
    ['line 14, column 9: services[1].name: holds a character that cannot be seen'],
  ],
  [
    'password: s3',
    'password: 12345',
    ['line 45, column 15: authers[0].auths[0].password: must be a text (put it in quotes)'],
  ],
  [
    '    tls:\n      certFile: /etc/ai-cdn/edge.pem',
    '    tls: /etc/ai-cdn/edge.pem\n    x:\n      certFile: a',
    [
      'line 9, column 10: services[0].listener.tls: must be keys and values, not a value',
      'line 10, column 5: services[0].listener.x: unknown key (known here: type, tls, metadata)',
    ],
  ],
  [
    '  - name: cores\nhops',
    '    name: cores\nhops',
    ['line 28, column 5: chains[0].hops: must be a list, not keys and values (start each entry with "- ")'],
  ],
  [
    '    chain: to-core',
    '    chain: to-cor',
    [
      'line 6, column 12: services[0].handler.chain: no chain is named to-cor (there is to-core; gost would dial the target directly)',
    ],
  ],
  [
    '  - name: cores\nhops',
    '  - name: corse\nhops',
    [
      'line 28, column 11: chains[0].hops[0].name: no hop is named corse (there is cores; gost would dial the target directly)',
    ],
  ],
  [
    '    auther: edges',
    '    auther: egdes',
    [
      'line 18, column 13: services[1].handler.auther: no auther is named egdes (there is edges; gost would let everyone in)',
    ],
  ],
  [
    '    chain: to-core\n',
    '',
    [
      'line 5, column 5: services[0].handler: has neither a chain nor a forwarder (write handler.chain (edge) or forwarder)',
    ],
  ],
  [
    '  forwarder:\n    nodes:\n    - name: origin\n      addr: "127.0.0.1:8000"\n',
    '',
    [
      'line 17, column 5: services[1].handler: has neither a forwarder nor a chain (write forwarder; it pins the target to your origin)',
    ],
  ],
  [
    '    chain: to-core\n',
    '    chain: to-core\n    auther: edges\n',
    [
      'line 7, column 13: services[0].handler.auther: a tcp handler asks for no credentials, everyone would get in (remove it, or use type: relay)',
    ],
  ],
  [
    '  metadata:\n    dialTimeout: 8s',
    '  forwarder: {nodes: [{name: o, addr: "127.0.0.1:8000"}]}',
    [
      "line 12, column 14: services[0].forwarder: beside handler.chain is not carried by this engine (remove one; with a chain the last core's forwarder names the origin)",
    ],
  ],
  [
    '- name: core\n',
    '- name: edge\n',
    ['line 14, column 9: services[1].name: is a second edge (names are unique in a list)'],
  ],
  [
    '  addr: ":8443"',
    '  addr: "127.0.0.1:443"',
    ['line 15, column 9: services[1].addr: collides with :443 of service edge (one service an address)'],
  ],
  [
    '  hops:\n  - name: cores\n',
    '  hops: []\n',
    [
      'line 27, column 9: chains[0].hops: is an empty list (write hops: [{name: NAME}]; gost would dial the target directly)',
    ],
  ],
  [
    '  - name: cores\nhops:',
    '  - name: cores\n  - name: cores\nhops:',
    ['line 29, column 5: chains[0].hops[1]: a second hop is not carried by this engine (one hop a chain)'],
  ],
  [
    '      keyFile: /etc/ai-cdn/edge.key\n',
    '',
    [
      'line 10, column 7: services[0].listener.tls.keyFile: is missing (clients of a tcp handler need a certificate: write certFile and keyFile)',
    ],
  ],
  [
    '    tls:\n      certFile: /etc/ai-cdn/edge.pem\n      keyFile: /etc/ai-cdn/edge.key\n',
    '',
    [
      'line 8, column 5: services[0].listener.tls: is missing (clients of a tcp handler need a certificate: write certFile and keyFile)',
    ],
  ],
  [
    '    type: tls\n    tls:',
    '    type: tcp\n    tls:',
    ['line 10, column 7: services[0].listener.tls: a tcp listener ignores it (write listener.type: tls)'],
  ],
  [
    '    type: tls\n  forwarder',
    '    type: tls\n    tls: {caFile: ca.pem}\n  forwarder',
    [
      "line 21, column 19: services[1].listener.tls.caFile: without certFile (write certFile and keyFile, or remove tls for the node's own identity)",
    ],
  ],
  [
    '    type: tls\n  forwarder',
    '    type: tls\n    tls: {certFile: c.pem}\n  forwarder',
    [
      "line 21, column 10: services[1].listener.tls.keyFile: is missing (write certFile and keyFile both, or neither for the node's own identity)",
    ],
  ],
  [
    '      type: tls\nauthers',
    '      type: tls\n      tls: {secure: false}\nauthers',
    [
      "line 41, column 21: hops[0].nodes[0].dialer.tls.secure: the node's own identity is always verified (remove secure: false)",
    ],
  ],
  [
    '      type: tls\nauthers',
    '      type: tls\n      tls: {certFile: c.pem}\nauthers',
    [
      "line 41, column 23: hops[0].nodes[0].dialer.tls.certFile: without keyFile (write both, or neither for the node's own identity)",
    ],
  ],
  [
    '      type: tls\nauthers',
    '      type: tcp\n      tls: {caFile: ca.pem}\nauthers',
    ['line 41, column 12: hops[0].nodes[0].dialer.tls: a tcp dialer ignores it (write dialer.type: tls)'],
  ],
  [
    '      type: tls\nauthers',
    '      type: tls\n      tls: {serverName: "core internal"}\nauthers',
    [
      'line 41, column 25: hops[0].nodes[0].dialer.tls.serverName: is no host name (write serverName: core.internal)',
    ],
  ],
  [
    'addr: "203.0.113.10:8443"',
    'addr: "${CORE_NODE}:8443"',
    [
      'line 36, column 12: hops[0].nodes[0].addr: unknown variable ${CORE_NODE} (variables are rendered on the master; $${ is how a text says ${)',
    ],
  ],
  [
    'password: s3',
    'password: a b ${SECRET}',
    [
      'line 45, column 19: authers[0].auths[0].password: unknown variable ${SECRET} (variables are rendered on the master; $${ is how a text says ${)',
    ],
  ],
  [
    '    type: tcp\n',
    '    type: tcp\n   chain: x\n',
    ['line 6, column 1: all mapping items must start at the same column (not YAML)'],
  ],
  ['addr: ":443"', 'addr: ":443', ['line 3, column 14: missing closing "quote (not YAML)']],
  [
    'addr: ":443"',
    'addr: &a ":443"',
    ['line 3, column 9: anchors (&name) are not read (write the value out)'],
  ],
  ['addr: ":443"', 'addr: *a', ['line 3, column 9: aliases (*name) are not read (write the value out)']],
  ['addr: ":443"', 'addr: !!str 443', ['line 3, column 9: tags (!name) are not read (write the value out)']],
  [
    'services:',
    '%YAML 1.2\n---\nservices:',
    ['line 1, column 1: directives (%NAME) are not read (write the value out)'],
  ],
  [
    'authers:',
    '---\nauthers:',
    ['line 41, column 1: a second YAML document (one document a version; remove everything from here)'],
  ],
  [
    '  addr: ":443"',
    '\taddr: ":443"',
    [
      'line 3, column 1: tabs are not allowed as indentation (not YAML)',
      'line 4, column 1: all mapping items must start at the same column (not YAML)',
      'line 7, column 1: all mapping items must start at the same column (not YAML)',
    ],
  ],
  ['name: edge\n', 'name: ed\u0007ge\n', ['line 2, column 11: control character \\u{7} (remove it)']],
  [
    'metadata:\n    dialTimeout: 8s',
    'metadata: {dialTimeout: 8s',
    [
      'line 13, column 1: flow map in block collection must be sufficiently indented and end with a } (not YAML)',
    ],
  ],
];

const WHOLE: readonly (readonly [text: string, says: readonly string[]])[] = [
  ['', ['line 1, column 1: the document is empty (write services: [{name: …, addr: …, handler: …}])']],
  [
    '# nothing\n',
    ['line 1, column 1: the document is empty (write services: [{name: …, addr: …, handler: …}])'],
  ],
  ['hello', ['line 1, column 1: must be keys and values, not a value']],
  ['[]', ['line 1, column 1: must be keys and values, not a list']],
  ['{}', ['line 1, column 1: services: is missing (write services: [{name: …, addr: …, handler: …}])']],
  ['services: []', ['line 1, column 11: services: is an empty list (write at least one service)']],
  ['services: [1]', ['line 1, column 12: services[0]: must be keys and values, not a value']],
  [
    'services:\n  name: edge\n',
    ['line 2, column 3: services: must be a list, not keys and values (start each entry with "- ")'],
  ],
  ['null', ['line 1, column 1: the document is empty (write services: [{name: …, addr: …, handler: …}])']],
];

function said(text: string): readonly string[] {
  const r = readDocument(text);
  return r.ok ? [] : r.refusals.map(formatRefusal);
}

it('reads the document the table starts from', () => {
  expect(said(GOOD)).toEqual([]);
});

it.each(EDITS)('%j -> %j', (from, to, says) => {
  expect(GOOD).toContain(from);
  expect(said(GOOD.replace(from, () => to))).toEqual(says);
});

it.each(WHOLE)('the text %j', (text, says) => {
  expect(said(text)).toEqual(says);
});
