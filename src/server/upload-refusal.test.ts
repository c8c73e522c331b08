import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { makeSdist, makeWheel } from '../../test/tools/distribution.ts';
import {
  contentPart,
  formFields,
  multipart,
  MULTIPART,
  ServerFixture,
  uploadForm,
  type Field,
  type FilePart,
} from '../../test/support/server-fixture.ts';
import { ensureProject, setProjectStatus } from '../db/projects.ts';

const wheel = makeWheel({ name: 'Cheese.Shop', version: '1.0' });

let server: ServerFixture;
beforeAll(async () => {
  server = await ServerFixture.start({
    limits: { maxFileSize: 200_000, maxFieldSize: 5_000, maxFieldsSize: 8_000, maxFields: 40 },
  });
});
afterAll(() => server.close());

describe('a refused upload', () => {
  const sdist = makeSdist({ name: 'refused', version: '1.0' });
  const bad: readonly (readonly [string, () => Promise<(Field | FilePart)[]>, number, string | RegExp])[] = [
    [
      'no file',
      async () => formFields(sdist),
      400,
      'The field content, the distribution file, is missing from the form.',
    ],
    [
      'content as text',
      async () => [...(await formFields(sdist)), ['content', 'text']],
      400,
      'The field content must be a file with a filename.',
    ],
    [
      'two files',
      async () => [...(await uploadForm(sdist)), contentPart(sdist)],
      400,
      'The form has more than one file.',
    ],
    [
      'three files',
      async () => [...(await uploadForm(sdist)), contentPart(sdist), contentPart(sdist)],
      400,
      'The form has more than one file.',
    ],
    [
      'a text field sent as a file',
      async () => [
        { name: 'name', filename: 'x', bytes: Buffer.from('refused') },
        ...(await uploadForm(sdist, { name: undefined })),
      ],
      400,
      'The field name must be text and not a file.',
    ],
    [
      'another action',
      () => uploadForm(sdist, { ':action': 'submit' }),
      400,
      "The action 'submit' is not supported.",
    ],
    [
      'another protocol',
      () => uploadForm(sdist, { protocol_version: '2' }),
      400,
      'Unknown protocol version: only 1 is supported.',
    ],
    [
      'no name',
      () => uploadForm(sdist, { name: undefined }),
      400,
      'Invalid metadata: the field Name is missing.',
    ],
    [
      'no version',
      () => uploadForm(sdist, { version: '' }),
      400,
      'Invalid metadata: the field Version is missing.',
    ],
    [
      'no filetype',
      () => uploadForm(sdist, { filetype: undefined }),
      400,
      'The field filetype is missing from the form.',
    ],
    [
      'an egg',
      () => uploadForm(sdist, { filetype: 'bdist_egg' }),
      400,
      "Invalid filetype 'bdist_egg': only 'bdist_wheel' and 'sdist' are accepted.",
    ],
    [
      'the filetype of a wheel',
      () => uploadForm(sdist, { filetype: 'bdist_wheel', pyversion: 'py3' }),
      400,
      "The filetype of the form is bdist_wheel, but 'refused-1.0.tar.gz' is a sdist.",
    ],
    [
      'a name twice',
      async () => [['name', 'refused'], ...(await uploadForm(sdist))],
      400,
      'The field name is given more than once.',
    ],
    [
      'another name',
      () => uploadForm(sdist, { name: 'other' }),
      400,
      "The form says the name is 'other', but the filename 'refused-1.0.tar.gz' says 'refused'.",
    ],
    [
      'a name that is markup',
      () => uploadForm(sdist, { name: '<img onerror=x>' }),
      400,
      /^Invalid project name '<img onerror=x>'/,
    ],
    [
      'another version',
      () => uploadForm(sdist, { version: '1.1' }),
      400,
      "The form says the version is '1.1', but the filename 'refused-1.0.tar.gz' says '1.0'.",
    ],
    ['no version at all', () => uploadForm(sdist, { version: 'latest' }), 400, /^Invalid version 'latest'/],
    [
      'no digest',
      () => uploadForm(sdist, { sha256_digest: undefined, blake2_256_digest: undefined }),
      400,
      /^The form names no digest/,
    ],
    [
      'a digest of the wrong length',
      () => uploadForm(sdist, { sha256_digest: 'abc' }),
      400,
      'The field sha256_digest is not a digest of 64 hexadecimal digits.',
    ],
    [
      'a wrong sha256',
      () => uploadForm(sdist, { sha256_digest: '0'.repeat(64) }),
      400,
      /^The sha256 digest does not match: the form says 0{64}, the file received has [0-9a-f]{64}\.$/,
    ],
    [
      'a wrong BLAKE2b',
      () => uploadForm(sdist, { blake2_256_digest: '0'.repeat(64) }),
      400,
      /^The BLAKE2b-256 digest does not match/,
    ],
    [
      'a wrong md5 beside right ones',
      () => uploadForm(sdist, { md5_digest: '0'.repeat(32) }),
      400,
      /^The md5 digest does not match/,
    ],
    [
      'a folder in the filename',
      () => uploadForm({ ...sdist, filename: '../refused-1.0.tar.gz' }),
      400,
      /^Invalid filename '\.\.\/refused-1\.0\.tar\.gz'/,
    ],
    [
      'an extension nobody installs',
      () => uploadForm({ ...sdist, filename: 'refused-1.0.exe' }),
      400,
      "Invalid filename 'refused-1.0.exe': the extension must be '.whl' or '.tar.gz'.",
    ],
    [
      'an archive that is none',
      () => uploadForm({ ...sdist, bytes: Buffer.from('hello') }),
      400,
      /^Invalid distribution: /,
    ],
    ['an empty file', () => uploadForm({ ...sdist, bytes: Buffer.alloc(0) }), 400, /^Invalid distribution: /],
    [
      'a wheel cut in half',
      () =>
        uploadForm({
          ...wheel,
          bytes: wheel.bytes.subarray(0, wheel.bytes.length / 2),
          name: 'cheese_shop',
          filename: 'cheese_shop-1.0-py2-none-any.whl',
        }),
      400,
      /^Invalid distribution: /,
    ],
    [
      'an archive of another project',
      () => uploadForm({ ...sdist, filename: 'renamed-1.0.tar.gz', name: 'renamed' }),
      400,
      /^Invalid distribution: /,
    ],
    [
      'requirements the archive does not have',
      () => uploadForm(sdist, { requires_dist: 'evil' }),
      400,
      'The field Requires-Dist of the form is not what the metadata in the file says.',
    ],
    [
      'a Python the archive does not ask for',
      () => uploadForm(sdist, { requires_python: '>=3.99' }),
      400,
      'The field Requires-Python of the form is not what the metadata in the file says.',
    ],
    [
      'a field that is too long',
      () => uploadForm(sdist, { description: 'x'.repeat(5_001) }),
      400,
      'The field description makes the form too long.',
    ],
    [
      'fields that are too long together',
      () => uploadForm(sdist, { description: 'x'.repeat(4_000), license: 'x'.repeat(4_000) }),
      400,
      'The field license makes the form too long.',
    ],
    [
      'too many fields',
      async () => [
        ...Array.from({ length: 50 }, (_, i): Field => [`f${i}`, 'x']),
        ...(await uploadForm(sdist)),
      ],
      400,
      'The form has more than 40 fields.',
    ],
    [
      'a file that is too large',
      () => uploadForm(makeSdist({ name: 'refused', version: '1.0', padding: 300_000 })),
      413,
      'The file is too large: this index takes files up to 200000 bytes.',
    ],
  ];

  let before: Awaited<ReturnType<ServerFixture['leftovers']>>;
  beforeEach(async () => {
    before = await server.leftovers();
  });

  it.each(bad)(
    '(%s) says why in the reason phrase and the body, and leaves nothing',
    async (_, parts, status, reason) => {
      const answer = await server.post(await parts());
      if (typeof reason === 'string') expect(answer.reason).toBe(reason);
      else expect(answer.reason).toMatch(reason);
      expect(answer.status).toBe(status);
      expect(answer.text).toContain(answer.reason);
      expect(answer.headers['content-type']).toBe('text/plain; charset=utf-8');
      expect(await server.leftovers()).toEqual(before);
      expect((await server.get('/simple/refused/')).status).toBe(404);
    },
  );

  it.each([
    ['application/json', 'twine/7', 'application/json'],
    ['application/json;q=0.9, text/plain;q=0.8, text/html;q=0.7', 'uv/0.9', 'application/problem+json'],
    ['application/problem+json', 'curl', 'application/problem+json'],
    ['*/*', 'twine/7', 'text/plain; charset=utf-8'],
  ])('is shown to %s of %s as %s', async (accept, agent, type) => {
    const answer = await server.post(await uploadForm(sdist, { name: 'other' }), {
      Accept: accept,
      'User-Agent': agent,
    });
    const detail = "The form says the name is 'other', but the filename 'refused-1.0.tar.gz' says 'refused'.";
    expect(answer.headers['content-type']).toBe(type);
    if (type === 'application/json') {
      expect(JSON.parse(answer.text)).toEqual({ message: detail, code: `400 ${detail}`, title: 'Refused' });
    } else if (type === 'application/problem+json') {
      expect(JSON.parse(answer.text)).toMatchObject({
        type: 'about:blank',
        status: 400,
        title: 'Refused',
        detail,
      });
    } else {
      expect(answer.text).toBe(`400 Refused\n\n${detail}\n`);
    }
  });

  it('keeps what cannot stand in a reason phrase out of it', async () => {
    const answer = await server.post(
      await uploadForm(sdist, { name: 'caf\u00e9\r\nSet-Cookie: x=1 \u{1f9c0}' }),
    );
    expect(answer.status).toBe(400);
    expect(answer.headers['set-cookie']).toBeUndefined();
    expect(answer.reason).toMatch(/^[ -~]+$/);
  });

  it('to a project that is archived or quarantined names the state', async () => {
    const { db, index, now } = server.index;
    const project = await ensureProject(db, {
      indexId: index.id,
      name: 'closed',
      displayName: 'closed',
      now,
    });
    for (const status of ['archived', 'quarantined']) {
      await setProjectStatus(db, project.id, status, undefined);
      const answer = await server.upload(makeSdist({ name: 'closed', version: '1' }));
      expect([answer.status, answer.reason]).toEqual([
        403,
        `The project 'closed' is ${status} and takes no uploads.`,
      ]);
    }
  });

  it('does not end the connection: the next request on it is served', async () => {
    const body = multipart(await uploadForm(sdist, { name: 'other' }));
    const head = `POST /legacy/ HTTP/1.1\r\nHost: x\r\nAuthorization: ${server.authorization}\r\nContent-Type: ${MULTIPART}\r\nContent-Length: ${body.length}\r\n\r\n`;
    const text = await server.talk([
      head,
      body,
      'GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
    ]);
    expect(text).toContain('HTTP/1.1 400 The form says the name');
    expect(text).toMatch(/HTTP\/1\.1 200 OK[^]*ok\n$/);
  });
});
