import { execa } from 'execa';

// A private network for booted hosts: a bridge in a namespace of its own, a cable to each host. Nothing leads out of it.

const SUBNET = '10.77.0';
const BRIDGE = 'br0';

const ip = (...args: string[]) => execa('ip', args);

export class HostNet {
  readonly #name: string;
  #last = 1;

  private constructor(name: string) {
    this.#name = name;
  }

  /** `name`: of its network namespace. */
  static async create(name: string): Promise<HostNet> {
    await ip('netns', 'add', name);
    const net = new HostNet(name);
    await ip('-n', name, 'link', 'set', 'lo', 'up');
    await ip('-n', name, 'link', 'add', BRIDGE, 'type', 'bridge');
    await ip('-n', name, 'addr', 'add', `${SUBNET}.1/24`, 'dev', BRIDGE);
    await ip('-n', name, 'link', 'set', BRIDGE, 'up');
    return net;
  }

  /** From here all hosts are reached, by a program of this machine. */
  get netns(): string {
    return this.#name;
  }

  /** Where they reach such a program. */
  get gateway(): string {
    return `${SUBNET}.1`;
  }

  /** A network namespace for one host, cabled. @returns its address */
  async plug(netns: string): Promise<string> {
    this.#last += 1;
    const address = `${SUBNET}.${this.#last}`;
    const cable = `c${this.#last}`;
    await ip('netns', 'add', netns);
    await ip('-n', netns, 'link', 'set', 'lo', 'up');
    await ip('-n', this.#name, 'link', 'add', cable, 'type', 'veth', 'peer', 'name', 'host0', 'netns', netns);
    await ip('-n', this.#name, 'link', 'set', cable, 'master', BRIDGE, 'up');
    await ip('-n', netns, 'addr', 'add', `${address}/24`, 'dev', 'host0');
    await ip('-n', netns, 'link', 'set', 'host0', 'up');
    await ip('-n', netns, 'route', 'add', 'default', 'via', this.gateway);
    return address;
  }
}
