import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { claimLists, claimListRole } from '../claims/claim-lists.ts';
import { Key } from '../tuf/key.ts';
import type { Targets } from '../tuf/targets.ts';
import { signedClaim, UNCLAIMED } from './signed-claim.ts';

const key = Key.fromPublicKey('ed25519', 'ed25519', createHash('sha256').update('alice').digest('hex'));
const owners = { keys: [key], threshold: 1 };

function listOf(list: 'claimed' | 'recently-claimed'): Targets {
  const delegations = claimLists(list, [{ project: 'foo', owners }], owners).get(list);
  if (delegations === undefined) throw new Error('no list');
  return claimListRole(list, delegations, { version: 1, expires: new Date('2027-01-01T00:00:00Z') });
}

const ask = (via: readonly string[], project = 'foo') =>
  signedClaim(project, via, async (role) =>
    listOf(role.startsWith('recently') ? 'recently-claimed' : 'claimed'),
  );

describe('whose word a target rests on', () => {
  it('is the developers’ where targets delegates to claimed, and claimed to the project', async () => {
    const claim = { standing: 'claimed', keyIds: [key.keyId], threshold: 1 };
    expect(await ask(['targets', 'claimed', 'project-foo'])).toEqual(claim);
    expect(await ask(['targets', 'claimed', 'claimed-fo', 'project-foo', 'project-foo.release'])).toEqual(
      claim,
    );
    expect(await ask(['targets', 'recently-claimed', 'project-foo'])).toMatchObject({
      standing: 'recently-claimed',
    });
  });

  it.each([
    ['a bin that delegates to a role of that name', ['targets', 'bins', 'bin-0', 'project-foo']],
    ['a bin that delegates to a list of that name', ['targets', 'bins', 'bin-0', 'claimed', 'project-foo']],
    [
      'the online list by way of the offline one’s name',
      ['targets', 'recently-claimed', 'claimed-fo', 'project-foo'],
    ],
    ['another project', ['targets', 'claimed', 'project-bar']],
    [
      'a role below the project that is not its own',
      ['targets', 'claimed', 'project-foo', 'project-bar.release'],
    ],
    ['the project beside the lists', ['targets', 'project-foo']],
    ['the list itself', ['targets', 'claimed']],
    ['nobody', []],
  ])('is the index’s alone: %s', async (_what, via) => {
    expect(await ask(via)).toEqual(UNCLAIMED);
  });
});
