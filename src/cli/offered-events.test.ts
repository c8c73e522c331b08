import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CeremonyFixture, planText } from '../../test/support/ceremony-fixture.ts';
import { ServerFixture } from '../../test/support/server-fixture.ts';
import { verifyBundle } from '../ceremony/bundle.ts';
import { minutesOf } from '../ceremony/ceremony.ts';
import { readFolder } from '../ceremony/durable-folder.ts';
import { EventFolder } from '../ceremony/event-folder.ts';
import { acceptInvitation, readInvitation } from '../ceremony/public-key-file.ts';
import { encodeEventSignature } from '../ceremony/signing-event.ts';
import { writePrivateKeyFile } from '../keys/private-key-file.ts';
import { generatePrivateKey, KeySigner } from '../keys/key-signer.ts';
import { EventClient } from './event-client.ts';
import { eventsFolder, offeredEvents } from './offered-events.ts';
import { fetchEvent } from './remote-events.ts';
import { signEvent } from './sign-event.ts';

let people: CeremonyFixture;
let server: ServerFixture;
let data: string;
let now: Date;
let tokens: Record<'admin' | 'upload', string>;

beforeEach(async () => {
  people = await CeremonyFixture.create(['Ada', 'Grace', 'Joan', 'online', 'Mallory']);
  data = join(people.folder, 'data');
  await mkdir(data);
  now = new Date();
  server = await ServerFixture.start({ signingEvents: offeredEvents(data), clock: () => now });
  tokens = {
    admin: await tokenFile('admin', ['admin']),
    upload: await tokenFile('upload', ['upload']),
  };
});
afterEach(async () => {
  await server.close();
  await people.close();
});

async function tokenFile(name: string, verbs: ('admin' | 'upload')[]): Promise<string> {
  const path = join(people.folder, `${name}.token`);
  // Made at the time of the fixture's clock; valid at ours.
  await writeFile(path, await server.issue({ name, verbs }), { mode: 0o600 });
  return `file:${path}`;
}

const client = (who: 'admin' | 'upload' = 'upload') =>
  new EventClient({ index: server.server.url, token: tokens[who] });
const offer = async (path: string) => client('admin').offer(await readFolder(path));

/** Signs a copy as somebody's own program does, without any check. */
async function signatureOf(path: string, name: string) {
  const { event } = await EventFolder.open(path);
  const signer = people.signer(name);
  const signatures = (await event.sign(signer, now)).map(encodeEventSignature);
  return {
    id: event.id,
    signatures,
    minutes: await minutesOf(event, signer, 'signing', { now, program: 'test' }),
  };
}

describe('signing over the API', () => {
  it('keeps the signatures of two who sign at the same moment, and leaves a bundle that can be imported', async () => {
    const path = await people.event('event', planText(), { now });
    const { id } = await offer(path);
    const both = await Promise.all([signatureOf(path, 'Ada'), signatureOf(path, 'Grace')]);
    await Promise.all(both.map((one) => client().sign(id, one.signatures, one.minutes)));
    const after = await client().event(id.slice(0, 12));
    expect(after.complete).toBe(true);
    // By the address of any of its indexes: a server has one post box.
    const stage = new EventClient({ index: `${server.server.url}index/stage/`, token: tokens.upload });
    expect(await stage.list()).toEqual(await client().list());
    expect(after.quorums[0]).toMatchObject({ role: 'root', signed: ['Ada', 'Grace'], met: true });
    const bundle = await verifyBundle(join(eventsFolder(data), id));
    expect(bundle.minutes.map(({ kind, holder }) => `${kind} ${holder}`)).toContain('signing Grace');

    const copy = join(people.folder, 'fetched');
    await fetchEvent(id, { index: server.server.url, token: tokens.upload, out: copy });
    expect((await verifyBundle(copy)).event.id).toBe(id);
  });

  it('verifies what is handed in before it stores anything', async () => {
    const path = await people.event('event', planText(), { now });
    const other = await people.event('other', planText(), { now });
    const { id } = await offer(path);
    const before = await readFolder(join(eventsFolder(data), id));
    const good = await signatureOf(path, 'Ada');
    const foreign = await signatureOf(other, 'Grace');
    const damaged = good.signatures.map((bytes) =>
      new TextEncoder().encode(new TextDecoder().decode(bytes).replace(/"sig":"../, '"sig":"00')),
    );
    await expect(client().sign(id, foreign.signatures, good.minutes)).rejects.toThrow(/is for event/);
    await expect(client().sign(id, damaged, good.minutes)).rejects.toThrow(/does not verify/);
    await expect(client().sign(id, good.signatures, foreign.minutes)).rejects.toThrow(/another event/);
    await expect(client().sign(id, [new Uint8Array([1])], good.minutes)).rejects.toThrow(/no signature/);
    await expect(client().sign('0'.repeat(64), good.signatures, good.minutes)).rejects.toThrow(/404/);
    now = new Date(now.getTime() + 15 * 86_400_000);
    await expect(client().sign(id, good.signatures, good.minutes)).rejects.toThrow(/\(409\).*closed at/);
    expect(await readFolder(join(eventsFolder(data), id))).toEqual(before);
  });

  it('takes events from administrators only, checked, and nothing beside them', async () => {
    const path = await people.event('event', planText(), { now });
    const files = await readFolder(path);
    await expect(client('upload').offer(files)).rejects.toThrow(/403/);
    expect((await server.get('/api/v1/signing-events')).status).toBe(401);
    const name = 'metadata/../../../escaped.json';
    await client('admin').offer(new Map([...files, [name, new Uint8Array(2)], ['evil', new Uint8Array(2)]]));
    const [id = ''] = await readdir(eventsFolder(data));
    const stored = [...(await readFolder(join(eventsFolder(data), id))).keys()];
    expect(stored.every((one) => /^(candidate\.json|plan|signatures\/.+|minutes\/.+)$/.test(one))).toBe(true);
    expect(await readdir(data)).toEqual(['ceremony']);
    await expect(client('admin').offer(new Map([['candidate.json', new Uint8Array(3)]]))).rejects.toThrow(
      /400/,
    );
    await offer(path);
    expect(await readdir(eventsFolder(data))).toHaveLength(1);
  });

  it('passes invitations on, and stores an acceptance only with its proof', async () => {
    const { nonce, invitation } = await client('admin').invite('Ada', 'root');
    const read = readInvitation(Buffer.from(invitation, 'base64'));
    const stolen = await acceptInvitation({ ...read, holder: 'Mallory' }, people.signer('Mallory'));
    await expect(client().accept(nonce, stolen)).rejects.toThrow(/another invitation/);
    const proof = await acceptInvitation(read, people.signer('Ada'));
    const forged = new TextEncoder().encode(
      new TextDecoder().decode(proof).replace(/"sig":"../, '"sig":"00'),
    );
    await expect(client().accept(nonce, forged)).rejects.toThrow(/did not prove/);
    await client().accept(nonce, proof);
    await expect(client().accept(nonce, proof)).rejects.toThrow(/accepted already/);
    expect((await client('admin').invitations())[0]).toMatchObject({
      holder: 'Ada',
      acceptance: expect.any(String) as string,
    });
    await expect(client('upload').invite('Eve', 'root')).rejects.toThrow(/403/);
  });
});

describe('an invitation', () => {
  it('is not shown to whoever was not told its number, so that nobody answers it in her place', async () => {
    const { nonce } = await client('admin').invite('Ada', 'root');
    await expect(client('upload').invitations()).rejects.toThrow(/403/);
    await expect(client('upload').invitation('0'.repeat(32))).rejects.toThrow(/404/);
    expect(await client('upload').invitation(nonce)).toMatchObject({ holder: 'Ada', acceptance: null });
    const { db } = server.index;
    const audited = await db.selectFrom('audit_log').selectAll().execute();
    expect(JSON.stringify(audited)).not.toContain(nonce);
  });
});

describe('rind sign --index', () => {
  const key = () => `file2:${join(people.folder, 'ada.json')}`;
  const options = (more: object = {}) => ({
    index: server.server.url,
    token: tokens.upload,
    key: key(),
    secret: `file:${join(people.folder, 'passphrase')}`,
    answers: join(people.folder, 'answers.toml'),
    ...more,
  });
  beforeEach(async () => {
    const privateKey = await generatePrivateKey('ed25519');
    people.signers.set('Ada', KeySigner.fromPrivateKey(privateKey));
    await writePrivateKeyFile(join(people.folder, 'ada.json'), privateKey, 'secret');
    await writeFile(join(people.folder, 'passphrase'), 'secret', { mode: 0o600 });
    await writeFile(join(people.folder, 'answers.toml'), '');
  });

  it('signs what the signer was told of, and the index has it', async () => {
    const { id } = await offer(await people.event('event', planText({ rootThreshold: 1 }), { now }));
    await signEvent(undefined, options({ first: true, event: id.slice(0, 12) }));
    expect((await client().event(id)).quorums[0]).toMatchObject({ signed: ['Ada'] });
  });

  it('refuses another event than the one she was told of, and a history that is not her own', async () => {
    const path = await people.event('event', planText({ rootThreshold: 1 }), { now });
    const { id } = await offer(path);
    await expect(signEvent(undefined, options({ first: true, event: '0123456789ab' }))).rejects.toMatchObject(
      { code: 'OTHER_EVENT' },
    );
    // Her own root is of another repository: the index began a new one behind her back.
    await expect(signEvent(undefined, options({ event: id }))).rejects.toThrow(
      /Name the root that you trust/,
    );
    const own = join(people.folder, 'own');
    await cp(await people.event('mine', planText({ present: ['Grace', 'Joan'], rootThreshold: 1 }), { now }), own, { recursive: true }); // prettier-ignore
    await (await EventFolder.open(own)).sealWhenComplete(now);
    const trusted = join(own, 'metadata', '1.root.json');
    expect((await readFile(trusted)).length).toBeGreaterThan(100);
    await expect(signEvent(id, options({ event: id, trusted }))).rejects.toMatchObject({
      code: 'WRONG_BASE',
    });
    expect((await client().event(id)).quorums[0]).toMatchObject({ signed: [] });
  });

  it('refuses an event whose files the index exchanged', async () => {
    const { id } = await offer(await people.event('event', planText({ rootThreshold: 1 }), { now }));
    const swapped = await people.event('swapped', planText({ holders: ['Ada', 'Mallory'], rootThreshold: 1 }), { now }); // prettier-ignore
    await rm(join(eventsFolder(data), id), { recursive: true });
    await cp(swapped, join(eventsFolder(data), id), { recursive: true });
    await expect(signEvent(undefined, options({ first: true, event: id }))).rejects.toMatchObject({
      code: 'OTHER_EVENT',
    });
  });
});
