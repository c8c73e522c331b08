import { z } from 'zod';

const KNOWN = z.record(
  z.string(),
  z.object({
    standing: z.enum(['recently-claimed', 'claimed']),
    keyIds: z.array(z.string()),
    since: z.string(),
  }),
);

/** Whose word projects rested on, by project. */
export type Known = z.output<typeof KNOWN>;

/** Reads what was written down of claims. @throws when it is damaged */
export function parseKnown(text: string): Known {
  return KNOWN.parse(JSON.parse(text));
}
