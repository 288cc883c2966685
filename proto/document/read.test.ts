import { describe, expect, it } from 'vitest';
import { formatRefusal } from '../vocab/errors.ts';
import { readDocument } from './read.ts';

export const EDGE = `services:
- name: edge-tls
  addr: ":443"
  handler: {type: tcp, chain: to-core, retries: 2}
  listener: {type: tls, tls: {certFile: e.pem, keyFile: ek.pem}}
  metadata: {enableStats: true, dialTimeout: 8s}
chains: [{name: to-core, hops: [{name: cores}]}]
hops:
- name: cores
  selector: {strategy: fifo, maxFails: 1, failTimeout: 15s}
  nodes:
  - {name: a, addr: "203.0.113.10:8443", connector: {type: relay, auth: {username: e1, password: s}},
     dialer: {type: tls, tls: {secure: true, serverName: core.internal, caFile: core-ca.pem, certFile: ec.pem, keyFile: eck.pem}}}
  - {name: b, addr: "203.0.113.20:8443", connector: {type: relay, auth: {username: e1, password: s}},
     dialer: {type: tls, tls: {secure: true, serverName: core.internal, caFile: core-ca.pem}}, metadata: {backup: true}}
`;

describe('readDocument', () => {
  it('reads an edge', () => {
    const r = readDocument(EDGE);
    expect(r.ok ? [] : r.refusals.map(formatRefusal)).toEqual([]);
    expect(r).toMatchInlineSnapshot(`
      {
        "document": {
          "authers": [],
          "chains": [
            {
              "hops": [
                "cores",
              ],
              "name": "to-core",
            },
          ],
          "hops": [
            {
              "name": "cores",
              "nodes": [
                {
                  "addr": "203.0.113.10:8443",
                  "backup": false,
                  "connector": {
                    "auth": {
                      "password": "s",
                      "username": "e1",
                    },
                    "type": "relay",
                  },
                  "dialer": {
                    "identity": false,
                    "tls": {
                      "caFile": "core-ca.pem",
                      "certFile": "ec.pem",
                      "keyFile": "eck.pem",
                      "secure": true,
                      "serverName": "core.internal",
                    },
                    "type": "tls",
                  },
                  "name": "a",
                  "weight": 1,
                },
                {
                  "addr": "203.0.113.20:8443",
                  "backup": true,
                  "connector": {
                    "auth": {
                      "password": "s",
                      "username": "e1",
                    },
                    "type": "relay",
                  },
                  "dialer": {
                    "identity": false,
                    "tls": {
                      "caFile": "core-ca.pem",
                      "certFile": null,
                      "keyFile": null,
                      "secure": true,
                      "serverName": "core.internal",
                    },
                    "type": "tls",
                  },
                  "name": "b",
                  "weight": 1,
                },
              ],
              "selector": {
                "failTimeoutMs": 15000,
                "maxFails": 1,
                "strategy": "fifo",
              },
            },
          ],
          "services": [
            {
              "addr": ":443",
              "dialTimeoutMs": 8000,
              "enableStats": true,
              "forwarder": null,
              "handler": {
                "auther": null,
                "chain": "to-core",
                "retries": 2,
                "type": "tcp",
              },
              "listener": {
                "identity": false,
                "tls": {
                  "caFile": null,
                  "certFile": "e.pem",
                  "keyFile": "ek.pem",
                },
                "type": "tls",
              },
              "name": "edge-tls",
            },
          ],
        },
        "ok": true,
        "warnings": [],
      }
    `);
  });
});
