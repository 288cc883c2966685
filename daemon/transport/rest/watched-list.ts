import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Entities, EntityKind } from '../../../proto/vocab/watch.ts';
import { inOrder, PageQuery, PageShape, pageOf } from './page.ts';
import { route } from './route.ts';
import type { RouteNeeds } from './routes.ts';
import { Flag, Word, whole } from './shapes.ts';

/** Query of every list that can be watched. */
export const WatchQuery = {
  watch: Flag,
  since: whole({ min: 0, max: Number.MAX_SAFE_INTEGER }).optional(),
  store_id: Word.optional(),
};

/** What filters a list, beside the page and the watch. */
type Filter = Readonly<Record<string, z.ZodType>>;
type Filtered<F extends Filter> = { readonly [K in keyof F]: z.output<F[K]> };

export interface WatchedList<K extends EntityKind, F extends Filter> {
  /** `/alerts`; its word is also what the list is called in the body. */
  readonly url: `/${string}`;
  readonly kind: K;
  readonly summary: string;
  /** One of it, documented. */
  readonly shape: z.ZodType;
  readonly filter: F;
  all(): readonly Entities[K][];
  /** Unique, and ascending in the order of the list. */
  key(item: Entities[K]): string;
  fits(item: Entities[K], filter: Filtered<F>): boolean;
  json(item: Entities[K]): object;
}

/** A list that is read in pages, or with `?watch` followed as a stream: the same items by the same filter. */
export function watchedList<K extends EntityKind, F extends Filter>(
  app: FastifyInstance,
  { services, watches }: Pick<RouteNeeds, 'services' | 'watches'>,
  list: WatchedList<K, F>,
): void {
  const noun = list.url.slice(1);
  route(app, {
    method: 'GET',
    url: list.url,
    may: 'watch',
    noun,
    summary: list.summary,
    query: z.strictObject({ ...PageQuery, ...list.filter, ...WatchQuery }),
    tagged: true,
    problems: ['gone'],
    replies: {
      200: {
        description: 'a page, or a stream of put and deleted',
        body: z.object({ [noun]: z.array(list.shape), ...PageShape }),
        stream: true,
      },
    },
    handle: (asked) => {
      const page = asked.query as z.output<z.ZodObject<typeof PageQuery & typeof WatchQuery>>;
      // What the schema has let through, filter by filter.
      const filter = asked.query as unknown as Filtered<F>;
      if (page.watch && asked.request.method === 'GET') {
        return watches.open(
          asked,
          { since: page.since ?? null, storeId: page.store_id },
          { kind: list.kind, item: (item) => (list.fits(item, filter) ? list.json(item) : null) },
        );
      }
      const { revision } = services.nodes.facts();
      const fitting = list.all().filter((item) => list.fits(item, filter));
      const { items, next } = pageOf(
        inOrder(fitting, (i) => list.key(i)),
        page,
        (i) => list.key(i),
      );
      return { body: { [noun]: items.map((i) => list.json(i)), next, revision }, revision };
    },
  });
}
