/** Which methods a path knows, for the answer to one that it does not know. */
export class Methods {
  private readonly routes: {
    readonly pattern: RegExp;
    readonly parameters: number;
    readonly methods: Set<string>;
  }[] = [];
  private readonly byUrl = new Map<string, Set<string>>();

  /** `url` as fastify writes it: `/nodes/:id`. */
  add(url: string, methods: string | readonly string[]): void {
    let known = this.byUrl.get(url);
    if (!known) {
      known = new Set();
      this.byUrl.set(url, known);
      const source = url.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/:\w+/g, '[^/]+');
      const parameters = url.split(':').length;
      this.routes.push({ pattern: new RegExp(`^${source}$`), parameters, methods: known });
    }
    for (const m of typeof methods === 'string' ? [methods] : methods) known.add(m);
  }

  /** Of the most literal route that fits: `/configs/validate` is not the version of that name. */
  of(path: string): readonly string[] {
    const [best] = this.routes
      .filter((r) => r.pattern.test(path))
      .sort((a, b) => a.parameters - b.parameters);
    return best ? [...best.methods].sort() : [];
  }
}
