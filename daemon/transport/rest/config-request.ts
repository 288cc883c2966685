import { z } from 'zod';
import type { Target as VocabTarget } from '../../../proto/vocab/config-version.ts';
import type { ConfigsService } from '../../service/api.ts';
import { HttpRefusal } from './problem.ts';
import { Reason, Target, targetOf } from './shapes.ts';

// What is sent about config versions.

export const ByVersion = z.strictObject({ version: z.string().min(1).max(64) });

export const Body = {
  config_data: z.base64().optional().describe('the document, a YAML text, in base64'),
  config: z.string().optional().describe('the document as text, instead of config_data'),
};

export const Aim = z.strictObject({
  target: Target.optional().describe('whom it is for; what the version was made for where none is given'),
  reason: Reason.optional(),
});

/** @throws HttpRefusal `invalid` unless exactly one of both is there */
export function bytesOf(body: {
  readonly config_data?: string | undefined;
  readonly config?: string | undefined;
}): Uint8Array {
  if ((body.config_data === undefined) === (body.config === undefined)) {
    throw new HttpRefusal(
      'invalid',
      'body.config_data: send the document either there, in base64, or as text in config',
    );
  }
  return body.config_data === undefined
    ? Buffer.from(body.config ?? '', 'utf8')
    : Buffer.from(body.config_data, 'base64');
}

/**
 * Whom a publication is for: as it says, else as its version was made, else everybody. A version that is not there is
 * refused where refusals are recorded.
 */
export function aimOf(
  configs: ConfigsService,
  label: string,
  target: z.output<typeof Target> | undefined,
): VocabTarget {
  if (target) return targetOf(target);
  return configs.list().find((v) => v.label === label)?.target ?? {};
}
