import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Developer } from '../../test/support/developer.ts';
import { newSigner } from '../../test/support/index-fixture.ts';
import { ServerFixture } from '../../test/support/server-fixture.ts';
import { makeSdist } from '../../test/tools/distribution.ts';
import { transactionJson } from '../claims/transaction-form.ts';
import { prepareTransaction } from '../cli/signed-change.ts';
import { appendJournal } from '../db/journal.ts';
import { deleteClaim } from '../db/claims.ts';
import { findProject } from '../db/projects.ts';
import { writeTransaction } from '../db/transactions.ts';

let server: ServerFixture;
let owner: Developer;
const alice = newSigner();

beforeAll(async () => {
  server = await ServerFixture.start();
  owner = new Developer(server, await server.issue({ verbs: ['read', 'upload', 'own'] }));
});
afterAll(() => server.close());

/** What `rind recover` leaves of a project of recently-claimed: no claim, and its metadata public as it was (PEP 480). */
async function unclaim(name: string): Promise<void> {
  const { db, index, now } = server.index;
  const id = (await findProject(db, index.id, name))?.id ?? 0;
  await writeTransaction(db, async (tx) => {
    await deleteClaim(tx, id);
    await appendJournal(tx, { indexId: index.id, projectId: id, kind: 'unclaim', detail: {}, now });
  });
}

describe('a project whose claim was taken away', () => {
  it('is claimed again from the bins, with versions above those that clients have seen', async () => {
    const file = makeSdist({ name: 'foo', version: '1.0' });
    expect((await owner.stage(file)).status).toBe(202);
    const owners = { keys: [alice.key], threshold: 1 };
    expect((await owner.publish('foo', { files: [file], owners, signers: [alice] })).status).toBe(200);
    await unclaim('foo');
    const { roles } = JSON.parse((await owner.api('GET', 'foo/claim')).text) as {
      roles: Record<string, number>;
    };
    const { transaction } = await prepareTransaction(
      {
        url: 'https://index.example/',
        page: await owner.page('foo'),
        standing: 'unclaimed',
        owners: undefined,
        roles: new Map(),
        target: async () => undefined,
        bytes: async () => new Uint8Array(),
      },
      { owners, past: new Map(Object.entries(roles)) },
      [alice],
      server.index.now,
    );
    expect((await owner.api('POST', 'foo/transaction', transactionJson(transaction))).status).toBe(200);
    expect((await owner.roles('foo')).get('project-foo')?.version).toBe(2);
  });
});
