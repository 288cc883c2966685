import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type RestFleet, startRestFleet } from '../harness/rest-fleet.ts';

// Somebody else reads the document that the master serves and asks everything it allows, and much that it does not.

const VERSION = '4.32.5';
/** Kept between runs: an installation takes half a minute. */
const VENV = path.join(tmpdir(), `schemathesis-${VERSION}`);
const program = path.join(VENV, 'bin', 'schemathesis');
/** The same cases in every run. */
const SEED = '20261124';

/** Everything but what a fuzzer cannot know: which names exist, and which documents make sense. */
const CHECKS = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_headers_conformance',
  'response_schema_conformance',
  'unsupported_method',
  'allow_header_conformance',
  'ignored_auth',
];

let rest: RestFleet;
const dir = mkdtempSync(path.join(tmpdir(), 'aicdn-field-'));
beforeAll(async () => {
  if (!existsSync(program)) {
    await execa('python3', ['-m', 'venv', VENV]);
    await execa(path.join(VENV, 'bin', 'pip'), ['install', '-q', `schemathesis==${VERSION}`]);
  }
  rest = await startRestFleet();
}, 240_000);
afterAll(async () => {
  await rest?.fleet.stop();
  rmSync(dir, { recursive: true, force: true });
});

it('schemathesis finds no fault of the server and no answer that is not documented', async () => {
  const r = await execa(
    program,
    [
      'run',
      `${rest.base}/openapi.json`,
      ...['-H', `Authorization: Bearer ${rest.token}`],
      ...['--checks', CHECKS.join(',')],
      ...['--phases', 'examples,coverage,fuzzing'],
      ...['--max-examples', '10'],
      ...['--seed', SEED],
      // These would end the login that asks.
      ...['--exclude-path-regex', 'auth/(logout|password)'],
      ...['--generation-database', 'none'],
      ...['--suppress-health-check', 'all'],
      ...['--warnings', 'off'],
      '--continue-on-failure',
      '--no-color',
    ],
    // It keeps a cache where it stands.
    { cwd: dir, reject: false, all: true },
  );
  expect(
    `${r.all}`.split('\n').filter((l) => /^- ST\d+|❌/.test(l)),
    r.all.slice(-6000),
  ).toEqual([]);
  expect(r.exitCode, r.all.slice(-6000)).toBe(0);
  const tested = /Tested: (\d+)/.exec(r.all)?.[1];
  expect(Number(tested)).toBeGreaterThan(60);
  expect(Number(/(\d+) generated/.exec(r.all)?.[1])).toBeGreaterThan(1000);
});
