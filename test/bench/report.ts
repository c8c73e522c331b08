import { readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';

/** How much is measured: `--quick` shows that everything runs, its figures mean little. */
export const isQuick = process.argv.includes('--quick');

/** A table of one part of the benchmark. */
export interface Table {
  readonly title: string;
  /** What was measured and how, one or two sentences. */
  readonly method: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** What could not be measured here, and why. */
  readonly missing: readonly string[];
}

export function machine(): string {
  const [first] = cpus();
  const memory = `${(totalmem() / 2 ** 30).toFixed(0)} GiB`;
  return `${cpus().length} x ${first?.model.trim() ?? 'unknown processor'}, ${memory}, ${process.platform} ${process.arch}`;
}

export function renderTable({ columns, rows }: Table): string {
  const widths = columns.map((column, index) =>
    Math.max(column.length, ...rows.map((row) => (row[index] ?? '').length)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${widths.map((width, index) => (cells[index] ?? '').padEnd(width)).join(' | ')} |`;
  return [
    line(columns),
    `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`,
    ...rows.map(line),
  ].join('\n');
}

function renderMarkdown(tables: readonly Table[], command: string): string {
  const parts = tables.map((table) => {
    const missing = table.missing.map((reason) => `\n\nNot measured here: ${reason}.`).join('');
    return `## ${table.title}\n\n${table.method}\n\n${renderTable(table)}${missing}`;
  });
  const head = [
    '# Benchmarks',
    '',
    `Written by \`${command}\` on ${new Date().toISOString().slice(0, 10)}, Node.js ${process.version}, ${machine()}. A shared virtual machine: read the ratios, the absolute numbers vary by a factor of two.`,
  ];
  return `${head.join('\n')}\n\n${parts.join('\n\n')}\n`;
}

/** The document with this table in the place of an earlier one of the same title, or at its end; the rest stays. */
export function replaceSection(document: string, table: Table, command: string): string {
  const [written = ''] = renderMarkdown([table], command).split('\n').slice(2);
  const body = renderMarkdown([table], command).split(`## ${table.title}\n`)[1] ?? '';
  const section = `## ${table.title}\n\n${written}\n${body}`;
  const start = document.indexOf(`## ${table.title}\n`);
  if (start === -1) return `${document === '' ? '# Benchmarks\n' : document}\n${section}`;
  const next = document.indexOf('\n## ', start);
  return `${document.slice(0, start)}${section}${next === -1 ? '' : document.slice(next)}`;
}

/** The value below which the given share of the values lies. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

export function milliseconds(value: number): string {
  return `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ms`;
}

/** Processor time (user and system, all threads) a process has used so far, in seconds. Linux only. */
export function processorSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Resident memory of a process in MiB. Linux only. */
export function residentMemory(pid: number): number {
  const kilobytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) / 1024;
}
