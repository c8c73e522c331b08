import { expect } from 'vitest';
import { Metadata } from '../../src/tuf/metadata.ts';
import type { SignedType } from '../../src/tuf/signed.ts';
import { generateSigner } from './tuf-signers.ts';

export const bytesOf = (text: string) => new TextEncoder().encode(text);
export const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
export const signer = generateSigner();
export const keyId = signer.key.keyId;
export const HASH = 'ab'.repeat(32);

const KEY = `{"keytype":"ed25519","keyval":{"public":"${signer.key.public}","x-keyval":1},"scheme":"ed25519","x-key":1}`;
const ROLE = `{"keyids":["${keyId}"],"threshold":1,"x-role":[1]}`;
const COMMON = (type: string) => `"_type":"${type}","expires":"2030-01-01T00:00:00Z"`;
const TAIL = '"spec_version":"1.0.31","version":1,"x-field":{"a":[null,true]}}';

/** One valid signed part of each type, canonical, with unknown fields at every level. */
export const VALID: Readonly<Record<SignedType, string>> = {
  root: `{"_type":"root","consistent_snapshot":true,"expires":"2030-01-01T00:00:00Z","keys":{"${keyId}":${KEY}},"roles":{"root":${ROLE},"snapshot":${ROLE},"targets":${ROLE},"timestamp":${ROLE}},${TAIL}`,
  timestamp: `{${COMMON('timestamp')},"meta":{"other.json":{"x":1},"snapshot.json":{"hashes":{"sha256":"${HASH}"},"length":5,"version":3,"x-meta":1}},${TAIL}`,
  snapshot: `{${COMMON('snapshot')},"meta":{"1.json":{"version":1},"10.json":{"version":1,"x-meta":{}},"2.json":{"version":2},"targets.json":{"hashes":{"sha512":"${HASH}"},"length":0,"version":3}},${TAIL}`,
  targets: `{"_type":"targets","delegations":{"keys":{"${keyId}":${KEY}},"roles":[{"keyids":["${keyId}"],"name":"b","paths":["simple/*/*"],"terminating":true,"threshold":1,"x-role":1},{"keyids":[],"name":"1","path_hash_prefixes":["0a"],"terminating":false,"threshold":2}],"x-delegations":1},"expires":"2030-01-01T00:00:00Z","spec_version":"1.0.31","targets":{"a/b":{"custom":{"x":1},"hashes":{"sha256":"${HASH}"},"length":7}},"version":1,"x-field":{"a":[null,true]}}`,
};
/** Every type of metadata. */
export const TYPES = Object.keys(VALID) as SignedType[];
/** A whole file. */
export const envelope = (signed: string, signatures = '[]') =>
  bytesOf(`{"signatures":${signatures},"signed":${signed}}`);
/** The metadata of a signed part, read. */
export const read = (type: SignedType, signed: string) => Metadata.fromBytes(envelope(signed), type);

/** Replaces once; fails when there was nothing to replace, so that no case tests nothing. */
export function edit(type: SignedType, from: string, to: string): string {
  expect(VALID[type]).toContain(from);
  return VALID[type].replace(from, () => to);
}
