import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { makeSdist, makeWheel, type Distribution } from '../../test/tools/distribution.ts';
import {
  contentPart,
  formFields,
  multipart,
  MULTIPART,
  ServerFixture,
  type Field,
  type FilePart,
} from '../../test/support/server-fixture.ts';
import { revokeToken } from '../db/tokens.ts';
import { ensureProject, setProjectStatus } from '../db/projects.ts';

const JSON_PAGE = { Accept: 'application/vnd.pypi.simple.v1+json' };
const wheel = makeWheel({ name: 'Cheese.Shop', version: '1.0' });

let server: ServerFixture;
beforeAll(async () => {
  server = await ServerFixture.start({
    limits: {
      maxFileSize: 200_000,
      maxFieldSize: 5_000,
      maxFieldsSize: 8_000,
      maxFields: 40,
      idleTimeout: 2000,
    },
  });
});
afterAll(() => server.close());

function withField(fields: readonly Field[], name: string, value: string | undefined): Field[] {
  const rest = fields.filter(([field]) => field !== name);
  return value === undefined ? rest : [...rest, [name, value]];
}

/** A form for the file with all digests right, but other fields as given. */
async function form(
  distribution: Distribution,
  changes: Readonly<Record<string, string | undefined>> = {},
): Promise<(Field | FilePart)[]> {
  let fields: Field[] = await formFields(distribution);
  for (const [name, value] of Object.entries(changes)) fields = withField(fields, name, value);
  return [...fields, contentPart(distribution)];
}

describe('an upload', () => {
  it('is in the signed page, with its metadata, when the answer is 200', async () => {
    const answer = await server.upload(wheel);
    expect(answer.text).toBe('cheese_shop-1.0-py3-none-any.whl is stored, signed and public.\n');
    expect(answer.status).toBe(200);
    const page = await server.get('/simple/cheese-shop/', JSON_PAGE);
    const { files } = JSON.parse(page.text) as {
      files: {
        filename: string;
        url: string;
        hashes: { sha256: string };
        'core-metadata': { sha256: string };
      }[];
    };
    expect(files.map(({ filename }) => filename)).toEqual([wheel.filename]);
    const [file] = files;
    expect(file?.hashes.sha256).toBe(createHash('sha256').update(wheel.bytes).digest('hex'));
    const { pathname } = new URL(file?.url ?? '', 'http://host/simple/cheese-shop/');
    expect((await server.get(pathname)).body.equals(wheel.bytes)).toBe(true);
    const metadata = await server.get(`${pathname}.metadata`);
    expect(metadata.text).toContain('Name: Cheese.Shop\nVersion: 1.0\n');
    expect(file?.['core-metadata'].sha256).toBe(createHash('sha256').update(metadata.body).digest('hex'));
  });

  it('of the same file again is answered 200 and changes nothing', async () => {
    await server.upload(wheel);
    const before = await server.get('/metadata/timestamp.json');
    const again = await server.upload(wheel);
    expect(again.status).toBe(200);
    expect(again.text).toContain('It was here before.');
    expect((await server.get('/metadata/timestamp.json')).body.equals(before.body)).toBe(true);
  });

  it('of another file under the same name is refused in the words that --skip-existing looks for', async () => {
    await server.upload(wheel);
    const other = await server.upload(makeWheel({ name: 'Cheese.Shop', version: '1.0', build: 'evil' }));
    expect(other.status).toBe(400);
    expect(other.reason).toMatch(
      /^File already exists \('cheese_shop-1\.0-py3-none-any\.whl', with blake2_256 hash '[0-9a-f]{64}'\)/,
    );
  });

  it('of another spelling of a stored filename is refused', async () => {
    await server.upload(makeSdist({ name: 'spelling', version: '1.0' }));
    const shifted = makeSdist({ name: 'spelling', version: '1.0.0' });
    const answer = await server.upload(shifted);
    expect(answer.status).toBe(400);
    expect(answer.reason).toBe(
      "File already exists ('spelling-1.0.tar.gz'): 'spelling-1.0.0.tar.gz' is only another spelling of it.",
    );
  });

  it('works without the last slash, because twine follows no redirect', async () => {
    const answer = await server.post(
      await form(makeSdist({ name: 'slashless', version: '1' })),
      {},
      '/legacy',
    );
    expect(answer.status).toBe(200);
  });

  it('may have its file before, between and after the fields', async () => {
    for (const [version, place] of [
      ['1', 0],
      ['2', 4],
      ['3', 10],
    ] as const) {
      const distribution = makeSdist({ name: 'anywhere', version });
      const fields: (Field | FilePart)[] = await formFields(distribution);
      fields.splice(place, 0, contentPart(distribution));
      expect((await server.post(fields)).status).toBe(200);
    }
  });

  it('may carry fields that nobody knows, empty ones, UNKNOWN and an old signature', async () => {
    const distribution = makeSdist({ name: 'lenient', version: '1' });
    const parts = await form(distribution, {
      home_page: 'UNKNOWN',
      license: '',
      x_unknown: 'x',
      __proto__x: 'y',
    });
    parts.unshift({ name: 'gpg_signature', filename: 'lenient-1.tar.gz.asc', bytes: Buffer.from('sig') });
    parts.push(['__proto__', 'polluted'], ['constructor', 'polluted']);
    expect((await server.post(parts)).status).toBe(200);
  });

  it('of one file by ten clients at once is stored once, and all are told so', async () => {
    const distribution = makeWheel({ name: 'rush', version: '1' });
    const answers = await Promise.all(Array.from({ length: 10 }, () => server.upload(distribution)));
    expect(answers.map(({ status }) => status)).toEqual(Array(10).fill(200));
    const page = await server.get('/simple/rush/', JSON_PAGE);
    expect((JSON.parse(page.text) as { files: unknown[] }).files).toHaveLength(1);
  });

  it('of ten different files under one name by ten clients at once: one wins, the others are told', async () => {
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, build) =>
        server.upload(makeWheel({ name: 'race', version: '1', build: String(build) })),
      ),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    const lost = answers.filter(({ status }) => status === 400);
    expect(lost).toHaveLength(9);
    for (const { reason } of lost) expect(reason).toMatch(/^File already exists/);
  });

  it('that waits too long for its signature is told to come again, and then joins the waiting one', async () => {
    const slow = await ServerFixture.start({ limits: { publicationTimeout: 50 } });
    try {
      slow.queue.held = true;
      const distribution = makeWheel({ name: 'patience', version: '1' });
      const first = await slow.upload(distribution);
      expect(first.status).toBe(503);
      expect(first.headers['retry-after']).toBe('5');
      expect(first.reason).toBe(
        'patience-1-py3-none-any.whl is stored, not yet signed: upload it again to wait for the signature.',
      );
      expect((await slow.get('/simple/patience/')).status).toBe(404);
      expect((await slow.upload(distribution)).status).toBe(503);
      slow.queue.held = false;
      const last = await slow.upload(distribution);
      expect(last.status).toBe(200);
      expect((await slow.get('/simple/patience/', JSON_PAGE)).text).toContain(distribution.filename);
    } finally {
      await slow.close();
    }
  });
});

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
      async () => [...(await form(sdist)), contentPart(sdist)],
      400,
      'The form has more than one file.',
    ],
    [
      'three files',
      async () => [...(await form(sdist)), contentPart(sdist), contentPart(sdist)],
      400,
      'The form has more than one file.',
    ],
    [
      'a text field sent as a file',
      async () => [
        { name: 'name', filename: 'x', bytes: Buffer.from('refused') },
        ...(await form(sdist, { name: undefined })),
      ],
      400,
      'The field name must be text and not a file.',
    ],
    [
      'another action',
      () => form(sdist, { ':action': 'submit' }),
      400,
      "The action 'submit' is not supported.",
    ],
    [
      'another protocol',
      () => form(sdist, { protocol_version: '2' }),
      400,
      'Unknown protocol version: only 1 is supported.',
    ],
    ['no name', () => form(sdist, { name: undefined }), 400, 'Invalid metadata: the field Name is missing.'],
    [
      'no version',
      () => form(sdist, { version: '' }),
      400,
      'Invalid metadata: the field Version is missing.',
    ],
    [
      'no filetype',
      () => form(sdist, { filetype: undefined }),
      400,
      'The field filetype is missing from the form.',
    ],
    [
      'an egg',
      () => form(sdist, { filetype: 'bdist_egg' }),
      400,
      "Invalid filetype 'bdist_egg': only 'bdist_wheel' and 'sdist' are accepted.",
    ],
    [
      'the filetype of a wheel',
      () => form(sdist, { filetype: 'bdist_wheel', pyversion: 'py3' }),
      400,
      "The filetype of the form is bdist_wheel, but 'refused-1.0.tar.gz' is a sdist.",
    ],
    [
      'a name twice',
      async () => [['name', 'refused'], ...(await form(sdist))],
      400,
      'The field name is given more than once.',
    ],
    [
      'another name',
      () => form(sdist, { name: 'other' }),
      400,
      "The form says the name is 'other', but the filename 'refused-1.0.tar.gz' says 'refused'.",
    ],
    [
      'a name that is markup',
      () => form(sdist, { name: '<img onerror=x>' }),
      400,
      /^Invalid project name '<img onerror=x>'/,
    ],
    [
      'another version',
      () => form(sdist, { version: '1.1' }),
      400,
      "The form says the version is '1.1', but the filename 'refused-1.0.tar.gz' says '1.0'.",
    ],
    ['no version at all', () => form(sdist, { version: 'latest' }), 400, /^Invalid version 'latest'/],
    [
      'no digest',
      () => form(sdist, { sha256_digest: undefined, blake2_256_digest: undefined }),
      400,
      /^The form names no digest/,
    ],
    [
      'a digest of the wrong length',
      () => form(sdist, { sha256_digest: 'abc' }),
      400,
      'The field sha256_digest is not a digest of 64 hexadecimal digits.',
    ],
    [
      'a wrong sha256',
      () => form(sdist, { sha256_digest: '0'.repeat(64) }),
      400,
      /^The sha256 digest does not match: the form says 0{64}, the file received has [0-9a-f]{64}\.$/,
    ],
    [
      'a wrong BLAKE2b',
      () => form(sdist, { blake2_256_digest: '0'.repeat(64) }),
      400,
      /^The BLAKE2b-256 digest does not match/,
    ],
    [
      'a wrong md5 beside right ones',
      () => form(sdist, { md5_digest: '0'.repeat(32) }),
      400,
      /^The md5 digest does not match/,
    ],
    [
      'a folder in the filename',
      () => form({ ...sdist, filename: '../refused-1.0.tar.gz' }),
      400,
      /^Invalid filename '\.\.\/refused-1\.0\.tar\.gz'/,
    ],
    [
      'an extension nobody installs',
      () => form({ ...sdist, filename: 'refused-1.0.exe' }),
      400,
      "Invalid filename 'refused-1.0.exe': the extension must be '.whl' or '.tar.gz'.",
    ],
    [
      'an archive that is none',
      () => form({ ...sdist, bytes: Buffer.from('hello') }),
      400,
      /^Invalid distribution: /,
    ],
    ['an empty file', () => form({ ...sdist, bytes: Buffer.alloc(0) }), 400, /^Invalid distribution: /],
    [
      'a wheel cut in half',
      () =>
        form({
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
      () => form({ ...sdist, filename: 'renamed-1.0.tar.gz', name: 'renamed' }),
      400,
      /^Invalid distribution: /,
    ],
    [
      'requirements the archive does not have',
      () => form(sdist, { requires_dist: 'evil' }),
      400,
      'The field Requires-Dist of the form is not what the metadata in the file says.',
    ],
    [
      'a Python the archive does not ask for',
      () => form(sdist, { requires_python: '>=3.99' }),
      400,
      'The field Requires-Python of the form is not what the metadata in the file says.',
    ],
    [
      'a field that is too long',
      () => form(sdist, { description: 'x'.repeat(5_001) }),
      400,
      'The field description makes the form too long.',
    ],
    [
      'fields that are too long together',
      () => form(sdist, { description: 'x'.repeat(4_000), license: 'x'.repeat(4_000) }),
      400,
      'The field license makes the form too long.',
    ],
    [
      'too many fields',
      async () => [...Array.from({ length: 50 }, (_, i): Field => [`f${i}`, 'x']), ...(await form(sdist))],
      400,
      'The form has more than 40 fields.',
    ],
    [
      'a file that is too large',
      () => form(makeSdist({ name: 'refused', version: '1.0', padding: 300_000 })),
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
    const answer = await server.post(await form(sdist, { name: 'other' }), {
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
    const answer = await server.post(await form(sdist, { name: 'caf\u00e9\r\nSet-Cookie: x=1 \u{1f9c0}' }));
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
    const body = multipart(await form(sdist, { name: 'other' }));
    const head = `POST /legacy/ HTTP/1.1\r\nHost: x\r\nAuthorization: ${server.authorization}\r\nContent-Type: ${MULTIPART}\r\nContent-Length: ${body.length}\r\n\r\n`;
    const text = await talk([head, body, 'GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n']);
    expect(text).toContain('HTTP/1.1 400 The form says the name');
    expect(text).toMatch(/HTTP\/1\.1 200 OK[^]*ok\n$/);
  });
});

describe('who may upload', () => {
  const distribution = makeSdist({ name: 'permission', version: '1' });
  const basic = (user: string, password: string) => ({
    Authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
  });

  it('nobody without a token, and the answer says how', async () => {
    const answer = await server.upload(distribution, { Authorization: '' });
    expect(answer.status).toBe(401);
    expect(answer.headers['www-authenticate']).toBe('Basic realm="Rind", charset="UTF-8"');
    expect(answer.reason).toContain("use the user name '__token__'");
  });

  it.each([
    ['a password', () => basic('alice', 'secret'), 'The user name or the password is wrong'],
    ['another scheme', () => ({ Authorization: 'Digest x' }), 'The Authorization header is not understood'],
    [
      'a token of PyPI',
      () => basic('__token__', 'pypi-AgEIcHlwaS5vcmc'),
      'This is no API token of this index',
    ],
    [
      'a token cut short',
      () => basic('__token__', server.token.slice(0, -1)),
      'This is no API token of this index',
    ],
    [
      'bytes that are no base64',
      () => ({ Authorization: 'Basic \u00ff\u00fe' }),
      'The Authorization header is not understood',
    ],
  ])('not somebody with %s', async (_, headers, reason) => {
    const answer = await server.upload(distribution, headers());
    expect(answer.status).toBe(401);
    expect(answer.reason).toContain(reason);
    expect(answer.text).not.toContain(server.token.slice(5, -1));
  });

  it('not with a well-formed token that this index never gave out', async () => {
    const stranger = await ServerFixture.start();
    const answer = await server.upload(distribution, basic('__token__', stranger.token));
    await stranger.close();
    expect([answer.status, answer.reason.split(':')[0]]).toEqual([
      401,
      'This index does not know the API token',
    ]);
  });

  it('not with an expired or revoked token', async () => {
    const { db, now } = server.index;
    const expired = await server.issue({ expires: now });
    expect((await server.upload(distribution, basic('__token__', expired))).reason).toBe(
      `The API token expired at ${now.toISOString()}: ask for a new one.`,
    );
    const token = await server.issue({});
    expect((await server.upload(distribution, basic('__token__', token))).status).toBe(200);
    const row = await db.selectFrom('tokens').select('id').orderBy('id', 'desc').executeTakeFirstOrThrow();
    await revokeToken(db, row.id, now);
    expect((await server.upload(distribution, basic('__token__', token))).status).toBe(401);
  });

  it('not with a token for reading, for administration, for another index or for another project', async () => {
    const { db, index, now } = server.index;
    for (const verbs of [['read'], ['admin'], ['admin', 'read']] as const) {
      const answer = await server.upload(distribution, basic('__token__', await server.issue({ verbs })));
      expect([answer.status, answer.reason]).toEqual([403, 'The API token may not upload here.']);
    }
    const { id } = await db
      .insertInto('indexes')
      .values({ name: 'other', profile: 'team', created_at: now.toISOString() })
      .returning('id')
      .executeTakeFirstOrThrow();
    const foreign = await server.upload(
      distribution,
      basic('__token__', await server.issue({ indexId: id })),
    );
    expect([foreign.status, foreign.reason]).toEqual([
      403,
      'The API token belongs to another index of this server.',
    ]);
    const own = await ensureProject(db, { indexId: index.id, name: 'own', displayName: 'own', now });
    const narrow = basic('__token__', await server.issue({ projectIds: [own.id] }));
    const other = await server.upload(makeSdist({ name: 'not-own', version: '1' }), narrow);
    expect([other.status, other.reason]).toEqual([403, "The API token is not for the project 'not-own'."]);
    expect((await server.upload(makeSdist({ name: 'own', version: '1' }), narrow)).status).toBe(200);
  });

  it('accepts the token as Bearer too, and notes its use', async () => {
    const token = await server.issue({ name: 'bearer' });
    expect((await server.upload(distribution, { Authorization: `Bearer ${token}` })).status).toBe(200);
    const row = await server.index.db
      .selectFrom('tokens')
      .selectAll()
      .where('name', '=', 'bearer')
      .executeTakeFirstOrThrow();
    expect(row.last_used_at).toBe(server.index.now.toISOString());
  });

  it('never logs a token', () => {
    expect(server.logged.length).toBeGreaterThan(0);
    expect(server.logged.join('\n')).not.toMatch(/rind_[0-9A-Za-z]{10}/);
  });
});

/** Sends the pieces as they are and returns all that came back until the server closed. */
function talk(pieces: readonly (string | Buffer)[], options: { end?: boolean } = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(server.server.port, '127.0.0.1');
    const chunks: Buffer[] = [];
    socket
      .on('data', (chunk) => chunks.push(chunk))
      .on('error', reject)
      .on('close', () => resolve(Buffer.concat(chunks).toString()));
    for (const piece of pieces) socket.write(piece);
    if (options.end === true) socket.end();
  });
}

describe('a body that is not what it should be', () => {
  const sdist = makeSdist({ name: 'body', version: '1', padding: 50_000 });
  const head = (length: number, type = MULTIPART) =>
    `POST /legacy/ HTTP/1.1\r\nHost: x\r\nAuthorization: ${server.authorization}\r\nContent-Type: ${type}\r\nContent-Length: ${length}\r\n\r\n`;

  it('is answered 408 when the client stops sending, and nothing stays', async () => {
    const body = multipart(await form(sdist));
    const before = await server.leftovers();
    const socket = connect(server.server.port, '127.0.0.1');
    const answer = new Promise<string>((resolve) =>
      socket.once('data', (chunk) => resolve(chunk.toString())),
    );
    socket.write(head(body.length));
    socket.write(body.subarray(0, body.length - 100));
    expect(await answer).toMatch(
      /^HTTP\/1\.1 408 The upload stopped half-way; nothing was stored, try again\./,
    );
    socket.destroy();
    expect(await server.leftovers()).toEqual(before);
  });

  it('leaves nothing when the client goes away in the middle of the file', async () => {
    const body = multipart(await form(sdist));
    const before = await server.leftovers();
    for (const part of [0.2, 0.5, 0.95]) {
      const socket = connect(server.server.port, '127.0.0.1');
      socket.write(head(body.length));
      await new Promise<void>((resolve) =>
        socket.write(body.subarray(0, body.length * part), () => resolve()),
      );
      socket.destroy();
    }
    await expect.poll(() => server.leftovers()).toEqual(before);
    expect((await server.get('/healthz')).status).toBe(200);
  });

  it.each([
    ['ends before its last boundary', (body: Buffer) => body.subarray(0, -20)],
    ['ends inside the file', (body: Buffer) => body.subarray(0, body.length / 2)],
    ['ends inside the first header', (body: Buffer) => body.subarray(0, 30)],
    ['is empty', () => Buffer.alloc(0)],
    ['is noise', () => Buffer.from('noise '.repeat(100))],
  ])('is refused when it %s', async (_, cut) => {
    const before = await server.leftovers();
    const body = cut(multipart(await form(sdist)));
    const answer = await server.send(
      'POST',
      '/legacy/',
      { Authorization: server.authorization, 'Content-Type': MULTIPART },
      body,
    );
    expect([answer.status, answer.reason]).toEqual([
      400,
      'The form is broken or ends too early; nothing was stored.',
    ]);
    expect(await server.leftovers()).toEqual(before);
  });

  it('may have an epilogue behind its last boundary, and still holds once', async () => {
    const body = Buffer.concat([multipart(await form(sdist)), Buffer.from('epilogue '.repeat(1000))]);
    const answer = await server.send(
      'POST',
      '/legacy/',
      { Authorization: server.authorization, 'Content-Type': MULTIPART },
      body,
    );
    expect(answer.status).toBe(200);
  });

  it.each([
    ['application/x-www-form-urlencoded', 415],
    ['application/json', 415],
    ['multipart/form-data', 415],
    ['multipart/form-data; charset=utf-8', 400],
  ])('of the type %s is answered %i', async (type, status) => {
    const answer = await server.send(
      'POST',
      '/legacy/',
      { Authorization: server.authorization, 'Content-Type': type },
      Buffer.from('a=b'),
    );
    expect(answer.status).toBe(status);
  });

  it('that is compressed is refused', async () => {
    const answer = await server.post(await form(sdist), { 'Content-Encoding': 'gzip' });
    expect(answer.status).toBe(415);
  });

  it('that says it is too large is refused before it is read', async () => {
    const text = await new Promise<string>((resolve) => {
      const socket = connect(server.server.port, '127.0.0.1');
      socket.once('data', (chunk) => {
        resolve(chunk.toString());
        socket.destroy();
      });
      socket.write(head(10_000_000_000));
    });
    expect(text).toMatch(/^HTTP\/1\.1 413 The file is too large/);
  });

  it('sent in chunks without a length is taken, and cut at the same limit', async () => {
    const chunked = (body: Buffer) => [
      `POST /legacy/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: ${server.authorization}\r\nContent-Type: ${MULTIPART}\r\nTransfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n`,
      body,
      '\r\n0\r\n\r\n',
    ];
    expect(await talk(chunked(multipart(await form(makeSdist({ name: 'chunks', version: '1' })))))).toContain(
      '200 OK',
    );
    const large = makeSdist({ name: 'chunks', version: '2', padding: 300_000 });
    expect(await talk(chunked(multipart(await form(large))))).toContain('413 The file is too large');
  });

  it.each([
    ['two lengths', 'Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello'],
    ['a length and chunks', 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['a broken length', 'Content-Length: 5x\r\n\r\nhello'],
    ['a header with a NUL', 'X: a\u0000b\r\n\r\n'],
  ])('framed with %s is refused and the connection ended', async (_, rest) => {
    const text = await talk([`POST /legacy/ HTTP/1.1\r\nHost: x\r\n${rest}`]);
    expect(text).toMatch(/^HTTP\/1\.1 400 /);
  });
});
