import { z } from 'zod';
import type { LastVerdict } from './last-verdict.ts';

const LAST = z.object({
  at: z.iso.datetime(),
  code: z.string(),
  subject: z.string(),
  index: z.string(),
  what: z.string(),
  meaning: z.string(),
  remedy: z.string(),
});

/** Reads what was kept of a verdict. A module of its own, since every command can keep one. @throws when it is damaged */
export function parseLastVerdict(text: string): LastVerdict {
  return LAST.parse(JSON.parse(text));
}
