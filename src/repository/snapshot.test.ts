import { describe, expect, it } from 'vitest';
import { sha256 } from '../../test/support/index-fixture.ts';
import { canonicalJsonText } from '../tuf/canonical-json.ts';
import { MetaFile } from '../tuf/file.ts';
import { Snapshot } from '../tuf/snapshot.ts';
import { Timestamp } from '../tuf/timestamp.ts';
import { BinLayout } from './bins.ts';
import { encodeTimestamp, SnapshotEntries, type SnapshotEntry } from './snapshot.ts';

const EXPIRES = new Date('2026-03-08T12:00:00Z');
const encodedModel = (version: number, entries: readonly SnapshotEntry[]) =>
  canonicalJsonText(
    new Snapshot({
      version,
      expires: EXPIRES,
      meta: new Map(
        entries.map(({ role, version: listed, content }) => [
          `${role}.json`,
          new MetaFile({
            version: listed,
            length: content?.length,
            hashes: content && new Map([['sha256', content.sha256]]),
          }),
        ]),
      ),
    }).toJson(),
  );
const bins: readonly SnapshotEntry[] = new BinLayout(256).names.map((role, index) => ({
  role,
  version: index + 1,
}));
const bare: SnapshotEntry = { role: 'bins', version: 2, content: { length: 10, sha256: sha256('bins') } };

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

describe('SnapshotEntries', () => {
  it('encodes byte for byte as the model does', () => {
    const entries = [...bins.toReversed(), bare, { role: 'targets', version: 1 }];
    expect(text(SnapshotEntries.of(entries).encode({ version: 5, expires: EXPIRES }))).toBe(
      encodedModel(5, entries),
    );
  });

  it('replaces and adds entries in their place, and leaves the old ones as they were', () => {
    const before = SnapshotEntries.of([...bins, bare]);
    const changes = [
      { role: 'bin-7f', version: 99 },
      { role: 'bins', version: 3, content: { length: 11, sha256: sha256('new') } },
    ];
    const replaced = [...bins.filter(({ role }) => role !== 'bin-7f'), ...changes];
    expect(text(before.with(changes).encode({ version: 6, expires: EXPIRES }))).toBe(
      encodedModel(6, replaced),
    );
    const added = { role: 'project-flask', version: 1 };
    expect(text(before.with([...changes, added]).encode({ version: 6, expires: EXPIRES }))).toBe(
      encodedModel(6, [...replaced, added]),
    );
    expect(text(before.encode({ version: 5, expires: EXPIRES }))).toBe(encodedModel(5, [...bins, bare]));
  });
});

describe('encodeTimestamp', () => {
  it('encodes byte for byte as the model does', () => {
    const snapshot = { version: 912, length: 5000, sha256: sha256('snapshot') };
    const model = new Timestamp({
      version: 7,
      expires: EXPIRES,
      snapshotMeta: new MetaFile({ ...snapshot, hashes: new Map([['sha256', snapshot.sha256]]) }),
    });
    expect(encodeTimestamp({ version: 7, expires: EXPIRES, snapshot })).toBe(
      canonicalJsonText(model.toJson()),
    );
  });
});
