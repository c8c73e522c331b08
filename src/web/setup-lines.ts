/** Where an index is and what its first trust rests on. Plain values: this is shown on the page at `/` and in the terminal. */
export interface SetupValues {
  /** The address of the index, with its last `/`. */
  readonly url: string;
  /** sha256 of the canonical signed part of `root`; undefined while there is no root. */
  readonly fingerprint: string | undefined;
  /** The version of that root; undefined while there is none. */
  readonly rootVersion: number | undefined;
  /** How the program is called here, `rind` when absent. */
  readonly program?: string;
}

/** One thing to do, as lines ready to paste into a shell. */
export interface SetupStep {
  readonly tool: string;
  /** What the lines are for, a few words. */
  readonly purpose: string;
  readonly lines: readonly string[];
}

/** How to upload with the tools that people have. */
export function uploadSteps({ url }: SetupValues): readonly SetupStep[] {
  const endpoint = `${url}legacy/`;
  return [
    {
      tool: 'twine',
      purpose: 'asks for the API token',
      lines: [`twine upload --repository-url ${endpoint} -u __token__ dist/*`],
    },
    {
      tool: 'uv publish',
      purpose: 'asks for the API token',
      lines: [`uv publish --publish-url ${endpoint} --username __token__ dist/*`],
    },
  ];
}

/** How to install, verified, with the installers that people have. The first step is done once per machine. */
export function installSteps(values: SetupValues): readonly SetupStep[] {
  const { url, fingerprint, rootVersion = 1, program: rind = 'rind' } = values;
  const version = rootVersion === 1 ? '' : ` --root-version ${rootVersion}`;
  const first = fingerprint === undefined ? '--root root.json' : `--fingerprint ${fingerprint}${version}`;
  return [
    { tool: 'trust', purpose: 'once per machine', lines: [`${rind} trust add ${url} ${first}`] },
    { tool: 'pip', purpose: 'any pip command', lines: [`${rind} pip install PACKAGE`] },
    { tool: 'uv', purpose: 'any uv command', lines: [`${rind} run -- uv pip install PACKAGE`] },
    {
      tool: 'poetry',
      purpose: 'the first line once per project',
      lines: [`poetry source add --priority=primary rind ${url}simple/`, `${rind} poetry install`],
    },
    { tool: 'pdm', purpose: 'any pdm command', lines: [`${rind} run -- pdm install`] },
  ];
}
