// A process with some thousand agents in it: told what to do by `SimFleet`, ends with it.

import { issued, newKey } from '../../agent/session/csr.ts';
import type { Joined } from '../../agent/session/join.ts';
import type { AgentServiceClient } from '../../proto/gen/aicdn/v1/agent.ts';
import { dialMaster, enrol } from '../../proto/link/dial.ts';
import { parseJoinToken } from '../../proto/link/join-token.ts';
import { fetchPinnedCa } from '../../proto/link/tls.ts';
import { VERSION } from '../../proto/vocab/version.ts';
import { SimAgent } from './agent.ts';
import { type Answers, BEHAVIOUR, type Behaviour, NO_ANSWERS } from './behaviour.ts';
import type { FromCrew, ToCrew, ToJoin } from './messages.ts';
import type { Planned } from './plan.ts';

const TELL_MS = 250;
/** Enrolments under way at once; a master takes 8 calls a connection. */
const AT_ONCE = 8;
const LONGEST_REASON = 80;
/** Neighbours in the plan are far apart in where they stand when a part of the fleet is meant. */
const PLACES = 200;

class Crew {
  #address: { at: string; caPem: string | null } = { at: '', caPem: null };
  #behaviour: Behaviour = BEHAVIOUR;
  readonly #agents: { readonly agent: SimAgent; readonly offline: boolean; readonly place: number }[] = [];
  #started = 0;
  #waiting: ToJoin[] = [];
  #joining = 0;
  #nodes = 0;
  #door: Promise<AgentServiceClient> | null = null;
  #client: AgentServiceClient | null = null;
  #counts = { open: 0, opened: 0, closed: 0, heartbeats: 0, reports: 0 };
  readonly #answers: Record<string, { -readonly [K in keyof Answers]: Answers[K] }> = {};
  readonly #reasons: Record<string, number> = {};

  take(m: ToCrew): void {
    switch (m.kind) {
      case 'address':
        this.#address = { at: m.at, caPem: m.caPem };
        return;
      case 'behave':
        this.#behaviour = m.behaviour;
        return;
      case 'join':
        this.#nodes += m.nodes.length;
        this.#waiting.push(...m.nodes);
        this.#joinNext();
        return;
      case 'connect':
        for (const a of this.#agents.slice(this.#started)) if (!a.offline) a.agent.start();
        this.#started = this.#agents.length;
        return;
      case 'cut':
        for (const a of this.#agents) if (a.place >= m.from && a.place < m.to) a.agent.cut(m.why);
        return;
      case 'stop':
        void Promise.all(this.#agents.map((a) => a.agent.stop())).then(() => {
          this.tell();
          process.disconnect?.();
          process.exit(0);
        });
    }
  }

  tell(): void {
    const { user, system } = process.cpuUsage();
    say({
      kind: 'tally',
      tally: {
        nodes: this.#nodes,
        joined: this.#agents.length,
        ...this.#counts,
        answers: this.#answers,
        reasons: this.#reasons,
        cpuMs: (user + system) / 1000,
      },
    });
  }

  #joinNext(): void {
    while (this.#joining < AT_ONCE) {
      const next = this.#waiting.shift();
      if (!next) return;
      this.#joining += 1;
      this.#join(next)
        .catch((e: unknown) =>
          say({ kind: 'failed', what: next.node.name, why: e instanceof Error ? e.message : String(e) }),
        )
        .finally(() => {
          this.#joining -= 1;
          if (this.#waiting.length > 0) this.#joinNext();
          else if (this.#joining === 0) this.#shut();
        });
    }
  }

  /** Over one connection for all of them: a key and a certificate each, one handshake. */
  async #join({ node, token: text }: ToJoin): Promise<void> {
    const token = parseJoinToken(text);
    this.#door ??= fetchPinnedCa({ address: this.#address.at, pin: token.pin }).then((caPem) => {
      this.#client = dialMaster(this.#address.at, { caPem, identity: null });
      return this.#client;
    });
    const client = await this.#door;
    const { keyPem, csrDer } = await newKey(node.name);
    const { name, nodeType, region, labels } = node;
    const answer = await enrol(client, {
      tokenId: token.id,
      tokenSecret: token.secret,
      ...{ csrDer, name, nodeType, region, labels, agentVersion: VERSION },
    });
    const joined: Joined = { node: answer.node, ...issued(keyPem, answer.chainDer, token.pin) };
    const { offline, index } = node;
    this.#agents.push({ agent: this.#agent(node, joined), offline, place: (index % PLACES) / PLACES });
  }

  #shut(): void {
    this.#client?.close();
    this.#client = null;
    this.#door = null;
  }

  #agent(node: Planned, joined: Joined): SimAgent {
    const counts = this.#counts;
    const because = (why: string): void => {
      const short = why.replace(/[0-9a-f.:]{8,}/g, '…').slice(0, LONGEST_REASON);
      this.#reasons[short] = (this.#reasons[short] ?? 0) + 1;
    };
    const quiet = (): void => undefined;
    return new SimAgent(node, joined, {
      behaviour: () => this.#behaviour,
      address: () => this.#address,
      counted: {
        opened: () => {
          counts.open += 1;
          counts.opened += 1;
        },
        closed: (why) => {
          counts.open -= 1;
          counts.closed += 1;
          because(why);
        },
        notOpened: because,
        sent: (kind) => {
          if (kind === 'heartbeat') counts.heartbeats += 1;
          else counts.reports += 1;
        },
        offered: (label) => {
          const a = this.#answersOf(label);
          a.offered += 1;
          a.firstAt ||= Date.now();
        },
        answered: (label, how) => {
          const a = this.#answersOf(label);
          a[how] += 1;
          a.lastAt = Date.now();
        },
      },
      log: { debug: quiet, info: quiet, warn: quiet, error: (message) => because(`error: ${message}`) },
    });
  }

  #answersOf(label: string): { -readonly [K in keyof Answers]: Answers[K] } {
    const a = this.#answers[label] ?? { ...NO_ANSWERS };
    this.#answers[label] = a;
    return a;
  }
}

function say(m: FromCrew): void {
  if (process.connected) process.send?.(m);
}

const crew = new Crew();
process.on('message', (m: ToCrew) => crew.take(m));
process.on('disconnect', () => process.exit(0));
// A terminal tells the whole group: who started us says when it is over.
process.on('SIGINT', () => undefined);
setInterval(() => crew.tell(), TELL_MS);
say({ kind: 'ready' });
