import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { SignedClaim } from '../proxy/signed-claim.ts';
import { KnownClaims } from './known-claims.ts';

const [ALICE, BOB] = ['a'.repeat(64), 'b'.repeat(64)];
const claim = (standing: SignedClaim['standing'], ...keyIds: readonly string[]): SignedClaim => ({
  standing,
  keyIds,
  threshold: keyIds.length === 0 ? 0 : 1,
});

let folder: string;
let said: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rind-known-'));
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => said.push(String(text)) > 0);
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(folder, { recursive: true });
});

/** What a run says that has seen this; each run is another day. */
async function run(day: number, seen: SignedClaim): Promise<string> {
  said = [];
  const known = new KnownClaims({ rootPath: join(folder, 'root.json') });
  known.see('demo', seen);
  await known.report(new Date(Date.UTC(2026, 10, day)));
  return said.join('');
}

it('says who signed and since when, and that the recently claimed rest on the online key still', async () => {
  const first = await run(1, claim('recently-claimed', ALICE));
  expect(first).toContain('rests on the online key of the index still');
  const moved = await run(2, claim('claimed', ALICE));
  expect(moved).toBe(
    'demo is signed by its developers (claimed), key aaaaaaaaaaaa, seen here since 2026-11-01\n',
  );
});

it('warns when the keys of a project change, once', async () => {
  await run(1, claim('claimed', ALICE));
  const changed = await run(5, claim('claimed', ALICE, BOB));
  expect(changed).toContain(
    'warning: the keys of demo changed: aaaaaaaaaaaa since 2026-11-01, now aaaaaaaaaaaa, bbbbbbbbbbbb',
  );
  expect(await run(6, claim('claimed', BOB, ALICE))).not.toContain('warning');
});

it('warns when a claimed project is signed by the index alone, and when its owners rest on the online key again', async () => {
  await run(1, claim('claimed', ALICE));
  expect(await run(2, claim('recently-claimed', ALICE))).toContain(
    'rests on the online key of the index again',
  );
  const unclaimed = await run(3, claim('unclaimed'));
  expect(unclaimed).toContain(
    'warning: demo was signed by its developers since 2026-11-01, and now the index signs it alone',
  );
  expect(JSON.parse(await readFile(join(folder, 'claims.json'), 'utf8'))).toEqual({});
});

it('never ends a run for what it cannot read or remember', async () => {
  said = [];
  const known = new KnownClaims({ rootPath: join(folder, 'missing', 'root.json') });
  known.see('demo', claim('claimed', ALICE));
  await known.report(new Date());
  expect(said.join('')).toContain('demo is signed by its developers');
});
