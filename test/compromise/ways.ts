import { projectRoleName } from '../../src/claims/names.ts';
import { targetPathPrefix } from '../../src/db/targets.ts';
import { BinLayout } from '../../src/repository/bins.ts';
import type { TargetFile } from '../../src/tuf/file.ts';
import { BINS, PROJECTS, withProject } from './claims-world.ts';
import type { Thief } from './thief.ts';

const layout = new BinLayout(BINS);

/** Targets of the thief's by project and path. */
export type Forgeries = ReadonlyMap<string, ReadonlyMap<string, TargetFile>>;

async function listInBins(thief: Thief, forged: Forgeries): Promise<void> {
  for (const targets of forged.values())
    for (const [path, target] of targets)
      await thief.change(layout.nameOf(targetPathPrefix(path)), (bin) =>
        bin.with({ targets: new Map(bin.targets).set(path, target) }),
      );
}

async function listInProjects(thief: Thief, forged: Forgeries, projects: readonly string[]): Promise<void> {
  for (const project of projects)
    await thief.change(projectRoleName(project), (role) =>
      role.with({ targets: new Map([...role.targets, ...(forged.get(project) ?? [])]) }),
    );
}

/** Every way to other files that there is for somebody who has the keys for it. */
export const WAYS: Readonly<Record<string, (thief: Thief, forged: Forgeries) => Promise<void>>> = {
  'new targets in the projects’ own roles': (thief, forged) =>
    listInProjects(thief, forged, ['flask', 'django']),
  'files in the bins': listInBins,
  'projects given to another key in recently-claimed': async (thief, forged) => {
    for (const project of PROJECTS) await thief.ownProject('recently-claimed', project);
    await listInProjects(thief, forged, ['django', 'six']);
  },
  'projects given to another key in claimed': async (thief, forged) => {
    for (const project of PROJECTS) await thief.ownProject('claimed', project);
    await listInProjects(thief, forged, PROJECTS);
  },
  'projects left out of recently-claimed': async (thief, forged) => {
    await thief.change('recently-claimed', (list) => withProject(list, 'django', undefined));
    await listInBins(thief, forged);
  },
  'projects left out of claimed': async (thief, forged) => {
    await thief.change('claimed', (list) => withProject(list, 'flask', undefined));
    await listInBins(thief, forged);
  },
  'files in targets itself': async (thief, forged) => {
    const targets = new Map([...forged.values()].flatMap((files) => [...files]));
    await thief.change('targets', (present) => present.with({ targets }));
  },
  'a root that makes targets his': async (thief, forged) => {
    await thief.takeRoot(['timestamp', 'snapshot', 'targets']);
    const targets = new Map([...forged.values()].flatMap((files) => [...files]));
    await thief.change('targets', (present) => present.with({ targets }));
  },
};
