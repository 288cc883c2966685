import type { RegionSeries as WireSeries } from '../gen/aicdn/v1/console.ts';
import type { RegionSeries } from '../vocab/metrics.ts';
import { NODE_TYPES, type NodeType } from '../vocab/node.ts';
import * as w from './wire.ts';

// What was, of places, wire ⇄ vocab. Decoders throw AppError `invalid`.

export const MOST_PLACES = 512;
const MOST_POINTS = 1440;

type Place = RegionSeries['place'];

export const encodePlace = (p: Place) => ({ region: p.region ?? '', nodeType: p.nodeType });

export function decodePlace(p: { readonly region: string; readonly nodeType: string }): {
  readonly region: string | null;
  readonly nodeType: NodeType;
} {
  const region = w.text(p.region, 'place.region', w.LONGEST.word);
  return {
    region: region === '' ? null : region,
    nodeType: w.oneOf(p.nodeType, NODE_TYPES, 'place.node_type'),
  };
}

export function encodeSeries(s: RegionSeries): WireSeries {
  return { place: encodePlace(s.place), ttft95Ms: s.ttft95Ms.map((v) => v ?? Number.NaN) };
}

export function decodeSeries(s: WireSeries): RegionSeries {
  return {
    place: decodePlace(w.present(s.place, 'series.place')),
    ttft95Ms: w
      .bounded(s.ttft95Ms, MOST_POINTS, 'series.ttft95_ms')
      .map((v) => (Number.isFinite(v) ? v : null)),
  };
}
