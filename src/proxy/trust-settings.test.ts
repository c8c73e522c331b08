import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { combineSettings } from './combined-settings.ts';
import { matchesName, parseNamePattern } from './name-pattern.ts';
import { findProjectTrust } from './project-trust.ts';
import { parseTrustSettings, policyOf, type TrustSettings } from './trust-settings.ts';

const SHA = 'ab'.repeat(32);

function index(name: string, more = ''): string {
  return `[[index]]\nname = "${name}"\nurl = "https://${name}.example/"\nroot-sha256 = "${SHA}"\n${more}\n`;
}

function settings(text: string): TrustSettings {
  return parseTrustSettings(text, '/p/pyproject.toml');
}

describe('the settings of trust', () => {
  it('say for each name where it comes from, the most specific pattern first', () => {
    const policy = policyOf(
      settings(
        index('public') +
          index('acme', 'projects = ["acme-*", "Tools.*"]') +
          index('lab', 'projects = ["acme-lab-*", "acme-core"]'),
      ),
    );
    expect(
      ['flask', 'acme-x', 'acme-lab-x', 'acme-core', 'acme', 'tools-a'].map((name) => policy.routeOf(name)),
    ).toEqual([
      'https://public.example/',
      'https://acme.example/',
      'https://lab.example/',
      'https://lab.example/',
      'https://public.example/',
      'https://acme.example/',
    ]);
    expect(policy.rulesOf('acme-x')).toEqual({
      index: 'https://acme.example/',
      mustBeClaimed: false,
      minimumAgeDays: 0,
      locked: false,
    });
    expect(policy.isPlain).toBe(false);
    expect(policyOf(settings(index('acme'))).isPlain).toBe(true);
  });

  it('route nothing where no index is for all other names', () => {
    expect(policyOf(settings(index('acme', 'projects = ["acme-*"]'))).routeOf('flask')).toBeUndefined();
  });

  it('hold with all rules that match, each at its strictest', () => {
    const policy = policyOf(
      settings(
        `${index('acme')}[[rule]]\nprojects = ["*"]\nminimum-age-days = 3\n` +
          '[[rule]]\nprojects = ["a*"]\nminimum-age-days = 1\nlocked = true\nmust-be-claimed = true\n',
      ),
    );
    expect(policy.rulesOf('acme')).toEqual({ mustBeClaimed: true, minimumAgeDays: 3, locked: true });
    expect(policy.rulesOf('b')).toEqual({ mustBeClaimed: false, minimumAgeDays: 3, locked: false });
    expect(policy.unknownHosts).toBe('refuse');
  });

  it('name the indexes that have to agree', () => {
    const policy = policyOf(
      settings(
        `${index('a', 'projects = []')}${index('b', 'projects = []')}[[map]]\nprojects = ["x-*"]\nindexes = ["b", "a"]\n`,
      ),
    );
    expect(policy.agreementOf('x-1')).toEqual({
      indexes: ['https://b.example/', 'https://a.example/'],
      threshold: 2,
    });
    expect(policy.routeOf('x-1')).toBe('https://b.example/');
    expect(policy.agreementOf('y')).toBeUndefined();
  });

  it.each([
    ['an unknown key', `${index('a')}[[rule]]\nprojects = ["x"]\nlock = true\n`],
    ['an unknown table', `${index('a')}[indexes]\n`],
    ['a fingerprint that is none', index('a').replace(SHA, 'ab')],
    ['http to another machine', index('a').replace('https:', 'http:')],
    ['a password in a URL', index('a').replace('https://', 'https://me:secret@')],
    ['a pattern in the middle', index('a', 'projects = ["a*b"]')],
    ['two indexes for all other names', index('a') + index('b')],
    ['one name twice', index('a') + index('a', 'projects = ["x"]').replace('a.example', 'b.example')],
    ['one pattern at two indexes', index('a', 'projects = ["x-*"]') + index('b', 'projects = ["X_*"]')],
    ['a map of an index that is not there', `${index('a')}[[map]]\nprojects = ["x"]\nindexes = ["a", "b"]\n`],
    [
      'a threshold that cannot be reached',
      `${index('a')}${index('b', 'projects = []')}[[map]]\nprojects = ["x"]\nindexes = ["a", "b"]\nthreshold = 3\n`,
    ],
    ['a negative age', `${index('a')}[[rule]]\nprojects = ["x"]\nminimum-age-days = -1\n`],
    ['text that is not TOML', '[[index]\n'],
  ])('are refused as a whole for %s', (_what, text) => {
    expect(() => settings(text)).toThrow(
      expect.objectContaining({ code: 'malformed', path: '/p/pyproject.toml' }) as Error,
    );
  });
});

describe('the settings of a project beside those of its user', () => {
  const user = settings(
    index('acme', 'projects = ["acme-*"]') + '[[rule]]\nprojects = ["*"]\nlocked = true\n',
  );

  it('hold together', () => {
    const combined = policyOf(combineSettings(settings(index('public')), user));
    expect(combined.routeOf('acme-x')).toBe('https://acme.example/');
    expect(combined.routeOf('x')).toBe('https://public.example/');
    expect(combined.rulesOf('x').locked).toBe(true);
  });

  it.each([['"acme-secret"'], ['"acme-*"'], ['"acme-a*"']])(
    'contradict each other when the project leads %s elsewhere',
    (pattern) => {
      const project = settings(index('evil', `projects = [${pattern}]`));
      expect(() => combineSettings(project, user)).toThrow(/evil\.example.*acme\.example/);
    },
  );

  it('do not let a map of the project reach over a route of the user', () => {
    const project = settings(
      `${index('evil')}${index('worse', 'projects = []')}[[map]]\nprojects = ["acme-x"]\nindexes = ["evil", "worse"]\n`,
    );
    expect(() => combineSettings(project, user)).toThrow(
      expect.objectContaining({ code: 'conflict' }) as Error,
    );
  });

  const conflict = expect.objectContaining({ code: 'conflict' }) as Error;
  const map = (pattern: string, names: string, threshold: number): string =>
    `[[map]]\nprojects = ["${pattern}"]\nindexes = [${names}]\nthreshold = ${threshold}\n`;
  const three = ['acme', 'evil', 'worse'].map((name) => index(name, 'projects = []')).join('');

  it('refuse a map of the project that is wider than a route of the user, or in which its index can be outvoted', () => {
    for (const [pattern, names, threshold] of [
      ['*', '"evil", "worse"', 1],
      ['a*', '"evil", "acme"', 2],
      ['acme-*', '"acme", "evil"', 1],
      ['*', '"acme", "evil", "worse"', 2],
    ] as const) {
      const project = settings(three + map(pattern, names, threshold));
      expect(() => combineSettings(project, user), `${pattern} ${names}`).toThrow(conflict);
    }
    const agreeing = settings(three + map('acme-*', '"acme", "evil"', 2));
    expect(policyOf(combineSettings(agreeing, user)).routeOf('acme-x')).toBe('https://acme.example/');
    expect(() => combineSettings(settings(three + map('other-*', '"evil", "worse"', 1)), user)).not.toThrow();
  });

  it('refuse a map of the project in the place of a map of the user', () => {
    const mapping = settings(three + map('acme-*', '"acme", "worse"', 2));
    for (const [pattern, names, threshold] of [
      ['acme-*', '"acme", "worse"', 1],
      ['acme-secret', '"evil", "worse"', 1],
      ['acme-s*', '"acme", "evil"', 2],
    ] as const) {
      const project = settings(three + map(pattern, names, threshold));
      expect(() => combineSettings(project, mapping), `${pattern} ${names}`).toThrow(conflict);
    }
    const wider = policyOf(combineSettings(settings(three + map('*', '"evil", "worse"', 1)), mapping));
    expect(wider.agreementOf('acme-secret')).toEqual({
      indexes: ['https://acme.example/', 'https://worse.example/'],
      threshold: 2,
    });
  });

  it('leave a project that names rules and no index to the index of its user', () => {
    const users = settings(index('mine') + index('acme', 'projects = ["acme-*"]'));
    const rules = settings('[[rule]]\nprojects = ["acme-*"]\nlocked = true\n');
    const combined = combineSettings(rules, users);
    expect(policyOf(combined).routeOf('flask')).toBe('https://mine.example/');
    expect(policyOf(combined).rulesOf('acme-x')).toMatchObject({
      locked: true,
      index: 'https://acme.example/',
    });
    expect(combined.indexes.map(({ name }) => name)).toEqual(['mine', 'acme']);
    // A project that does name one has said where all names come from.
    expect(
      policyOf(combineSettings(settings(index('public', 'projects = ["x"]')), users)).routeOf('flask'),
    ).toBeUndefined();
  });

  it('trust the root that the user pinned, not another one that the project pins for the same URL', () => {
    const project = settings(
      (index('public') + index('acme', 'projects = ["acme-*"]')).replaceAll(SHA, 'ee'.repeat(32)),
    );
    expect(combineSettings(project, user).indexes.map(({ name, rootSha256 }) => [name, rootSha256])).toEqual([
      ['public', 'ee'.repeat(32)],
      ['acme', SHA],
    ]);
  });

  it('keep a project from opening unknown hosts around the routes of a user who does not say she wants that', () => {
    const project = settings(`unknown-hosts = "tunnel"\n${index('public')}`);
    const willing = { ...user, unknownHosts: 'tunnel' as const };
    const routeless = settings('[[rule]]\nprojects = ["*"]\nlocked = true\n');
    expect(policyOf(combineSettings(project, user)).unknownHosts).toBe('refuse');
    expect(policyOf(combineSettings(project, willing)).unknownHosts).toBe('tunnel');
    expect(policyOf(combineSettings(project, routeless)).unknownHosts).toBe('tunnel');
  });
});

describe('name patterns', () => {
  it('are names or beginnings of names, normalized', () => {
    expect(['Acme_*', 'acme-*', '*', 'a.b', 'acme*'].map((text) => parseNamePattern(text))).toEqual([
      'acme-*',
      'acme-*',
      '*',
      'a-b',
      'acme*',
    ]);
    for (const text of ['', '-a', 'a-', '*a', 'a*b', 'a**', 'a b', 'ä', 'a'.repeat(200)])
      expect(parseNamePattern(text), text).toBeUndefined();
    expect(matchesName('acme-*', 'acme')).toBe(false);
    expect(matchesName('acme-*', 'acme-x')).toBe(true);
    expect(matchesName('acme', 'acme-x')).toBe(false);
  });
});

describe('[tool.rind] of a project', () => {
  const text = `[project]\nname = "x"\n[[tool.rind.index]]\nname = "acme"\nurl = "https://acme.example/"\nroot-sha256 = "${SHA}"\n`;
  const uid = process.getuid?.();
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rind-project-'));
    await mkdir(join(folder, 'a', 'b'), { recursive: true });
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('is that of the first pyproject.toml upwards which has one', async () => {
    await writeFile(join(folder, 'pyproject.toml'), text);
    await writeFile(join(folder, 'a', 'pyproject.toml'), '[project]\nname = "rind-user"\n');
    const found = await findProjectTrust(join(folder, 'a', 'b'), { uid });
    expect(found?.path).toBe(join(folder, 'pyproject.toml'));
    expect(found?.indexes).toMatchObject([{ name: 'acme', url: 'https://acme.example/', rootSha256: SHA }]);
  });

  it.runIf(uid !== undefined)('is refused when another user may have written it', async () => {
    const path = join(folder, 'a', 'pyproject.toml');
    await writeFile(path, text);
    const from = join(folder, 'a', 'b');
    if (uid === 0) await chown(path);
    const stranger = { uid: uid === 0 ? 0 : (uid ?? 0) + 1 };
    await expect(findProjectTrust(from, stranger)).rejects.toMatchObject({ code: 'foreign', path });
    expect(await findProjectTrust(from, { ...stranger, safeFolder: join(folder, 'a') })).toBeDefined();
  });

  it.runIf(process.platform !== 'win32')(
    'is refused when everybody may write to it or its folder',
    async () => {
      const path = join(folder, 'a', 'pyproject.toml');
      await writeFile(path, text);
      await chmod(path, 0o666);
      await expect(findProjectTrust(join(folder, 'a'), { uid })).rejects.toMatchObject({ code: 'foreign' });
      await chmod(path, 0o644);
      await chmod(join(folder, 'a'), 0o777);
      await expect(findProjectTrust(join(folder, 'a'), { uid })).rejects.toMatchObject({ code: 'foreign' });
      await chmod(join(folder, 'a'), 0o1777);
      expect(await findProjectTrust(join(folder, 'a'), { uid })).toBeDefined();
    },
  );

  it.runIf(process.platform === 'linux')('is not waited for when the file is a pipe', async () => {
    execFileSync('mkfifo', [join(folder, 'a', 'pyproject.toml')]);
    await writeFile(join(folder, 'pyproject.toml'), text);
    expect((await findProjectTrust(join(folder, 'a'), { uid }))?.path).toBe(join(folder, 'pyproject.toml'));
  });

  async function chown(path: string): Promise<void> {
    const fs = await import('node:fs/promises');
    await fs.chown(path, 12_345, 12_345);
  }
});
