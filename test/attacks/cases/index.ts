import type { AttackCase, AttackSection } from '../attack-case.ts';
import { delegationSections } from './delegations.ts';
import { fileSections } from './files.ts';
import { keySections } from './keys.ts';
import { machineSections } from './machine.ts';
import { secureSections } from './secure.ts';
import { transportSections } from './transport.ts';
import { versionSections } from './versions.ts';

/** Every attack, with the verdict that was written before it was tried. */
export const sections: readonly AttackSection[] = [
  ...fileSections,
  ...versionSections,
  ...keySections,
  ...delegationSections,
  ...transportSections,
  ...secureSections,
  ...machineSections,
];

export const allCases: readonly AttackCase[] = sections.flatMap(({ cases }) => cases);
