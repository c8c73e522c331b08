import { shown, isTrustedUrl, type Finding, type Surroundings } from './finding.ts';

/** Variables that name places packages come from, with what installers do with them. */
const PLACES: readonly (readonly [pattern: RegExp, tool: string, underRun: Finding['underRun']])[] = [
  [/^PIP_(?:INDEX_URL|PYPI_URL|FIND_LINKS)$/, 'pip', 'left out'],
  [/^PIP_EXTRA_INDEX_URL$/, 'pip', 'refused'],
  [/^UV_(?:INDEX_URL|FIND_LINKS)$/, 'uv', 'left out'],
  [/^UV_(?:INDEX|DEFAULT_INDEX|EXTRA_INDEX_URL)$/, 'uv', 'refused'],
  [/^PIPENV_PYPI_MIRROR$/, 'pipenv', 'left out'],
  [/^PDM_PYPI_(?:.*_)?URL$/, 'pdm', 'left out'],
  [/^POETRY_REPOSITORIES_.*_URL$/, 'poetry', 'refused'],
];

/** Variables that change how packages are looked for. */
const SWITCHES: Readonly<
  Record<string, readonly [what: string, underRun: Finding['underRun'], remedy: string]>
> = {
  PIP_NO_INDEX: ['pip asks no index and takes what --find-links names', 'left out', 'unset it'],
  UV_NO_INDEX: ['uv asks no index and takes what find-links names', 'left out', 'unset it'],
  PIP_TRUSTED_HOST: ['pip does not check who answers for these hosts', 'left out', 'unset it'],
  UV_INSECURE_HOST: ['uv does not check who answers for these hosts', 'left out', 'unset it'],
  PIP_ISOLATED: ['pip does not read its settings, so not those of rind client setup', 'left out', 'unset it'],
  PIP_PROXY: [
    'pip goes through this proxy, whatever else is set',
    'left out',
    'use HTTPS_PROXY, which rind run honours',
  ],
  UV_FROZEN: [
    'uv installs what uv.lock says without asking the index, so withdrawn files go on being installed',
    'verified',
    'check the lock: rind lock check',
  ],
  UV_OFFLINE: [
    'uv takes packages from its cache alone, whether they were verified or not',
    'left out',
    'unset it',
  ],
  UV_CONFIG_FILE: ['uv reads its settings from another file', 'left out', 'look into that file'],
  PIP_CONFIG_FILE: ['pip reads its settings from another file', 'left out', 'look into that file'],
};

const UV_PROXIES = ['UV_HTTP_PROXY', 'UV_HTTPS_PROXY', 'UV_ALL_PROXY', 'UV_NO_PROXY'];
const SETTINGS_FILES: ReadonlySet<string> = new Set(['UV_CONFIG_FILE', 'PIP_CONFIG_FILE']);

/** What the environment has that leads around the verification. */
export function examineVariables(surroundings: Surroundings): readonly Finding[] {
  const findings: Finding[] = [];
  for (const [name, value = ''] of Object.entries(surroundings.environment)) {
    const upper = name.toUpperCase();
    if (value === '') continue;
    findings.push(...placeFindings(upper, value, surroundings));
    const known = SWITCHES[upper];
    if (known !== undefined && !/^(?:0|false|no|off|\/dev\/null)$/i.test(value)) {
      const [what, underRun, remedy] = known;
      const severity = SETTINGS_FILES.has(upper) ? 'note' : 'around';
      findings.push({
        severity,
        place: upper,
        what: `${what} (${shown(value)}).`,
        underRun,
        remedy: sentence(remedy),
      });
    }
    if (UV_PROXIES.includes(upper)) findings.push(uvProxy(upper));
    if (upper === 'UV_INDEX_STRATEGY' && value.startsWith('unsafe'))
      findings.push(strategy('UV_INDEX_STRATEGY', value));
    if (upper === 'NO_PROXY') findings.push(...noProxy(value, surroundings));
  }
  return findings;
}

/** uv merges indexes, so that another one can offer a higher version of a private name. */
export function strategy(place: string, value: string): Finding {
  return {
    severity: 'around',
    place,
    what: `uv takes the best version from all indexes together (${shown(value)}), so any of them can take over a name.`,
    underRun: 'refused',
    remedy: 'Take it out: the default asks the first index that has the name.',
  };
}

function placeFindings(name: string, value: string, surroundings: Surroundings): Finding[] {
  const entry = PLACES.find(([pattern]) => pattern.test(name));
  if (entry === undefined) return [];
  const [, tool, underRun] = entry;
  const others = value.split(/[\s,]+/).filter((url) => url !== '' && !isTrustedUrl(url, surroundings));
  return others.map((url) => ({
    severity: 'around',
    place: name,
    what: `${tool} installs from ${shown(url)}, which no trusted index signed.`,
    underRun,
    remedy: 'Unset it.',
  }));
}

function uvProxy(place: string): Finding {
  return {
    severity: 'around',
    place,
    what: 'uv has proxy settings of its own, which count before those of rind run.',
    underRun: 'left out',
    remedy: 'Use HTTPS_PROXY and NO_PROXY, which rind run honours.',
  };
}

function noProxy(value: string, { trusted }: Surroundings): Finding[] {
  const hosts = value.split(/[\s,]+/).filter((host) => host !== '');
  const affected = trusted
    .map((url) => new URL(url).hostname)
    .filter((host) =>
      hosts.some(
        (each) => each === '*' || host === each || host.endsWith(`.${each.replace(/^\.|:\d+$/g, '')}`),
      ),
    );
  return [...new Set(affected)].map((host) => ({
    severity: 'around',
    place: 'NO_PROXY',
    what: `Programs reach ${host} around any proxy.`,
    underRun: 'left out',
    remedy: 'Nothing, as long as installers are started by rind run.',
  }));
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
