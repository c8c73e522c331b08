/** Classifiers that PyPI withdrew, and what took their place where something did. */
const WITHDRAWN: ReadonlyMap<string, string | undefined> = new Map([
  ['Framework :: Django CMS :: 4.2', 'Framework :: Django CMS :: 5.0'],
  ['License :: OSI Approved :: Intel Open Source License', undefined],
  ['License :: OSI Approved :: Jabber Open Source License', undefined],
  ['License :: OSI Approved :: MITRE Collaborative Virtual Workspace License (CVW)', undefined],
  ['License :: OSI Approved :: Sun Industry Standards Source License (SISSL)', undefined],
  ['License :: OSI Approved :: X.Net License', undefined],
  ['Natural Language :: Ukranian', 'Natural Language :: Ukrainian'],
  ['Topic :: Communications :: Chat :: AOL Instant Messenger', undefined],
]);

/**
 * Why a public index does not take a classifier, as the end of a sentence; `undefined` when nothing speaks against it. The full list of
 * classifiers is PyPI's and grows: an unknown one is taken.
 */
export function classifierObjection(classifier: string): string | undefined {
  if (/^private ::/i.test(classifier)) return 'says that the distribution is not for a public index';
  if (!WITHDRAWN.has(classifier)) return undefined;
  const successor = WITHDRAWN.get(classifier);
  return successor === undefined ? 'was withdrawn' : `was withdrawn, '${successor}' took its place`;
}
