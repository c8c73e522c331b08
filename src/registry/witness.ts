import { appendAudit } from '../db/audit.ts';
import { insertWitnessedHead, witnessedHeads } from '../db/witness.ts';
import type { Executor } from '../db/schema.ts';
import { writeTransaction } from '../db/transactions.ts';
import { authorizeWitness } from './authorize.ts';
import { RegistryError } from './errors.ts';
import { actorOf, tokenOf, type Principal } from './principal.ts';

/** The head of somebody else's public log, as she reports it. */
export interface ReportedHead {
  /** The public URL of her index. */
  readonly origin: string;
  readonly size: number;
  /** Lower-case hex. */
  readonly root: string;
}

/**
 * Keeps a reported head for ever. Two heads of the same log and size with different roots prove a fork: both are kept, and it is said.
 * @throws RegistryError NOT_AUTHENTICATED, NOT_PERMITTED, CONFLICT
 */
export async function recordHead(
  context: { readonly db: Executor; readonly clock: () => Date },
  principal: Principal,
  head: ReportedHead,
): Promise<{ readonly isNew: boolean }> {
  const { origin, size, root } = head;
  const at = context.clock();
  const outcome = await writeTransaction(context.db, async (tx) => {
    await authorizeWitness(tx, principal);
    const others = (await witnessedHeads(tx, { origin, size })).filter((known) => known.root !== root);
    const isNew = await insertWitnessedHead(tx, {
      origin,
      size,
      root,
      received_at: at.toISOString(),
      token_id: tokenOf(principal) ?? null,
    });
    const isFork = others.length > 0;
    if (isNew) {
      await appendAudit(tx, {
        indexId: null,
        at,
        actor: actorOf(principal),
        action: isFork ? 'witness.conflict' : 'witness.receive',
        subject: origin,
        detail: { size, root },
      });
    }
    return { isNew, isFork };
  });
  if (!outcome.isFork) return { isNew: outcome.isNew };
  throw new RegistryError(
    'CONFLICT',
    `The log of ${origin} has two histories: another root was reported for its first ${size} publications. Both are kept.`,
  );
}
