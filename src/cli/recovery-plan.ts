import { createInterface } from 'node:readline/promises';
import { parse } from 'smol-toml';
import { z } from 'zod';
import { STOLEN_ROLES, type StolenRole } from '../repository/recovery/stolen-keys.ts';
import { CliError } from './cli-error.ts';

const FORMAT = 'rind-recovery-plan-1';

const schema = z.strictObject({
  format: z.literal(FORMAT),
  /** What was stolen. */
  stolen: z.array(z.enum(STOLEN_ROLES)).min(1),
  /** The last known good state: a mirror's folder or URL, or a folder of `rind archive`. */
  'last-known-good': z.string().min(1),
  /** Of the root that clients trusted before the theft, and its version. */
  fingerprint: z.string().regex(/^[0-9a-fA-F]{64}$/),
  'root-version': z.number().int().positive().default(1),
  /** Files (target paths) that the good state does not know and somebody vouches for. */
  keep: z.array(z.string()).default([]),
  /** For the bulletin. */
  title: z.string().min(1),
  summary: z.string().min(1),
});

/** What an administrator decided about a recovery. */
export type RecoveryPlan = z.infer<typeof schema>;

/** Throws CliError with what is wrong. */
export function parseRecoveryPlan(text: string, path: string): RecoveryPlan {
  try {
    return schema.parse(parse(text));
  } catch (cause) {
    const reason =
      cause instanceof z.ZodError
        ? cause.issues.map(({ path: place, message }) => `${place.join('.')}: ${message}`).join('; ')
        : String(cause instanceof Error ? cause.message.split('\n')[0] : cause);
    throw new CliError(
      'usage',
      `${path} is no plan of a recovery: ${reason}.`,
      [`stolen may name ${STOLEN_ROLES.join(', ')}`],
      { cause },
    );
  }
}

export function recoveryPlanText(plan: Omit<RecoveryPlan, 'format'>): string {
  const line = (name: string, value: unknown) => `${name} = ${JSON.stringify(value)}\n`;
  return [
    line('format', FORMAT),
    '# what was stolen: root (a threshold of its keys), targets, claimed, bins, timestamp, snapshot, bin-n\n',
    line('stolen', plan.stolen),
    '# a mirror (folder or URL) or a folder of rind archive, from before the theft\n',
    line('last-known-good', plan['last-known-good']),
    '# of the root that clients trusted before the theft\n',
    line('fingerprint', plan.fingerprint),
    line('root-version', plan['root-version']),
    '# files that came later and that somebody vouches for, as packages/PROJECT/FILENAME\n',
    line('keep', plan.keep),
    line('title', plan.title),
    line('summary', plan.summary),
  ].join('');
}

/** Asks a person for everything that a plan needs, on the terminal. */
export async function askRecoveryPlan(): Promise<Omit<RecoveryPlan, 'format'>> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const ask = async (question: string, fallback = '') =>
    (await terminal.question(`${question} `)).trim() || fallback;
  try {
    const online = await ask(
      'Could somebody use the online key (of timestamp, snapshot and bin-n)? [Y/n]',
      'y',
    );
    const offline = await ask(
      'Which offline keys were stolen, if any (root, targets, claimed, bins, parted by commas)?',
    );
    const stolen: StolenRole[] = /^n/i.test(online) ? [] : ['timestamp', 'snapshot', 'bin-n'];
    for (const name of offline.split(',').map((text) => text.trim()))
      for (const role of STOLEN_ROLES) if (role === name && !stolen.includes(role)) stolen.push(role);
    return {
      stolen,
      'last-known-good': await ask(
        'The last known good state (folder or URL of a mirror, folder of rind archive):',
      ),
      fingerprint: await ask('Fingerprint of the root that clients trusted before:'),
      'root-version': Number(await ask('Version of that root [1]:', '1')),
      keep: [],
      title: await ask('Title for the security bulletin:'),
      summary: await ask('What happened, for the users of this index, in a few sentences:'),
    };
  } finally {
    terminal.close();
  }
}
