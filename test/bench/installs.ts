import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { corpus } from '../tools/corpus.ts';
import { cleanEnvironment, run } from '../tools/process.ts';
import { createVirtualEnvironment, pythonTools } from '../tools/python-tools.ts';
import { RindClient, type RindServer } from '../tools/rind-program.ts';
import { UnavailableError } from '../tools/unavailable-error.ts';
import { isQuick, percentile, type Table } from './report.ts';

const rounds = isQuick ? 1 : 5;
const wanted = ['flask', 'requests', 'httpx', 'rich', 'pytest'];

/** Cold and warm `rind pip install` of a tree, beside plain pip on the same index. */
export async function benchInstalls(server: RindServer, folder: string): Promise<Table> {
  const title = 'Verified install beside plain pip';
  const columns = ['install', 'best', 'median', 'of plain pip (best)'];
  const method = `\`pip install --no-cache-dir ${wanted.join(' ')}\` into a fresh virtual environment, from the same index on this machine, ${rounds} times in turns. Cold: nothing but the pinned root is known; warm: the metadata and the verified files of the last run are there.`;
  const provided = await Promise.all([pythonTools(), corpus()]).catch((error: unknown) => {
    if (error instanceof UnavailableError) return error;
    throw error;
  });
  if (provided instanceof UnavailableError)
    return { title, method, columns, rows: [], missing: [provided.message] };
  const [tools, files] = provided;
  const uploaded = await run(
    tools.twine,
    [
      'upload',
      '--non-interactive',
      '--disable-progress-bar',
      '--repository-url',
      server.uploadUrl,
      ...files.filter(({ list }) => list === 'wheels').map(({ path }) => path),
    ],
    { env: cleanEnvironment({ TWINE_USERNAME: '__token__', TWINE_PASSWORD: server.token }) },
  );
  if (uploaded.code !== 0) throw new Error(`the corpus could not be uploaded\n${uploaded.output}`);

  const environment = cleanEnvironment({ PIP_INDEX_URL: `${server.url}simple/` });
  let made = 0;
  const freshPython = async (): Promise<string> => {
    made += 1;
    return join(await createVirtualEnvironment(join(folder, `venv-${made}`), { withPip: false }), 'python');
  };
  const newClient = async (): Promise<RindClient> => {
    made += 1;
    const state = join(folder, `state-${made}`);
    await mkdir(state);
    const client = new RindClient(state, tools.bin);
    const trusted = await client.trust(server);
    if (trusted.code !== 0) throw new Error(trusted.output);
    return client;
  };
  const warm = await newClient();
  const pip = ['install', '--no-cache-dir', '--quiet', ...wanted];
  const ways: Record<string, () => Promise<number>> = {
    'plain pip': async () =>
      timed(run(tools.pip, ['--python', await freshPython(), ...pip], { env: environment })),
    'rind pip, cold': async () =>
      timed((await newClient()).run(['pip', '--python', await freshPython(), ...pip])),
    'rind pip, warm': async () => timed(warm.run(['pip', '--python', await freshPython(), ...pip])),
  };
  await ways['rind pip, warm']?.();
  const taken = new Map<string, number[]>(Object.keys(ways).map((way) => [way, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const [way, measure] of Object.entries(ways)) taken.get(way)?.push(await measure());
  }
  const plain = Math.min(...(taken.get('plain pip') ?? []));
  const rows = [...taken].map(([way, times]) => {
    const best = Math.min(...times);
    return [
      way,
      `${(best / 1000).toFixed(2)} s`,
      `${(percentile(times, 0.5) / 1000).toFixed(2)} s`,
      (best / plain).toFixed(2),
    ];
  });
  return { title, method, columns, rows, missing: [] };
}

async function timed(running: ReturnType<typeof run>): Promise<number> {
  const finished = await running;
  if (finished.code !== 0) throw new Error(`an install failed\n${finished.output}`);
  return finished.milliseconds;
}
