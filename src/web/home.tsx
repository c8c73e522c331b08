import { installSteps, uploadSteps, type SetupStep, type SetupValues } from './setup-lines.ts';

/** What the page at `/` shows of an index. Plain values only. */
export interface HomeValues extends SetupValues {
  /** '' for the default index. */
  readonly indexName: string;
  readonly projects: number;
  readonly files: number;
  readonly bins: number;
  /** Undefined before anything is signed. */
  readonly snapshotVersion: number | undefined;
  readonly rootVersion: number | undefined;
  /** Signatures that root needs; 1 is a trial. */
  readonly rootThreshold: number | undefined;
  readonly roles: readonly RoleValues[];
  /** The moment the page is made. */
  readonly now: Date;
}

export interface RoleValues {
  readonly role: string;
  readonly version: number;
  readonly expires: Date;
}

const DAY = 86_400_000;

/** The whole page as HTML; links are relative to the address of the index, `root` is the way from there to the server's own root. */
export function renderHome(values: HomeValues, root: string): string {
  const html = (<Home values={values} root={root} />) as unknown as { toString(): string };
  return `<!doctype html>\n${html.toString()}\n`;
}

function Home({ values, root }: { values: HomeValues; root: string }) {
  const title = values.indexName === '' ? 'Rind' : `Rind: ${values.indexName}`;
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>{title}</title>
        <link rel="stylesheet" href={`${root}static/rind.css`} />
      </head>
      <body>
        <header>
          <h1>Rind {values.indexName === '' ? null : <small>{values.indexName}</small>}</h1>
          <p>A Python package index whose every byte can be verified.</p>
        </header>
        <main>
          <TrialNote threshold={values.rootThreshold} />
          <Figures values={values} />
          <Steps title="Upload" steps={uploadSteps(values)} />
          <Steps title="Install, verified" steps={installSteps(values)} />
          <Trust values={values} />
          <Expiry values={values} />
        </main>
        <footer class="quiet">
          <p>
            <a href="simple/">All projects</a> &middot; Unmodified installers can read the same pages without
            verification at <code>{values.url}simple/</code>.
          </p>
        </footer>
      </body>
    </html>
  );
}

function TrialNote({ threshold }: { threshold: number | undefined }) {
  if (threshold !== 1) return null;
  return (
    <div class="note">
      <p>
        <strong>For trying out.</strong> One signature is enough to change this root: whoever has that one key
        owns the index. A key ceremony is the real way.
      </p>
    </div>
  );
}

function Figures({ values }: { values: HomeValues }) {
  const figures = [
    ['Projects', values.projects],
    ['Files', values.files],
    ['Snapshot', values.snapshotVersion ?? 'none yet'],
    ['Bins', values.bins],
  ] as const;
  return (
    <dl class="figures">
      {figures.map(([name, figure]) => (
        <div>
          <dt>{name}</dt>
          <dd>{typeof figure === 'number' ? figure.toLocaleString('en') : figure}</dd>
        </div>
      ))}
    </dl>
  );
}

function Steps({ title, steps }: { title: string; steps: readonly SetupStep[] }) {
  return (
    <section>
      <h2>{title}</h2>
      <ol class="steps">
        {steps.map(({ tool, purpose, lines }) => (
          <li>
            <h3>
              {tool} <span>{purpose}</span>
            </h3>
            <pre>
              <code>{lines.join('\n')}</code>
            </pre>
          </li>
        ))}
      </ol>
    </section>
  );
}

function Trust({ values: { fingerprint, rootVersion } }: { values: HomeValues }) {
  if (fingerprint === undefined) return null;
  return (
    <section>
      <h2>Root fingerprint</h2>
      <p class="hash">{fingerprint}</p>
      <p class="quiet">
        Of root version {rootVersion}: the sha256 of its canonical signed part. Compare it with what the
        people who run this index told you by another way; this page cannot prove itself.
      </p>
    </section>
  );
}

function Expiry({ values: { roles, now } }: { values: HomeValues }) {
  if (roles.length === 0) return null;
  return (
    <section>
      <h2>Signatures</h2>
      <div class="scroll">
        <table>
          <thead>
            <tr>
              <th>Role</th>
              <th>Version</th>
              <th>Valid until</th>
              <th>Left</th>
            </tr>
          </thead>
          <tbody>
            {roles.map(({ role, version, expires }) => (
              <tr>
                <td>{role}</td>
                <td>{version}</td>
                <td>{`${expires.toISOString().slice(0, 16).replace('T', ' ')} UTC`}</td>
                <td class={expires.getTime() - now.getTime() < DAY ? 'soon' : undefined}>
                  {left(expires, now)}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function left(expires: Date, now: Date): string {
  const rest = expires.getTime() - now.getTime();
  if (rest <= 0) return 'expired';
  const days = Math.floor(rest / DAY);
  if (days >= 2) return `${days} days`;
  const hours = Math.floor(rest / 3_600_000);
  if (hours < 1) return 'less than an hour';
  return hours === 1 ? '1 hour' : `${hours} hours`;
}
