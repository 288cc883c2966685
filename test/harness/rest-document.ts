import { z } from 'zod';

// An OpenAPI document as a judge: whether an answer is one that it documents.

type Json = Record<string, unknown>;

export interface Operation {
  readonly id: string;
  readonly method: string;
  /** `/api/v1/nodes/{id}` */
  readonly path: string;
  /** Actions of the table, or `known`, or `anybody`. */
  readonly may: readonly string[];
  readonly responses: Readonly<
    Record<string, { readonly content?: Record<string, { readonly schema: Json }> }>
  >;
}

export class RestDocument {
  readonly operations: readonly Operation[];
  private readonly components: Json;
  private readonly schemas = new Map<string, z.ZodType>();

  constructor(document: unknown) {
    const { paths, components } = document as { paths: Record<string, Json>; components: Json };
    this.components = components['schemas'] as Json;
    this.operations = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, o]) => {
        const op = o as { operationId: string; 'x-may': string[]; responses: Operation['responses'] };
        return {
          id: op.operationId,
          method: method.toUpperCase(),
          path,
          may: op['x-may'],
          responses: op.responses,
        };
      }),
    );
  }

  /** Literal words go before parameters. */
  operationOf(method: string, path: string): Operation | null {
    const fits = this.operations
      .filter((o) => o.method === method && new RegExp(`^${o.path.replace(/\{\w+\}/g, '[^/]+')}$`).test(path))
      .sort((a, b) => a.path.split('{').length - b.path.split('{').length);
    return fits[0] ?? null;
  }

  /** Why this answer is not one of the operation's, or `null`. */
  undocumented(o: Operation, answer: { status: number; type: string; text: string }): string | null {
    const documented = o.responses[`${answer.status}`];
    if (!documented) return `${o.id}: status ${answer.status} is not documented: ${answer.text}`;
    const type = answer.type.split(';', 1)[0] ?? '';
    const content = documented.content ?? {};
    if (Object.keys(content).length === 0)
      return answer.text === '' ? null : `${o.id}: a body nobody documents`;
    const schema = content[type]?.schema;
    if (!schema) return `${o.id}: ${answer.status} as ${type} is not documented`;
    if (!type.endsWith('json')) return null;
    const read = this.schemaOf(`${o.id} ${answer.status} ${type}`, schema).safeParse(JSON.parse(answer.text));
    return read.success ? null : `${o.id}: ${z.prettifyError(read.error)} in ${answer.text.slice(0, 2000)}`;
  }

  private schemaOf(key: string, schema: Json): z.ZodType {
    const known = this.schemas.get(key);
    if (known) return known;
    const whole = local({ ...schema, $defs: this.components }) as Parameters<typeof z.fromJSONSchema>[0];
    const made = z.fromJSONSchema(whole);
    this.schemas.set(key, made);
    return made;
  }
}

/** References into the document's components, as references into the schema itself. */
function local(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(local);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([k, v]) =>
      k === '$ref' && typeof v === 'string'
        ? [k, v.replace('#/components/schemas/', '#/$defs/')]
        : [k, local(v)],
    ),
  );
}
