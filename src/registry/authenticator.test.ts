import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { IndexFixture } from '../../test/support/index-fixture.ts';
import { findUser } from '../db/users.ts';
import { accessTokens, createAccessToken, revokeAccessToken } from './access-tokens.ts';
import { Authenticator } from './authenticator.ts';
import { RegistryError } from './errors.ts';
import { hashPassword, isPassword } from './password.ts';
import { DEFAULT_RATE_LIMITS, LoginThrottle, RateLimiter } from './rate-limit.ts';
import { grantProjectRole, revokeProjectRole } from './roles.ts';
import { ensureProject } from '../db/projects.ts';
import { addIndex, changeIndex, removeIndex } from './indexes.ts';
import { addUser, allUsers, removeUser, setAdmin, setDisabled, setPassword } from './users.ts';
import { generateToken } from './token.ts';
import type { Principal, UserPrincipal } from './principal.ts';

const CLI = { kind: 'cli', name: 'test' } as const;
const PASSWORD = 'a long enough password';
let fixture: IndexFixture;
beforeAll(async () => {
  fixture = await IndexFixture.open();
  for (const name of ['alice', 'bob']) await addUser(fixture, CLI, { name, password: PASSWORD });
});
afterAll(() => fixture.close());

const basic = (name: string, password: string) =>
  `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;
const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'done',
    (error: unknown) => (error instanceof RegistryError ? error.code : String(error)),
  );
async function userPrincipal(name: string): Promise<UserPrincipal> {
  const principal = await new Authenticator(fixture).principal(basic(name, PASSWORD), '192.0.2.1');
  if (principal.kind !== 'user') throw new Error(principal.kind);
  return principal;
}

describe('a password', () => {
  it('is stored as scrypt with its own salt, and known again', async () => {
    const [one, two] = [await hashPassword(PASSWORD), await hashPassword(PASSWORD)];
    expect(one).toMatch(/^scrypt:15:8:3:/);
    expect(one).not.toBe(two);
    expect(await isPassword(PASSWORD, one)).toBe(true);
    expect(await isPassword(`${PASSWORD}!`, one)).toBe(false);
    expect(await isPassword(PASSWORD, null)).toBe(false);
    expect(
      await isPassword(
        PASSWORD,
        'scrypt:30:8:3:AAAAAAAAAAAAAAAAAAAAAA:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
      ),
    ).toBe(false);
  });

  it.each(['', '            ', 'too short', 'x'.repeat(2000)])('%j is refused', async (password) => {
    expect(await codeOf(hashPassword(password))).toBe('INVALID_REQUEST');
  });
});

describe('a login', () => {
  it('says the same of a wrong password and of a user who does not exist', async () => {
    const authenticator = new Authenticator(fixture);
    const refusal = async (name: string) =>
      authenticator
        .principal(basic(name, 'wrong password'), '192.0.2.1')
        .catch((error: unknown) => String(error));
    expect(await refusal('alice')).toBe('RegistryError: The user name or the password is wrong.');
    expect(await refusal('nobody')).toBe(await refusal('alice'));
  });

  it('that fails again and again has to wait, from that address alone', async () => {
    const failures = { ...DEFAULT_RATE_LIMITS.failures, pair: 2 };
    const authenticator = new Authenticator({
      db: fixture.db,
      clock: fixture.clock,
      limits: { ...DEFAULT_RATE_LIMITS, failures },
    });
    const attempt = (address: string, password = 'wrong password') =>
      codeOf(authenticator.principal(basic('alice', password), address));
    for (let failure = 0; failure < failures.pair; failure += 1) {
      expect(await attempt('192.0.2.1')).toBe('NOT_AUTHENTICATED');
    }
    expect(await attempt('192.0.2.1')).toBe('RATE_LIMITED');
    expect(await attempt('192.0.2.1', PASSWORD)).toBe('RATE_LIMITED');
    expect(await attempt('192.0.2.2', PASSWORD)).toBe('done');
  });

  it('with the old password ends when it is changed, and when the user is disabled, at once', async () => {
    const authenticator = new Authenticator(fixture);
    const login = (password: string) =>
      codeOf(authenticator.principal(basic('carol', password), '192.0.2.1'));
    await addUser(fixture, CLI, { name: 'carol', password: PASSWORD });
    const { token } = await createAccessToken(fixture, CLI, { name: 'ci', verbs: ['read'], user: 'carol' });
    expect(await login(PASSWORD)).toBe('done');
    await setPassword(fixture, CLI, 'carol', 'another long password');
    expect(await login(PASSWORD)).toBe('NOT_AUTHENTICATED');
    expect(await login('another long password')).toBe('done');
    const withToken = () => codeOf(authenticator.principal(`Bearer ${token}`, '192.0.2.1'));
    expect(await withToken()).toBe('done');
    await setDisabled(fixture, CLI, 'carol', true);
    expect(await login('another long password')).toBe('NOT_AUTHENTICATED');
    expect(await withToken()).toBe('NOT_AUTHENTICATED');
    await setDisabled(fixture, CLI, 'carol', false);
    expect(await withToken()).toBe('done');
    await removeUser(fixture, CLI, 'carol');
    expect(await withToken()).toBe('NOT_AUTHENTICATED');
    expect(await codeOf(addUser(fixture, CLI, { name: 'carol' }))).toBe('CONFLICT');
  });

  it('with a token works as __token__, under any name as a keyring has it, as the name alone, and as Bearer', async () => {
    const authenticator = new Authenticator(fixture);
    const { token, number } = await createAccessToken(fixture, CLI, {
      name: 'ci',
      verbs: ['read'],
      user: 'bob',
    });
    for (const header of [
      basic('__token__', token),
      basic('bob', token),
      basic(token, ''),
      `Bearer ${token}`,
      `token ${token}`,
    ]) {
      expect(await authenticator.principal(header, '192.0.2.1')).toMatchObject({
        kind: 'token',
        tokenId: number,
        user: { name: 'bob' },
      });
    }
  });

  it('writes the last use of a token at most once a minute', async () => {
    const authenticator = new Authenticator(fixture);
    const { token, number } = await createAccessToken(fixture, CLI, { name: 'used', verbs: ['read'] });
    const lastUsed = async () =>
      (await accessTokens(fixture, CLI)).find((summary) => summary.number === number)?.lastUsed;
    await authenticator.principal(`Bearer ${token}`, '192.0.2.1');
    const first = await lastUsed();
    fixture.now = new Date(fixture.now.getTime() + 59_000);
    await authenticator.principal(`Bearer ${token}`, '192.0.2.1');
    expect(await lastUsed()).toBe(first);
    fixture.now = new Date(fixture.now.getTime() + 2_000);
    await authenticator.principal(`Bearer ${token}`, '192.0.2.1');
    expect(await lastUsed()).toBe(fixture.now.toISOString());
  });
});

describe('tokens', () => {
  it('of others are neither seen nor revoked by a user, nor made for others', async () => {
    const alice = await userPrincipal('alice');
    const bob = await userPrincipal('bob');
    const hers = await createAccessToken(fixture, alice, { name: 'hers', verbs: ['upload'] });
    expect((await accessTokens(fixture, alice)).map(({ number }) => number)).toContain(hers.number);
    expect((await accessTokens(fixture, bob)).map(({ number }) => number)).not.toContain(hers.number);
    expect(await codeOf(revokeAccessToken(fixture, bob, hers.number))).toBe('NOT_FOUND');
    expect(await codeOf(createAccessToken(fixture, bob, { name: 'x', verbs: ['read'], user: 'alice' }))).toBe(
      'NOT_PERMITTED',
    );
    expect(await codeOf(setPassword(fixture, bob, 'alice', 'taken over by bob'))).toBe('NOT_PERMITTED');
    expect(await codeOf(allUsers(fixture, bob))).toBe('NOT_PERMITTED');
    expect(await codeOf(revokeAccessToken(fixture, alice, hers.number))).toBe('done');
    expect(await codeOf(revokeAccessToken(fixture, alice, hers.number))).toBe('NOT_FOUND');
  });

  it('and users of an administrator who was one when the request began, and is none any more, change nothing', async () => {
    const context = { db: fixture.db, clock: fixture.clock };
    const hire = async (name: string) => {
      await addUser(fixture, CLI, { name, password: PASSWORD, isAdmin: true });
      return userPrincipal(name);
    };
    const dismissed = await hire('dismissed');
    const disabled = await hire('disabled');
    const { token, number } = await createAccessToken(fixture, CLI, { name: 'root', verbs: ['admin'] });
    const revoked = await new Authenticator(fixture).principal(`Bearer ${token}`, '192.0.2.1');
    expect(await codeOf(allUsers(fixture, revoked))).toBe('done');
    await setAdmin(fixture, CLI, 'dismissed', false);
    await setDisabled(fixture, CLI, 'disabled', true);
    await revokeAccessToken(fixture, CLI, number);
    for (const principal of [dismissed, disabled, revoked]) {
      const changes = [
        () => addUser(fixture, principal, { name: 'friend', isAdmin: true }),
        () => setAdmin(fixture, principal, 'bob', true),
        () => setDisabled(fixture, principal, 'bob', true),
        () => setPassword(fixture, principal, 'bob', 'a password of the attacker'),
        () => removeUser(fixture, principal, 'bob'),
        () => createAccessToken(fixture, principal, { name: 'x', verbs: ['admin'], user: 'bob' }),
        () => addIndex(context, principal, { name: 'theirs', profile: 'team', settings: {} }),
        () => changeIndex(context, principal, '', { kind: 'public' }),
        () => removeIndex(context, principal, 'stage'),
      ];
      for (const change of changes) expect(await codeOf(change())).toBe('NOT_AUTHENTICATED');
    }
    expect(await findUser(fixture.db, 'friend')).toBeUndefined();
    expect(await codeOf(setPassword(fixture, disabled, 'disabled', 'back by the old login'))).toBe(
      'NOT_AUTHENTICATED',
    );
  });

  it('make no tokens and set no passwords, but each may revoke itself', async () => {
    const { token, number } = await createAccessToken(fixture, CLI, {
      name: 'found',
      verbs: ['read', 'own'],
      user: 'alice',
    });
    const found: Principal = await new Authenticator(fixture).principal(`Bearer ${token}`, '192.0.2.1');
    expect(await codeOf(createAccessToken(fixture, found, { name: 'second', verbs: ['read'] }))).toBe(
      'NOT_PERMITTED',
    );
    expect(await codeOf(setPassword(fixture, found, 'alice', 'taken over by a token'))).toBe('NOT_PERMITTED');
    expect(await codeOf(accessTokens(fixture, found))).toBe('NOT_PERMITTED');
    expect(await codeOf(revokeAccessToken(fixture, found, number))).toBe('done');
  });

  it.each([
    [{ verbs: [] }, 'INVALID_REQUEST'],
    [{ name: ' ' }, 'INVALID_REQUEST'],
    [{ projects: ['x'] }, 'INVALID_REQUEST'],
    [{ index: '', projects: [] }, 'INVALID_REQUEST'],
    [{ index: '', projects: ['absent'] }, 'NOT_FOUND'],
    [{ index: 'absent' }, 'NOT_FOUND'],
    [{ user: 'absent' }, 'NOT_FOUND'],
    [{ expires: new Date(0) }, 'INVALID_REQUEST'],
  ])('with %j are refused', async (wish, code) => {
    expect(await codeOf(createAccessToken(fixture, CLI, { name: 'x', verbs: ['read'], ...wish }))).toBe(code);
  });
});

describe('the roles of a project', () => {
  it('always leave it an owner, and are looked up by their project', async () => {
    const { db, index, now } = fixture;
    await ensureProject(db, { indexId: index.id, name: 'hers', displayName: 'hers', now });
    await ensureProject(db, { indexId: index.id, name: 'his', displayName: 'his', now });
    await grantProjectRole(fixture, CLI, { project: 'hers', user: 'alice', role: 'owner' });
    await grantProjectRole(fixture, CLI, { project: 'his', user: 'bob', role: 'owner' });
    const alice = await userPrincipal('alice');
    expect(await codeOf(revokeProjectRole(fixture, alice, { project: 'hers', user: 'alice' }))).toBe(
      'CONFLICT',
    );
    expect(
      await codeOf(grantProjectRole(fixture, alice, { project: 'hers', user: 'alice', role: 'maintainer' })),
    ).toBe('CONFLICT');
    // bob's role in his project is not reached through hers.
    expect(await codeOf(revokeProjectRole(fixture, alice, { project: 'hers', user: 'bob' }))).toBe(
      'NOT_FOUND',
    );
    expect(await codeOf(revokeProjectRole(fixture, alice, { project: 'his', user: 'bob' }))).toBe(
      'NOT_PERMITTED',
    );
    await grantProjectRole(fixture, alice, { project: 'hers', user: 'bob', role: 'owner' });
    expect(await codeOf(revokeProjectRole(fixture, alice, { project: 'hers', user: 'alice' }))).toBe('done');
    expect((await findUser(db, 'alice'))?.removed_at).toBe(null);
  });
});

describe('limits', () => {
  it('give a burst, then the rate, then say how long to wait', () => {
    let now = 0;
    const limiter = new RateLimiter({ perSecond: 2, burst: 3 }, 10, () => now);
    const take = (key: string) => {
      try {
        limiter.take(key);
        return 'ok';
      } catch (error) {
        return error instanceof RegistryError ? error.retryAfter : error;
      }
    };
    expect([take('a'), take('a'), take('a'), take('a'), take('b')]).toEqual(['ok', 'ok', 'ok', 1, 'ok']);
    now = 500;
    expect([take('a'), take('a')]).toEqual(['ok', 1]);
  });

  it('forgive failed logins, so that a stranger slows nobody for ever', () => {
    let now = 0;
    const throttle = new LoginThrottle({ ...DEFAULT_RATE_LIMITS, forgivenIn: 3600 }, () => now);
    const isWaiting = (address: string): boolean => {
      try {
        throttle.check('alice', address);
        return false;
      } catch {
        return true;
      }
    };
    const guess = (): void => {
      for (let stranger = 0; stranger < 1000; stranger += 1) throttle.failed('alice', `192.0.2.${stranger}`);
    };
    throttle.succeeded('alice', '198.51.100.1');
    guess();
    expect(isWaiting('203.0.113.1')).toBe(true);
    // Where she logged in before, she is not slowed at all, and her own mistakes count as ever.
    expect(isWaiting('198.51.100.1')).toBe(false);
    for (let failure = 0; failure < 6; failure += 1) throttle.failed('alice', '198.51.100.1');
    expect(isWaiting('198.51.100.1')).toBe(true);
    // Elsewhere everything is forgotten after a while: one mistake is one again.
    now += 2 * 3600 * 1000;
    throttle.failed('alice', '203.0.113.1');
    expect(isWaiting('203.0.113.1')).toBe(false);
    guess();
    expect(isWaiting('203.0.113.1')).toBe(true);
  });

  it('bound how often unknown tokens are looked up, from that address, and never those that are known', async () => {
    const authenticator = new Authenticator({
      db: fixture.db,
      clock: fixture.clock,
      limits: { ...DEFAULT_RATE_LIMITS, unknown: { perSecond: 1e-6, burst: 3 } },
    });
    const { token } = await createAccessToken(fixture, CLI, { name: 'good', verbs: ['read'] });
    const { token: late } = await createAccessToken(fixture, CLI, { name: 'late', verbs: ['read'] });
    const ask = (text: string, address = '192.0.2.1') =>
      codeOf(authenticator.principal(`Bearer ${text}`, address));
    expect(await ask(token)).toBe('done');
    for (let guess = 0; guess < 3; guess += 1) expect(await ask(generateToken())).toBe('NOT_AUTHENTICATED');
    expect(await ask(generateToken())).toBe('RATE_LIMITED');
    expect(await ask(late)).toBe('RATE_LIMITED');
    expect(await ask(token)).toBe('done');
    expect(await ask(late, '192.0.2.2')).toBe('done');
  });

  it('remember a bounded number of strangers, and waits end', () => {
    let now = 0;
    const throttle = new LoginThrottle({ ...DEFAULT_RATE_LIMITS, entries: 30 }, () => now);
    for (let stranger = 0; stranger < 1000; stranger += 1)
      throttle.failed(`user${stranger}`, `192.0.2.${stranger}`);
    for (let failure = 0; failure < 20; failure += 1) throttle.failed('alice', '198.51.100.1');
    expect(() => throttle.check('alice', '198.51.100.1')).toThrow('try again in 300 s');
    now = 300_001;
    expect(() => throttle.check('alice', '198.51.100.1')).not.toThrow();
  });
});
