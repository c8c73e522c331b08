import { SnapshotEntries } from '../../src/repository/snapshot.ts';
import { IndexFixture, newSigner } from '../support/index-fixture.ts';

const ROUNDS = 30;

/** Processor time of a publication of one upload in milliseconds, with few and with many bins, none of which has other targets; and that of a snapshot of many. */
export async function benchBinCost(): Promise<{
  readonly few: number;
  readonly many: number;
  readonly snapshot: number;
}> {
  return {
    few: await publicationOf('team'),
    many: await publicationOf('pypi'),
    snapshot: await snapshotOf(16_384),
  };
}

async function publicationOf(profile: string): Promise<number> {
  const fixture = await IndexFixture.create({ profile, onDisk: true });
  const publisher = await fixture.startedPublisher();
  try {
    for (let round = 0; round < 5; round++) {
      await fixture.upload(`warm-${round}`, '1.0');
      await publisher.publishOnce();
    }
    let spent = 0;
    for (let round = 0; round < ROUNDS; round++) {
      await fixture.upload(`project-${round}`, '1.0');
      const before = process.cpuUsage();
      await publisher.publishOnce();
      const { user, system } = process.cpuUsage(before);
      spent += (user + system) / 1000;
    }
    return spent / ROUNDS;
  } finally {
    await publisher.close();
    await fixture.close();
  }
}

async function snapshotOf(bins: number): Promise<number> {
  const signer = newSigner();
  const name = (bin: number): string => `bin-${bin.toString(16).padStart(4, '0')}`;
  let entries = SnapshotEntries.of(
    Array.from({ length: bins }, (_, bin) => ({ role: name(bin), version: 900 })),
  );
  const before = process.cpuUsage();
  for (let round = 0; round < ROUNDS; round++) {
    entries = entries.with([1, 2, 3].map((bin) => ({ role: name(bin * 5000), version: 901 + round })));
    await signer.sign(entries.encode({ version: round + 1, expires: new Date() }));
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000 / ROUNDS;
}
