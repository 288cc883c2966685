import { expect, test } from 'vitest';
import { blast43 } from '../../test/frames/publish43.ts';
import { PreviewPublishResponse } from '../gen/aicdn/v1/console.ts';
import type { BlastRadius } from '../vocab/blast.ts';
import { decodeRadius, encodeRadius } from './codec-blast.ts';

const sent = (b: BlastRadius) =>
  PreviewPublishResponse.decode(PreviewPublishResponse.encode(encodeRadius(b)).finish());

test('all of a blast radius arrives', () => {
  expect(decodeRadius(sent(blast43))).toEqual(blast43);
});

test('what only a newer master says is passed over, and a word of warning is kept', () => {
  const wire = sent(blast43);
  const check = { check: 'moon', verdict: 'pass', passed: 1, of: 1, bad: 0, about: [], nodes: [], why: '' };
  const warning = { code: 'moon', nodes: 0, names: [], text: 'the moon is full' };
  const got = decodeRadius({
    ...wire,
    checks: [...wire.checks, check],
    warnings: [...wire.warnings, warning],
  });
  expect(got.checks).toEqual(blast43.checks);
  expect(got.warnings.at(-1)).toEqual({ ...warning, code: 'document' });
});

test('a master of before says nothing of what opens', () => {
  const { listeners: _l, routes: _r, checks: _c, warnings: _w, ...wire } = sent(blast43);
  const old = PreviewPublishResponse.decode(
    PreviewPublishResponse.encode({ ...wire, listeners: [], routes: [], checks: [], warnings: [] }).finish(),
  );
  expect(decodeRadius(old)).toMatchObject({
    listeners: [],
    routes: [],
    checks: [],
    warnings: [],
    streams: 40_344,
  });
});

test('texts that are too long arrive cut', () => {
  const [route] = blast43.routes;
  if (!route) throw new Error('the twin has a route');
  const long = {
    ...blast43,
    routes: [{ ...route, fields: [{ key: 'nodes', from: '', to: 'x'.repeat(5000) }] }],
  };
  expect(decodeRadius(sent(long)).routes[0]?.fields[0]?.to).toHaveLength(256);
});
