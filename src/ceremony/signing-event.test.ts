import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CeremonyFixture, planText } from '../../test/support/ceremony-fixture.ts';
import { generatePrivateKey, KeySigner } from '../keys/key-signer.ts';
import { verifyBundle } from './bundle.ts';
import { describeChanges, viewFrom } from './diff.ts';
import { writeFolderOnce } from './durable-folder.ts';
import { EventFolder } from './event-folder.ts';
import { acceptInvitation, encodeInvitation, readInvitation, readPublicKeyFile } from './public-key-file.ts';
import { readEventSignature, encodeEventSignature } from './signing-event.ts';

const now = new Date('2026-03-01T12:00:00Z');
const later = new Date('2026-04-01T12:00:00Z');
const program = 'rind test';
let fixture: CeremonyFixture;
beforeEach(async () => {
  fixture = await CeremonyFixture.create(['Ada', 'Grace', 'Joan', 'online', 'Mallory']);
});
afterEach(() => fixture.close());

const sign = async (path: string, name: string, at = now) =>
  (await EventFolder.open(path)).sign(fixture.signer(name), { now: at, program });
const statusOf = async (path: string) => (await EventFolder.open(path)).event.status(now);

describe('a ceremony with three root holders at threshold two', () => {
  it('signs targets, claimed and bins with one-time keys that are nowhere in its files, and waits for root', async () => {
    const files = await fixture.hold(planText(), { now });
    const names = [...files.keys()];
    expect(
      names
        .filter((name) => name.startsWith('signatures/'))
        .map((name) => name.split('/')[1]!.split('.')[0]!)
        .toSorted((a, b) => a.localeCompare(b)),
    ).toEqual(
      ['bins', 'bins', 'claimed', 'claimed', 'targets', 'targets'], // prettier-ignore
    );
    const all = [...files.values()].map((bytes) => new TextDecoder().decode(bytes)).join('');
    expect(all).not.toMatch(/PRIVATE|ciphertext|"d"/);
    await writeFolderOnce(join(fixture.folder, 'event'), files);
    const { quorums, complete } = await statusOf(join(fixture.folder, 'event'));
    expect(complete).toBe(false);
    expect(quorums.filter(({ met }) => !met)).toMatchObject([
      { role: 'root', by: 'new', threshold: 2, signed: [] },
    ]);
    expect(quorums[0]!.missing.map(({ name }) => name)).toEqual(['Ada', 'Grace', 'Joan']);
  });

  it('is complete when two of them signed, apart and at the same time, in copies of the folder', async () => {
    const path = await fixture.event('event', planText(), { now });
    const [ada, grace] = [join(fixture.folder, 'ada'), join(fixture.folder, 'grace')];
    await cp(path, ada, { recursive: true });
    await cp(path, grace, { recursive: true });
    await Promise.all([sign(ada, 'Ada'), sign(grace, 'Grace')]);
    await expect(verifyBundle(path)).rejects.toMatchObject({ code: 'EVENT_INCOMPLETE' });
    for (const copy of [ada, grace])
      expect(await (await EventFolder.open(path)).merge(await EventFolder.open(copy), now)).toBe(1);
    const bundle = await verifyBundle(path);
    expect(bundle.metadata.get('root')!.signatures).toHaveLength(2);
    expect(bundle.roles.root.signed.version).toBe(1);
    expect(bundle.minutes.map(({ kind, holder }) => `${kind} ${holder}`).toSorted()).toEqual([
      'opening one-time key of targets',
      'signing Ada',
      'signing Grace',
    ]);
    expect(bundle.minutes.find(({ kind }) => kind === 'opening')!.discarded).toHaveLength(6);
    await expect(sign(path, 'Joan')).rejects.toMatchObject({ code: 'FOLDER_EXISTS' });
  });

  it('keeps both signatures when two processes sign the same folder at once', async () => {
    const path = await fixture.event('event', planText({ rootThreshold: 3 }), { now });
    await Promise.all([sign(path, 'Ada'), sign(path, 'Grace')]);
    expect((await statusOf(path)).quorums[0]!.signed.map(({ name }) => name)).toEqual(['Ada', 'Grace']);
  });

  it('goes on where it was left: who signs twice changes nothing', async () => {
    const path = await fixture.event('event', planText(), { now });
    await sign(path, 'Ada');
    const before = await readFile(join(path, 'signatures', `root.${fixture.signer('Ada').key.keyId}.json`));
    expect(await sign(path, 'Ada')).toMatchObject({ complete: false });
    expect(await readFile(join(path, 'signatures', `root.${fixture.signer('Ada').key.keyId}.json`))).toEqual(
      before,
    );
    expect(await sign(path, 'Joan')).toMatchObject({ complete: true });
  });

  it('never overwrites a folder', async () => {
    await fixture.event('event', planText(), { now });
    await expect(fixture.event('event', planText(), { now })).rejects.toMatchObject({
      code: 'FOLDER_EXISTS',
    });
  });
});

describe('refuses with a sentence and changes nothing:', () => {
  it('a key that is none of the event', async () => {
    const path = await fixture.event('event', planText(), { now });
    await expect(sign(path, 'Mallory')).rejects.toMatchObject({ code: 'WRONG_KEY' });
    await expect(sign(path, 'online')).rejects.toMatchObject({ code: 'WRONG_KEY' });
  });

  it('a signature after the deadline, also one that is brought', async () => {
    const path = await fixture.event('event', planText(), { now });
    const copy = join(fixture.folder, 'copy');
    await cp(path, copy, { recursive: true });
    await sign(copy, 'Ada');
    await expect(sign(path, 'Ada', later)).rejects.toThrow(/signing window closed at 2026-03-15T12:00:00Z/);
    const merge = async () => (await EventFolder.open(path)).merge(await EventFolder.open(copy), later);
    await expect(merge()).rejects.toMatchObject({ code: 'EVENT_EXPIRED' });
    expect((await statusOf(path)).quorums[0]!.signed).toEqual([]);
  });

  it('a signature for another event', async () => {
    const path = await fixture.event('event', planText(), { now });
    const other = await fixture.event('other', planText(), { now });
    await sign(other, 'Ada');
    const merge = async () => (await EventFolder.open(path)).merge(await EventFolder.open(other), now);
    await expect(merge()).rejects.toMatchObject({ code: 'OTHER_EVENT' });
    const name = `root.${fixture.signer('Ada').key.keyId}.json`;
    await cp(join(other, 'signatures', name), join(path, 'signatures', name));
    await expect(EventFolder.open(path)).rejects.toMatchObject({ code: 'OTHER_EVENT' });
  });

  it('a signature that was damaged, over something else, or for a role that nobody signs', async () => {
    const path = await fixture.event('event', planText(), { now });
    const { event } = await EventFolder.open(path);
    const [good] = await (await EventFolder.open(path)).event.sign(fixture.signer('Ada'), now);
    const text = new TextDecoder().decode(encodeEventSignature(good!));
    const altered = readEventSignature(new TextEncoder().encode(text.replace(/"sig":"../, '"sig":"00')));
    await expect(event.add(altered, now)).rejects.toMatchObject({ code: 'WRONG_SIGNATURE' });
    expect(() => readEventSignature(new TextEncoder().encode(text.replace('"root"', '"snapshot"')))).toThrow(
      /no ceremony signs/,
    );
    expect(() => readEventSignature(new TextEncoder().encode(text.slice(0, 40)))).toThrow(
      /Have it sent again/,
    );
    await expect(event.add({ ...good!, role: 'bins' }, now)).rejects.toMatchObject({ code: 'WRONG_KEY' });
  });

  it.each([
    ['candidate.json', (text: string) => text.replace('"team"', '"pypi"')],
    ['plan', (text: string) => text.replace('256', '512')],
    ['metadata/1.root.json', (text: string) => text.replace('"threshold":2', '"threshold":1')],
    ['metadata/1.bins.json', (text: string) => text.replace('"version":1', '"version":2')],
    ['manifest.json', (text: string) => text.replace(/"sha256":"../, '"sha256":"zz')],
  ])('a bundle whose %s was changed', async (name, change) => {
    const path = await fixture.event('event', planText({ present: ['Ada', 'Grace'] }), { now });
    await (await EventFolder.open(path)).sealWhenComplete(now);
    await verifyBundle(path);
    const text = await readFile(join(path, name), 'utf8');
    expect(change(text)).not.toBe(text);
    await writeFile(join(path, name), change(text));
    await expect(verifyBundle(path)).rejects.toMatchObject({ name: 'CeremonyError' });
  });

  it('a bundle with a file more', async () => {
    const path = await fixture.event('event', planText({ present: ['Ada', 'Grace'] }), { now });
    await (await EventFolder.open(path)).sealWhenComplete(now);
    await writeFile(join(path, 'metadata', '2.root.json'), '{}');
    await expect(verifyBundle(path)).rejects.toMatchObject({ code: 'TAMPERED' });
  });

  it('a plan in which the online key is an offline one, or two holders have the same key', async () => {
    await expect(fixture.hold(planText({ online: ['Ada'] }), { now })).rejects.toThrow(
      /online key stands among the keys of root/,
    );
    fixture.signers.set('Grace', fixture.signer('Ada'));
    await expect(fixture.hold(planText(), { now })).rejects.toThrow(/Grace and Ada have the same key/);
  });
});

it('takes keys whose public half is PEM through every file', async () => {
  for (const name of ['Ada', 'Grace', 'Joan', 'online'])
    fixture.signers.set(name, KeySigner.fromPrivateKey(await generatePrivateKey('ecdsa-sha2-nistp256')));
  const path = await fixture.event('event', planText(), { now });
  await sign(path, 'Ada');
  expect(await sign(path, 'Joan')).toMatchObject({ complete: true });
  expect((await verifyBundle(path)).roles.root.signed.version).toBe(1);
});

describe('an invitation', () => {
  it('is accepted with a proof that only the holder of the key can give', async () => {
    const invitation = { holder: 'Ada', role: 'root', nonce: '00ff' };
    const accepted = await acceptInvitation(
      readInvitation(encodeInvitation(invitation)),
      fixture.signer('Ada'),
    );
    expect(await readPublicKeyFile(accepted)).toMatchObject({
      invitation,
      key: { keyId: fixture.signer('Ada').key.keyId },
    });
    const stolen = new TextDecoder()
      .decode(accepted)
      .replaceAll(fixture.signer('Ada').key.public, fixture.signer('Mallory').key.public);
    await expect(readPublicKeyFile(new TextEncoder().encode(stolen))).rejects.toMatchObject({
      code: 'WRONG_SIGNATURE',
    });
    const moved = new TextDecoder().decode(accepted).replace('"role":"root"', '"role":"bins"');
    await expect(readPublicKeyFile(new TextEncoder().encode(moved))).rejects.toMatchObject({
      code: 'WRONG_SIGNATURE',
    });
  });
});

describe('a renewal', () => {
  const first = async () => {
    const path = await fixture.event('first', planText({ present: ['Ada', 'Grace'] }), { now });
    await (await EventFolder.open(path)).sealWhenComplete(now);
    return verifyBundle(path);
  };

  it('counts the thresholds of the old and of the new root apart', async () => {
    const { roles } = await first();
    for (const name of ['Edsger', 'Barbara']) await fixture.addKey(name);
    const path = await fixture.event('second', planText({ holders: ['Ada', 'Edsger', 'Barbara'] }), {
      now,
      base: roles,
    });
    await sign(path, 'Edsger');
    await sign(path, 'Barbara');
    const quorums = (await statusOf(path)).quorums.filter(({ role }) => role === 'root');
    expect(quorums).toMatchObject([
      { by: 'old', met: false },
      { by: 'new', met: true },
    ]);
    await sign(path, 'Ada');
    expect(await sign(path, 'Joan')).toMatchObject({ complete: true });
    const bundle = await verifyBundle(path);
    expect(bundle.roles.roots.map(({ signed }) => signed.version)).toEqual([1, 2]);
    expect(bundle.metadata.get('root')!.signatures).toHaveLength(4);
  });

  it('tells a signer what changes against the root that she pinned, and refuses another history', async () => {
    const { roles } = await first();
    await fixture.addKey('Edsger');
    const plan = planText({
      holders: ['Ada', 'Grace', 'Edsger'],
      rootThreshold: 3,
      bins: 512,
      layout: 'succinct_roles',
    });
    const { event } = await EventFolder.open(await fixture.event('second', plan, { now, base: roles }));
    const view = await viewFrom(roles.root.toBytes(), event.base);
    const text = describeChanges(event.candidate, event.base, view).join('\n');
    expect(text).toContain('root: version 2 (was 1)');
    expect(text).toContain('root: 3 of 3 must sign (was 2 of 3)');
    expect(text).toContain(`  + Edsger (${fixture.signer('Edsger').key.keyId})`);
    expect(text).toContain(`(${fixture.signer('Joan').key.keyId})`);
    expect(text).toContain('bins: 512 bins by succinct_roles (was 256 by path_hash_prefixes)');
    const stranger = await fixture.event('stranger', planText({ present: ['Ada', 'Grace'] }), {
      now: new Date('2026-02-01T00:00:00Z'),
    });
    await (await EventFolder.open(stranger)).sealWhenComplete(now);
    const other = (await verifyBundle(stranger)).roles.root.toBytes();
    await expect(viewFrom(other, event.base)).rejects.toMatchObject({ code: 'WRONG_BASE' });
  });

  it('of bins alone needs no root signature when their keys were kept', async () => {
    await fixture.addKey('Bea');
    const path = await fixture.event('first', planText({ present: ['Ada', 'Grace'], binsHolders: ['Bea'] }), {
      now,
    });
    await (await EventFolder.open(path)).sealWhenComplete(now);
    const { roles } = await verifyBundle(path);
    const plan = planText({ binsHolders: ['Bea'], bins: 1024 });
    const second = await fixture.event('second', plan, { now, base: roles, only: ['bins'] });
    expect(await (await EventFolder.open(second)).sealWhenComplete(now)).toMatchObject({ complete: true });
    const bundle = await verifyBundle(second);
    expect([...bundle.metadata.keys()]).toEqual(['bins']);
    expect(bundle.roles.bins.signed.version).toBe(2);
  });
});
