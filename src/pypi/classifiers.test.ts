import { describe, expect, it } from 'vitest';
import { classifierObjection, type ClassifierPolicy } from './classifiers.ts';

const STRICT: ClassifierPolicy = { deprecatedClassifiers: false, unknownClassifiers: false };
const objection = (classifier: string, policy: Partial<ClassifierPolicy> = {}) =>
  classifierObjection(classifier, { ...STRICT, ...policy });

describe('a strict index', () => {
  it.each([
    'Development Status :: 5 - Production/Stable',
    'Environment :: Handhelds/PDA\'s', // prettier-ignore
    'Programming Language :: Python :: 3 :: Only',
    'Typing :: Typed',
  ])('takes %s', (classifier) => {
    expect(objection(classifier)).toBeUndefined();
  });

  it.each([
    ['Programming Language :: Pyton', /not in the list of classifiers/],
    ['programming language :: python', /not in the list/],
    ['Topic', /not in the list/],
    ['Topic :: Utilities|Topic :: Utilities', /not in the list/],
    ['', /not in the list/],
    ['Private :: Do Not Upload', /not for a public index/],
    ['License :: OSI Approved :: X.Net License', /was withdrawn$/],
  ])('refuses %s', (classifier, reason) => {
    expect(objection(classifier)).toMatch(reason);
  });
});

it('what is withdrawn or private is not unknown', () => {
  for (const classifier of ['Private :: Do Not Upload', 'Natural Language :: Ukranian'])
    expect(objection(classifier, { deprecatedClassifiers: true })).toBeUndefined();
  expect(objection('Topic :: Cheese', { unknownClassifiers: true })).toBeUndefined();
});
