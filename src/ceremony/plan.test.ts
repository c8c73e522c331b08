import { describe, expect, it } from 'vitest';
import { planText } from '../../test/support/ceremony-fixture.ts';
import { measurePlan } from './cost.ts';
import { newPlanText } from './new-plan.ts';
import { lintPlan, suggestedBins } from './plan-lint.ts';
import { parsePlan } from './plan.ts';

const parse = (text: string) => parsePlan(new TextEncoder().encode(text));
const errors = (text: string) =>
  lintPlan(parse(text)).flatMap(({ severity, message }) => (severity === 'error' ? [message] : []));

describe('a ceremony plan', () => {
  it('is read from TOML and, the same, from JSON', () => {
    const plan = parse(planText());
    expect(plan).toMatchObject({ profile: 'team', bins: 256, layout: 'path_hash_prefixes', signingDays: 14 });
    expect(plan.roles.root).toMatchObject({ threshold: 2, expiresDays: 365, oneTimeKeys: 0 });
    expect(plan.roles.root.keys[0]).toEqual({ holder: 'Ada', uri: undefined, publicKeyFile: 'Ada.pub' });
    const role = { 'one-time-keys': 2, threshold: 2 };
    const keys = ['Ada', 'Grace', 'Joan'].map((holder) => ({ holder, 'public-key': `${holder}.pub` }));
    const json = {
      format: 'rind-ceremony-plan-1',
      'expected-targets': 5000,
      'signing-days': 14,
      root: { threshold: 2, keys },
      targets: role,
      claimed: role,
      bins: role,
      online: { keys: [{ 'public-key': 'online.pub' }] },
    };
    expect(parse(JSON.stringify(json))).toEqual(plan);
  });

  it.each([
    [
      'a setting that nobody knows',
      (text: string) => text.replace('threshold = 2', 'treshold = 2'),
      /"treshold" in \[root\] is not known/,
    ],
    ['a missing section', (text: string) => text.replace(/\[\[online[^]*/, ''), /\[online\] is missing/],
    ['another format', (text: string) => text.replace('plan-1', 'plan-9'), /reads "rind-ceremony-plan-1"/],
    [
      'a number that is text',
      (text: string) => text.replace('threshold = 2', 'threshold = "2"'),
      /must be a whole number/,
    ],
    ['no TOML', () => 'format = ', /neither TOML nor JSON/],
    [
      'a key without key',
      (text: string) => text.replace('public-key = "Ada.pub"', ''),
      /neither key .* nor public-key/,
    ],
    [
      'control characters in a name',
      (text: string) => text.replace('"Ada"', '"Ada\\u001b[31m"'),
      /one line of text/,
    ],
  ])('is refused with %s', (_, change, reason) => {
    expect(() => parse(change(planText()))).toThrow(reason);
  });

  it('without mistakes has no errors', () => {
    expect(errors(planText())).toEqual([]);
  });

  it.each([
    [
      'a threshold above the keys',
      planText({ rootThreshold: 4 }),
      /root: the threshold is 4, but there are only 3 keys/,
    ],
    ['one holder twice', planText({ holders: ['Ada', 'Ada', 'Joan'] }), /Ada holds two keys/],
    ['bins that are no power of two', planText({ bins: 300 }), /power of two/],
    [
      'expiries in the wrong order',
      planText().replace(
        '[root]\nthreshold = 2\nexpires-days = 365',
        '[root]\nthreshold = 2\nexpires-days = 100',
      ),
      /would expire after root/,
    ],
    ['an expiry within the signing window', planText({ days: 10 }), /within the signing window/],
    ['no key at all', planText({ oneTime: 0 }), /targets has no key/],
    [
      'one-time keys for root',
      planText().replace('[root]', '[root]\none-time-keys = 1'),
      /root cannot have one-time keys/,
    ],
  ])('cannot work with %s', (_, text, sentence) => {
    expect(
      errors(text).some((message) => sentence.test(message)),
      errors(text).join('\n'),
    ).toBe(true);
  });

  it('warns of thresholds without spare keys and of bins that get long', () => {
    const warnings = lintPlan(parse(planText({ rootThreshold: 3 }).replace('5000', '5000000'))).map(
      ({ message }) => message,
    );
    expect(warnings.join('\n')).toMatch(/every one of its keys/);
    expect(warnings.join('\n')).toMatch(/consider 16384 bins/);
    expect(suggestedBins(20_000_000)).toBeGreaterThan(16_384);
  });
});

it('a new plan from a few answers can work, with as many bins as the targets want', () => {
  const text = newPlanText({
    profile: 'pypi',
    expectedTargets: 20_000_000,
    holders: ['Ada', 'Grace "Amazing" Hopper'],
    threshold: 2,
  });
  expect(errors(text)).toEqual([]);
  expect(parse(text)).toMatchObject({ bins: 16_384, roles: { targets: { oneTimeKeys: 2 } } });
  expect(parse(text).roles.root.keys[1]).toMatchObject({
    holder: 'Grace "Amazing" Hopper',
    publicKeyFile: 'grace-amazing-hopper.public-key',
  });
});

describe('what a plan costs', () => {
  it('is measured: succinct bins shrink what a new user downloads, more targets a bin grow it', () => {
    const explicit = measurePlan(parse(planText({ bins: 1024 })));
    const succinct = measurePlan(parse(planText({ bins: 1024, layout: 'succinct_roles' })));
    expect(explicit.roles.get('bins')!.plain).toBeGreaterThan(100_000);
    expect(succinct.roles.get('bins')!.plain).toBeLessThan(2000);
    expect(explicit.newUser.plain - succinct.newUser.plain).toBe(
      explicit.roles.get('bins')!.plain - succinct.roles.get('bins')!.plain,
    );
    expect(explicit.returningUser).toEqual(succinct.returningUser);
    const larger = measurePlan(parse(planText({ bins: 1024 }).replace('5000', '500000')));
    expect(larger.roles.get('bin-n')!.plain).toBeGreaterThan(explicit.roles.get('bin-n')!.plain * 20);
  });

  it('says who signs what later', () => {
    const oneTime = measurePlan(parse(planText())).changes.join('\n');
    expect(oneTime).toMatch(
      /yearly renewal .*: 2 of 3 key holders \(targets, claimed, bins: new one-time keys/,
    );
    const kept = measurePlan(parse(planText({ binsHolders: ['Ada'] }))).changes.join('\n');
    expect(kept).toMatch(
      /another number of bins .*: one signing event of bins: 1 of 1 key holders; no root signature/,
    );
  });
});
