import { createHash } from 'node:crypto';
import { execa } from 'execa';

interface Component {
  readonly 'bom-ref': string;
  readonly type: string;
  readonly name: string;
  readonly version: string;
  readonly scope?: string;
  readonly purl?: string;
  readonly properties?: readonly { readonly name: string; readonly value: string }[];
  readonly [more: string]: unknown;
}

export interface Sbom {
  readonly bomFormat: 'CycloneDX';
  readonly specVersion: string;
  readonly serialNumber: string;
  readonly version: number;
  readonly metadata: {
    readonly timestamp: string;
    readonly component: Component;
    readonly [more: string]: unknown;
  };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

/**
 * CycloneDX, as npm reads it from the lockfile, of what is really in a release: the runtime of this architecture only,
 * and the libraries that are carried beside it. Its time and serial number follow from what it says.
 * @param args.runtime npm's package of the runtime
 */
export async function sbom(args: {
  readonly root: string;
  readonly version: string;
  readonly seconds: number;
  readonly runtime: string;
  /** Names and checksums, in hex. */
  readonly libraries: Readonly<Record<string, string>>;
}): Promise<Sbom> {
  // Not `--omit dev`: npm then leaves out what is needed by both.
  const { stdout } = await execa('npm', ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only'], {
    cwd: args.root,
  });
  return settled(JSON.parse(stdout) as Sbom, args);
}

/** npm's packages of runtimes: one is shipped. */
const RUNTIMES = /^node-(bin-)?(linux|darwin)-/;

function isDevelopment({ properties = [] }: Component): boolean {
  return properties.some((p) => p.name === 'cdx:npm:package:development' && p.value === 'true');
}

/** What of it is shipped, without chance and the builder's own. */
export function settled(read: Sbom, args: Omit<Parameters<typeof sbom>[0], 'root'>): Sbom {
  const { version, runtime, libraries } = args;
  const shipped = read.components.filter(
    (c) => !isDevelopment(c) && (!RUNTIMES.test(c.name) || c.name === runtime),
  );
  const refs = new Set(shipped.map((c) => c['bom-ref']));
  const self = `ai-cdn-tunnel@${version}`;
  const { tools: _builder, ...metadata } = read.metadata;
  const named = metadata.component['bom-ref'];
  const kept = {
    ...read,
    metadata: {
      ...metadata,
      timestamp: new Date(args.seconds * 1000).toISOString(),
      component: {
        ...metadata.component,
        ...{ 'bom-ref': self, type: 'application', name: 'ai-cdn-tunnel', version },
        purl: `pkg:npm/${self}`,
      },
    },
    components: [
      ...shipped.map((c) => (c.name === runtime ? { ...c, type: 'platform', scope: 'required' } : c)),
      ...Object.entries(libraries).map(([name, content]) => ({
        ...{ 'bom-ref': name, type: 'library', name, version: name.replace(/^.*\.so\./, '') },
        scope: 'required',
        hashes: [{ alg: 'SHA-256', content }],
        licenses: [{ expression: 'GPL-3.0-or-later WITH GCC-exception-3.1' }],
      })),
    ].toSorted((a, b) => (a['bom-ref'] < b['bom-ref'] ? -1 : 1)),
    dependencies: [
      ...read.dependencies
        .filter((d) => refs.has(d.ref) || d.ref === named)
        .map((d) => ({
          ref: d.ref === named ? self : d.ref,
          dependsOn: d.dependsOn.filter((ref) => refs.has(ref)).toSorted(),
        })),
      ...Object.keys(libraries).map((ref) => ({ ref, dependsOn: [] })),
    ].toSorted((a, b) => (a.ref < b.ref ? -1 : 1)),
  };
  return { ...kept, serialNumber: `urn:uuid:${uuidOf(JSON.stringify({ ...kept, serialNumber: '' }))}` };
}

/** A version 8 UUID: its bits are our own. */
function uuidOf(text: string): string {
  const h = createHash('sha256').update(text).digest('hex');
  const variant = ((Number.parseInt(h.slice(16, 17), 16) & 3) | 8).toString(16);
  return [
    h.slice(0, 8),
    h.slice(8, 12),
    `8${h.slice(13, 16)}`,
    `${variant}${h.slice(17, 20)}`,
    h.slice(20, 32),
  ].join('-');
}
