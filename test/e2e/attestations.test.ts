import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { insertPublisher } from '../../src/db/publishers.ts';
import { findTargets } from '../../src/db/targets.ts';
import { moveProvenances } from '../../src/registry/provenance.ts';
import { contentPart, ServerFixture, type Answer } from '../support/server-fixture.ts';
import { attestedFiles } from '../tools/attested-files.ts';
import { makeSdist, type Distribution } from '../tools/distribution.ts';
import { whenAvailable } from '../tools/unavailable.ts';

const GITHUB = 'https://token.actions.githubusercontent.com';
const GITLAB = 'https://gitlab.com';
const SDIST = 'pypi_attestations-0.0.19.tar.gz';
const PROVENANCE = `/integrity/pypi-attestations/0.0.19/${SDIST}/provenance`;

describe('attestations of a published distribution (PEP 740)', () => {
  const attested = whenAvailable(attestedFiles);
  let server: ServerFixture;
  let real: Distribution;
  let publish: string;
  let slsa: string;

  beforeAll(async () => {
    if (!attested.present) return;
    const { trustedRoot, read } = attested.value;
    server = await ServerFixture.start({ publicUrl: 'https://rind.test/', trustedRoot });
    real = {
      filename: SDIST,
      bytes: await read(SDIST),
      kind: 'sdist',
      name: 'pypi-attestations',
      version: '0.0.19',
    };
    publish = (await read(`${SDIST}.publish.attestation`)).toString();
    slsa = (await read(`${SDIST}.slsa.attestation`)).toString();
    await trust('pypi-attestations', GITHUB, {
      kind: 'github',
      owner: 'TrailOfBits',
      repository: 'pypi-attestations',
      workflow: 'release.yml',
      environment: 'release',
    });
    server.token = await server.issue({ verbs: ['upload'], oidc: { issuer: GITHUB, subject: 'repo:x' } });
  });
  afterAll(() => server?.close());

  async function trust(project: string, issuer: string, rule: object): Promise<void> {
    const { db, index, now } = server.index;
    await insertPublisher(db, {
      index_id: index.id,
      project_id: null,
      project_name: project,
      issuer,
      claims: JSON.stringify(rule),
      registered_by: null,
      created_at: now.toISOString(),
    });
  }

  function upload(distribution: Distribution, attestations: string, to = server): Promise<Answer> {
    const { bytes, name, version } = distribution;
    const fields: [string, string][] = [
      [':action', 'file_upload'],
      ['protocol_version', '1'],
      ['metadata_version', '2.4'],
      ['name', name],
      ['version', version],
      ['filetype', 'sdist'],
      ['pyversion', 'source'],
      ['sha256_digest', createHash('sha256').update(bytes).digest('hex')],
      ['attestations', attestations],
    ];
    return to.post([...fields, contentPart(distribution)]);
  }

  async function expectRefusal(attestations: string, sentence: RegExp, distribution = real): Promise<void> {
    const { status, reason } = await upload(distribution, attestations);
    expect([status, reason]).toEqual([400, expect.stringMatching(sentence)]);
    expect(reason).toMatch(/^The attestations cannot be taken: /);
    expect((await server.get(`/simple/${distribution.name}/`)).status).toBe(404);
    expect((await server.leftovers()).keys.filter((key) => key.startsWith('packages/'))).toEqual([]);
  }

  /** The attestation with something in it changed. */
  function changed(
    change: (attestation: {
      envelope: { statement: string; signature: string };
      verification_material: {
        certificate: string;
        transparency_entries: { canonicalizedBody: string; integratedTime: string }[];
      };
    }) => void,
  ): string {
    const attestation = JSON.parse(publish) as Parameters<typeof change>[0];
    change(attestation);
    return JSON.stringify([attestation]);
  }
  const flipped = (base64: string): string => {
    const bytes = Buffer.from(base64, 'base64');
    bytes[bytes.length - 1]! ^= 1;
    return bytes.toString('base64');
  };

  it('are refused when anything in them was changed', async () => {
    await expectRefusal(
      changed(({ envelope }) => void (envelope.signature = flipped(envelope.signature))),
      /does not verify/,
    );
    await expectRefusal(
      changed(({ envelope }) => {
        const statement = Buffer.from(envelope.statement, 'base64').toString();
        envelope.statement = Buffer.from(statement.replace('"predicate":null', '"predicate":{}')).toString(
          'base64',
        );
      }),
      /does not verify/,
    );
    await expectRefusal(
      changed(
        ({ verification_material: material }) => void (material.certificate = flipped(material.certificate)),
      ),
      /does not verify/,
    );
    await expectRefusal(
      changed(
        ({
          verification_material: {
            transparency_entries: [entry],
          },
        }) => {
          entry!.canonicalizedBody = flipped(entry!.canonicalizedBody);
        },
      ),
      /does not verify/,
    );
    await expectRefusal(
      changed(
        ({
          verification_material: {
            transparency_entries: [entry],
          },
        }) => {
          entry!.integratedTime = String(Number(entry!.integratedTime) + 86_400);
        },
      ),
      /does not verify/,
    );
  });

  it('are refused when they are about another file, or malformed', async () => {
    const other = makeSdist({ name: 'pypi-attestations', version: '0.0.20' });
    await expectRefusal(`[${publish}]`, /is about 'pypi_attestations-0.0.19.tar.gz', not about/, other);
    const forged = makeSdist({ name: 'pypi-attestations', version: '0.0.19' });
    await expectRefusal(`[${publish}]`, /the digest in one is not that of the file/, forged);
    await expectRefusal(`[${publish},${publish}]`, /two are of the same kind/);
    for (const text of ['', '[]', '{}', 'null', '[1]', '[{"version":1}]', publish, '['.repeat(10_000)])
      if (text !== '') await expectRefusal(text, /cannot be taken/);
  });

  it('are refused from an API token, and of a workflow that the project does not trust', async () => {
    const token = server.token;
    server.token = await server.issue({ verbs: ['upload'] });
    await expectRefusal(`[${publish}]`, /from trusted publishing only/);
    server.token = await server.issue({ verbs: ['upload'], oidc: { issuer: GITLAB, subject: 'x' } });
    await expectRefusal(`[${publish}]`, /does not trust/);
    server.token = token;
    const { db } = server.index;
    const rule = (await db.selectFrom('publishers').select('claims').executeTakeFirstOrThrow()).claims;
    for (const [from, to] of [
      ['release.yml', 'tests.yml'],
      ['release.yml', 'release.ym'],
      ['"pypi-attestations"', '"pypi-attestation"'],
    ] as const) {
      await db
        .updateTable('publishers')
        .set({ claims: rule.replace(from, to) })
        .execute();
      await expectRefusal(`[${publish}]`, /does not trust/);
    }
    await db.updateTable('publishers').set({ claims: rule }).execute();
  });

  it('are refused with a sentence by an index that verifies none', async () => {
    const other = await ServerFixture.start();
    const { status, reason } = await upload(real, `[${publish}]`, other);
    expect([status, reason]).toEqual([400, expect.stringContaining('verifies none')]);
    await other.close();
  });

  it('are verified, served unchanged, and their address stands in the signed pages', async () => {
    expect(await upload(real, `[${publish},${slsa}]`)).toMatchObject({ status: 200 });
    const answer = await server.get(PROVENANCE);
    expect([answer.status, answer.headers['content-type']]).toEqual([
      200,
      'application/vnd.pypi.integrity.v1+json',
    ]);
    expect(JSON.parse(answer.text)).toEqual({
      version: 1,
      attestation_bundles: [
        {
          publisher: {
            kind: 'GitHub',
            repository: 'TrailOfBits/pypi-attestations',
            workflow: 'release.yml',
            environment: 'release',
          },
          attestations: [JSON.parse(publish), JSON.parse(slsa)],
        },
      ],
    });
    const { body } = await server.get('/simple/pypi-attestations/index.json');
    const page = JSON.parse(body.toString()) as { files: { provenance?: string }[] };
    expect(page.files.map(({ provenance }) => provenance)).toEqual([`https://rind.test${PROVENANCE}`]);
    expect((await server.get('/simple/pypi-attestations/')).text).toContain(
      `data-provenance="https://rind.test${PROVENANCE}"`,
    );
    const path = 'simple/pypi-attestations/index.json';
    const target = (await findTargets(server.index.db, server.index.index.id, [path])).get(path);
    expect(target?.sha256).toBe(createHash('sha256').update(body).digest('hex'));
    for (const place of [
      '/integrity/pypi-attestations/0.0.18/',
      '/integrity/other/0.0.19/',
      '/integrity/pypi-attestations/x/',
    ])
      expect((await server.get(`${place}${SDIST}/provenance`)).status).toBe(404);
  });

  it('are found at the new address once the public URL changed, in pages signed anew', async () => {
    const { db, index, clock } = server.index;
    expect(await moveProvenances({ db, index, clock }, 'https://rind.test/')).toBe(0);
    expect(await moveProvenances({ db, index, clock }, 'https://new.test/python/')).toBe(1);
    const waiting = await db.selectFrom('journal').select('id').where('publication_id', 'is', null).execute();
    expect(waiting).toHaveLength(1);
    expect(await server.queue.published(waiting[0]!.id, 30_000)).toBe(true);
    const page = JSON.parse((await server.get('/simple/pypi-attestations/index.json')).text) as {
      files: { provenance?: string }[];
    };
    expect(page.files[0]?.provenance).toBe(`https://new.test/python${PROVENANCE}`);
    expect(await moveProvenances({ db, index, clock }, 'https://new.test/python/')).toBe(0);
  });

  it('of a GitLab pipeline verify too', async () => {
    await trust('gitlab-oidc-project', GITLAB, {
      kind: 'gitlab',
      namespace: 'facutuesca',
      project: 'gitlab-oidc-project',
      workflow: '.gitlab-ci.yml',
    });
    server.token = await server.issue({ verbs: ['upload'], oidc: { issuer: GITLAB, subject: 'x' } });
    const filename = 'gitlab_oidc_project-0.0.3.tar.gz';
    const { read } = attested.value;
    const sdist = {
      filename,
      bytes: await read(filename),
      kind: 'sdist',
      name: 'gitlab-oidc-project',
      version: '0.0.3',
    } as const;
    const text = `[${(await read(`${filename}.publish.attestation`)).toString()}]`;
    expect(await upload(sdist, text)).toMatchObject({ status: 200 });
  });
});
