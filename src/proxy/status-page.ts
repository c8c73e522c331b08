import { createHash } from 'node:crypto';
import type { Answer } from './failure-answer.ts';
import type { Withheld } from './ruled-index.ts';
import type { Verdict } from './verdict.ts';

/** A trusted index as far as it is known here. */
export interface IndexStatus {
  readonly url: string;
  /** How its root came to be trusted, in words. */
  readonly trustedBy: string;
  readonly fingerprint: string;
  readonly rootVersion: number;
  readonly rootExpires: Date;
  readonly timestamp: { readonly version: number; readonly expires: Date } | undefined;
  /** When the newest timestamp was taken. */
  readonly seenAt: Date | undefined;
  readonly roles: readonly {
    readonly name: string;
    readonly threshold: number;
    readonly keys: readonly string[];
  }[];
}

/** Something that was not given to an installer. */
export interface Refused {
  readonly at: Date;
  readonly verdict: Verdict;
  /** How often it was asked for. */
  readonly count: number;
}

/** What the status page of the proxy tells. */
export interface ProxyStatus {
  readonly now: Date;
  readonly startedAt: Date;
  readonly simpleUrl: string;
  /** Who decided what is trusted. */
  readonly source: string;
  /** Milliseconds after which a new snapshot is taken. */
  readonly sessionMaxAge: number;
  readonly indexes: readonly IndexStatus[];
  /** The newest first. */
  readonly refused: readonly Refused[];
  readonly withheld: readonly Withheld[];
}

/** The page for a person who opens the address of the proxy. */
export function renderStatusPage(status: ProxyStatus): Answer {
  const styleHash = createHash('sha256').update(STYLE).digest('base64');
  return {
    status: 200,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'content-security-policy': `default-src 'none'; style-src 'sha256-${styleHash}'; frame-ancestors 'none'`,
    },
    body: html`<!doctype html>
      <html lang="en">
        <head>
          <meta charset="utf-8" />
          <meta name="viewport" content="width=device-width, initial-scale=1" />
          <title>rind proxy</title>
          ${raw(`<style>${STYLE}</style>`)}
        </head>
        <body>
          <main>
            <h1>rind proxy</h1>
            <p>${summaryOf(status)}</p>
            <dl>
              <dt>Index URL for tools</dt>
              <dd><code>${status.simpleUrl}</code></dd>
              <dt>Trust decided by</dt>
              <dd>${status.source}</dd>
              <dt>Running since</dt>
              <dd>${minute(status.startedAt)}</dd>
              <dt>New snapshot</dt>
              <dd>after ${String(Math.round(status.sessionMaxAge / 60_000))} minutes</dd>
            </dl>
            <h2>Refused</h2>
            ${raw(refusedTable(status))} ${raw(withheldTable(status))}
            <h2>Trusted indexes</h2>
            ${raw(status.indexes.map((index) => indexSection(index, status.now)).join(''))}
          </main>
        </body>
      </html>`.text,
  };
}

function summaryOf({ refused, indexes }: ProxyStatus): string {
  const from = indexes.length === 1 ? 'one index' : `${indexes.length} indexes`;
  const what = `Tools that use this address are given what ${from} signed, and nothing else.`;
  return refused.length === 0 ? `${what} Nothing had to be refused.` : what;
}

function refusedTable({ refused }: ProxyStatus): string {
  if (refused.length === 0) return '<p>Nothing since the proxy was started.</p>';
  const rows = refused.map(
    ({ at, verdict, count }) =>
      html`<tr>
        <td>${minute(at)}${count > 1 ? ` (${count} times)` : ''}</td>
        <td><code>${verdict.subject}</code><br /><small>${verdict.index}</small></td>
        <td><b>${verdict.code}</b></td>
        <td>${verdict.what}<br />${verdict.meaning}<br />${verdict.remedy}</td>
      </tr>`.text,
  );
  return `<div class="wide"><table class="stack"><thead><tr><th>When</th><th>What</th><th>Finding</th><th>Why, what it may mean, what to do</th></tr></thead><tbody>${rows.join('')}</tbody></table></div>`;
}

function withheldTable({ withheld }: ProxyStatus): string {
  if (withheld.length === 0) return '';
  const rows = withheld.map(
    ({ project, reason, filenames }) =>
      html`<tr>
        <td>${project}</td>
        <td>${reason}</td>
        <td>${filenames.slice(0, 5).join(', ')}${filenames.length > 5 ? ', ...' : ''}</td>
      </tr>`.text,
  );
  return `<h2>Left out by rules</h2><div class="wide"><table><thead><tr><th>Project</th><th>Rule</th><th>Files</th></tr></thead><tbody>${rows.join('')}</tbody></table></div>`;
}

function indexSection(index: IndexStatus, now: Date): string {
  const roles = index.roles.map(
    ({ name, threshold, keys }) =>
      html`<tr>
        <td>${name}</td>
        <td>${String(threshold)} of ${String(keys.length)}</td>
        <td><code>${keys.join(', ')}</code></td>
      </tr>`.text,
  );
  const { timestamp, seenAt } = index;
  const seen =
    timestamp === undefined
      ? 'not asked yet'
      : `timestamp ${timestamp.version}, ${seenAt === undefined ? '' : `taken ${ago(seenAt, now)}, `}expires ${minute(timestamp.expires)}`;
  return html`<section>
    <h3>${index.url}</h3>
    <dl>
      <dt>Trusted by</dt>
      <dd>${index.trustedBy}</dd>
      <dt>Root it began with</dt>
      <dd><code>${index.fingerprint}</code></dd>
      <dt>Newest root</dt>
      <dd>version ${String(index.rootVersion)}, expires ${minute(index.rootExpires)}</dd>
      <dt>Last seen</dt>
      <dd>${seen}</dd>
    </dl>
    <div class="wide">
      <table>
        <thead>
          <tr>
            <th>Role</th>
            <th>Needed</th>
            <th>Keys</th>
          </tr>
        </thead>
        <tbody>
          ${raw(roles.join(''))}
        </tbody>
      </table>
    </div>
  </section>`.text;
}

function minute(moment: Date): string {
  return `${moment.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

function ago(moment: Date, now: Date): string {
  const minutes = Math.max(0, Math.floor((now.getTime() - moment.getTime()) / 60_000));
  if (minutes === 0) return 'less than a minute ago';
  if (minutes < 120) return `${minutes} ${minutes === 1 ? 'minute' : 'minutes'} ago`;
  return `${Math.floor(minutes / 60)} hours ago`;
}

/** Text that is HTML already. */
interface Html {
  readonly text: string;
}

function raw(text: string): Html {
  return { text };
}

/** Everything put into the template is escaped, unless it is HTML already. */
function html(parts: TemplateStringsArray, ...values: readonly (string | Html)[]): Html {
  const escaped = values.map((value) => (typeof value === 'string' ? escapeHtml(value) : value.text));
  return { text: parts.map((part, position) => part + (escaped[position] ?? '')).join('') };
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

const STYLE = `
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --accent: #8a5a00; }
@media (prefers-color-scheme: dark) { :root { --accent: #f0b95a; } }
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 70rem; margin: 0 auto; padding: 1.5rem; }
h1 { margin: 0 0 .5rem; font-size: 1.8rem; }
h2 { margin: 2rem 0 .5rem; font-size: 1.25rem; border-bottom: 1px solid var(--line); }
h3 { margin: 1rem 0 .25rem; font-size: 1.05rem; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1.5rem; margin: .5rem 0 1rem; }
dt { color: #777; }
dd { margin: 0; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .4rem .8rem .4rem 0; border-bottom: 1px solid var(--line); }
td code { overflow-wrap: anywhere; }
td b { color: var(--accent); white-space: nowrap; }
code { font: .875em ui-monospace, monospace; background: var(--soft); padding: .1em .3em; border-radius: 3px; }
@media (max-width: 40rem) {
  .stack thead { display: none; }
  .stack tr { display: block; padding: .4rem 0; border-bottom: 1px solid var(--line); }
  .stack td { display: block; padding: .1rem 0; border: 0; }
}
@media (max-width: 40rem) { dl { grid-template-columns: 1fr; } dd { margin-bottom: .5rem; } }
`;
