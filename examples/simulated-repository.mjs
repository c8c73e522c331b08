// Publishes a tiny TUF repository in memory and verifies it, then attacks it: how to test a client of Rind's updater.
//
//   node simulated-repository.mjs
import assert from 'node:assert/strict';
import { RepositorySimulator, SimulatedClient } from 'rind/testing';
import { RepositoryError } from 'rind/tuf';

const hello = Buffer.from('hello');
const repository = new RepositorySimulator();
repository.addDelegation('targets', 'greetings', { paths: ['greetings/*'] });
repository.addTarget('greetings', 'greetings/hello.txt', hello);
repository.publishAll();

const client = await SimulatedClient.create(repository);
try {
  const updater = client.updater();
  const target = await updater.getTargetInfo('greetings/hello.txt');
  assert.ok(target, 'the role greetings lists it');
  assert.deepEqual(Buffer.from(await updater.targetBytes(target, 100)), hello);
  console.log(`verified: ${target.path}, asking for ${repository.requests.join(', ')}`);

  // Every session that comes now gets a timestamp with one changed bit.
  repository.publishAll();
  repository.misbehave('metadata/timestamp.json', { kind: 'flipped-bit', position: 200 });
  await assert.rejects(client.updater().refresh(), (error) => {
    assert.ok(error instanceof RepositoryError);
    console.log(`refused: ${error.code}`);
    return true;
  });

  // The repository behaves again, but its timestamp is an old one.
  repository.behave();
  await client.updater().refresh();
  const [old] = repository.versions('timestamp');
  assert.ok(old);
  repository.misbehave('metadata/timestamp.json', { kind: 'bytes', bytes: old });
  await assert.rejects(client.updater().refresh(), { code: 'BAD_VERSION_NUMBER', role: 'timestamp' });
  console.log('refused: an old timestamp');
} finally {
  await client.remove();
}
