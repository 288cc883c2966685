import { VERSION } from '../../../proto/vocab/version.ts';

type Json = Record<string, unknown>;

/** What the document begins with. */
export const DOCUMENT = {
  openapi: '3.1.0',
  info: {
    title: 'AI CDN Tunnel',
    version: VERSION,
    description: 'The master of a tunnel fleet. Errors are problem details [RFC 9457].',
  },
  components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
} as const;

/** Set by a route whose body may be left out: the generator calls every body required. */
export const OPTIONAL_BODY = 'x-optional-body';

/** The generated document with optional bodies as such, and without the shapes that nothing refers to. */
export function finished(generated: unknown): unknown {
  const document = JSON.parse(JSON.stringify(generated)) as {
    paths: Record<string, Record<string, Json>>;
    components: Json;
  };
  for (const operations of Object.values(document.paths)) {
    for (const o of Object.values(operations)) {
      const body = o['requestBody'] as Json | undefined;
      if (body && o[OPTIONAL_BODY] === true) body['required'] = false;
      delete o[OPTIONAL_BODY];
    }
  }
  const schemas = document.components['schemas'] as Json;
  const used = new Set<string>();
  mark(document.paths, schemas, used);
  document.components['schemas'] = Object.fromEntries(
    Object.entries(schemas).filter(([name]) => used.has(name)),
  );
  return document;
}

function mark(value: unknown, schemas: Json, used: Set<string>): void {
  if (Array.isArray(value)) for (const v of value) mark(v, schemas, used);
  else if (typeof value === 'object' && value !== null) {
    for (const [key, v] of Object.entries(value)) {
      const name = key === '$ref' && typeof v === 'string' ? v.split('/').at(-1) : undefined;
      if (name !== undefined && !used.has(name)) {
        used.add(name);
        mark(schemas[name], schemas, used);
      }
      mark(v, schemas, used);
    }
  }
}
