import { exists, readBounded } from '../ceremony/durable-folder.ts';
import { measurePlan, type PlanCost, type Size } from '../ceremony/cost.ts';
import { lintPlan } from '../ceremony/plan-lint.ts';
import { parsePlan, type CeremonyPlan } from '../ceremony/plan.ts';
import { askPlan } from './ask-plan.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { print, say } from './terminal.ts';

/** Checks a plan and shows what it costs. Fails when the plan cannot work. */
export async function showPlan(path: string, asJson: boolean): Promise<ExitCode> {
  if (!(await exists(path))) await askPlan(path);
  const plan = parsePlan(await readBounded(path));
  const problems = lintPlan(plan);
  const isWorkable = problems.every(({ severity }) => severity !== 'error');
  const cost = isWorkable ? measurePlan(plan) : undefined;
  if (asJson) {
    print(
      JSON.stringify(
        { plan, problems, cost: cost && { ...cost, roles: Object.fromEntries(cost.roles) } },
        undefined,
        2,
      ),
    );
  } else if (cost !== undefined) tell(plan, cost);
  for (const { severity, message } of problems) say(`${severity}: ${message}`);
  return isWorkable ? EXIT.ok : EXIT.failure;
}

function tell(plan: CeremonyPlan, cost: PlanCost): void {
  print(`${plan.bins} bins by ${plan.layout}, ${cost.targetsPerBin} targets in each of them`);
  print('');
  print('measured                     plain       gzip');
  for (const [role, size] of cost.roles) print(row(role, size));
  print(row('new user, first install', cost.newUser));
  print(row('returning user', cost.returningUser));
  print(row('nothing new', cost.unchanged));
  print('');
  print('signatures that later changes take');
  for (const change of cost.changes) print(`- ${change}`);
}

function row(name: string, { plain, gzip }: Size): string {
  return `${name.padEnd(24)} ${bytes(plain)} ${bytes(gzip)}`;
}

function bytes(count: number): string {
  return `${count.toLocaleString('en-US')}`.padStart(10);
}
