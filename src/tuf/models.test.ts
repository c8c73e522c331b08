import { describe, expect, it } from 'vitest';
import { bytesOf, keyId, read, signer, VALID } from '../../test/tools/valid-metadata.ts';
import { canonicalJsonText } from './canonical-json.ts';
import { DelegatedRole } from './delegated-role.ts';
import { Delegations } from './delegations.ts';
import { MalformedMetadataError } from './errors.ts';
import { MetaFile, TargetFile } from './file.ts';
import type { JsonValue } from './json.ts';
import { Metadata, signMetadata } from './metadata.ts';
import { Role } from './role.ts';
import { Root } from './root.ts';
import { Snapshot } from './snapshot.ts';
import { SuccinctRoles } from './succinct-roles.ts';
import { Targets } from './targets.ts';
import { Timestamp } from './timestamp.ts';

describe('models made by hand', () => {
  const expires = new Date('2030-01-01T00:00:00Z');

  it('refuse what reading refuses', () => {
    const snapshotMeta = new MetaFile({ version: 1 });
    expect(() => new Timestamp({ version: 0, expires, snapshotMeta })).toThrow(MalformedMetadataError);
    expect(() => new Timestamp({ version: 2 ** 53, expires, snapshotMeta })).toThrow(MalformedMetadataError);
    expect(() => new Timestamp({ version: 1, expires: new Date('x'), snapshotMeta })).toThrow(
      MalformedMetadataError,
    );
    expect(() => new Timestamp({ version: 1, expires, snapshotMeta, specVersion: '3.0' })).toThrow(
      MalformedMetadataError,
    );
    expect(() => new Role({ keyIds: ['a', 'a'], threshold: 1 })).toThrow(MalformedMetadataError);
    expect(() => new Role({ keyIds: ['a'], threshold: 0.5 })).toThrow(MalformedMetadataError);
    expect(() => new MetaFile({ version: 1, hashes: new Map() })).toThrow(MalformedMetadataError);
    expect(() => new TargetFile({ path: 'a', length: 1, hashes: new Map() })).toThrow(MalformedMetadataError);
    expect(() => new Root({ version: 1, expires, keys: new Map(), roles: new Map() })).toThrow(
      'root is missing',
    );
    expect(() => new Delegations({ keys: new Map() })).toThrow(MalformedMetadataError);
    const role = new DelegatedRole({ name: 'a', keyIds: [], threshold: 1, terminating: false, paths: [] });
    expect(() => new Delegations({ keys: new Map(), roles: [role, role] })).toThrow('twice');
    const keyIds = Array.from({ length: 1025 }, (_, index) => `${index}`);
    expect(() => new Role({ keyIds, threshold: 1 })).toThrow('more than 1024');
  });

  it('change some fields and keep the others, the unknown included', () => {
    const root = read('root', VALID.root).signed as Root;
    expect(canonicalJsonText(root.with({ version: 2 }).toJson())).toBe(
      VALID.root.replace('"version":1', '"version":2'),
    );
    const targets = read('targets', VALID.targets).signed as Targets;
    expect(canonicalJsonText(targets.with({ version: 2 }).toJson())).toBe(
      VALID.targets.replace('"version":1', '"version":2'),
    );
    const snapshot = read('snapshot', VALID.snapshot).signed as Snapshot;
    expect(snapshot.with({ version: 9 })).toMatchObject({
      version: 9,
      specVersion: '1.0.31',
      meta: snapshot.meta,
    });
    const timestamp = read('timestamp', VALID.timestamp).signed as Timestamp;
    expect(timestamp.with({ version: 9 }).toJson().get('meta')).toEqual(timestamp.toJson().get('meta'));
  });

  it('cannot overrule known fields by unknown ones', () => {
    const unrecognizedFields = new Map<string, JsonValue>([['version', 99], ['_type', 'root']]); // prettier-ignore
    const json = new Snapshot({ version: 1, expires, meta: new Map(), unrecognizedFields }).toJson();
    expect([json.get('version'), json.get('_type')]).toEqual([1, 'snapshot']);
  });

  it('write succinct roles and read them again', async () => {
    const succinctRoles = new SuccinctRoles({
      keyIds: [keyId],
      threshold: 1,
      bitLength: 14,
      namePrefix: 'bin',
    });
    const delegations = new Delegations({ keys: new Map([[keyId, signer.key]]), succinctRoles });
    const targets = new Targets({ version: 1, expires, targets: new Map(), delegations });
    const bytes = (await signMetadata(targets, [signer])).toBytes();
    const again = Metadata.fromBytes(bytes, 'targets').signed;
    expect(again.delegations?.succinctRoles).toEqual(succinctRoles);
    expect(canonicalJsonText(again.toJson())).toBe(canonicalJsonText(targets.toJson()));
  });

  it('describe a target by its bytes', async () => {
    const file = await TargetFile.fromBytes('a', bytesOf('abc'));
    expect(file.length).toBe(3);
    expect(file.hashes.get('sha256')).toBe(
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    );
    expect(file.custom).toBeUndefined();
    expect((read('targets', VALID.targets).signed as Targets).targets.get('a/b')?.custom).toEqual(
      new Map([['x', 1]]),
    );
  });
});
