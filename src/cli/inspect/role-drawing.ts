import type { InspectedRole, Inspection } from '../../proxy/inspection.ts';
import { expiryText, keysText } from './role-table.ts';

const WIDTH = 210;
const HEIGHT = 76;
const GAP = 22;
const LEVEL = 128;
const MARGIN = 32;
const TITLE = 44;

interface Placed {
  readonly role: InspectedRole;
  readonly x: number;
  readonly y: number;
  readonly parent: Placed | undefined;
}

/** The trust tree as a drawing (SVG): a box for each role, below the one that delegates to it. */
export function drawRoles(inspection: Inspection, now: Date): string {
  const placed = place(inspection.roles);
  const width = Math.max(...placed.map(({ x }) => x + WIDTH)) + MARGIN;
  const height = Math.max(...placed.map(({ y }) => y + HEIGHT)) + MARGIN;
  const title = `Who signs for whom: ${inspection.url}`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif">`,
    `<title>${escape(title)}</title>`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    text(MARGIN, MARGIN + 6, 16, title, '#1d2a33', 'bold'),
    ...placed.map(line),
    ...placed.map((each) => box(each, now)),
    '</svg>',
    '',
  ].join('\n');
}

/** Children side by side, every parent above the middle of its own. */
function place(roles: readonly InspectedRole[]): readonly Placed[] {
  const placed: Placed[] = [];
  let next = MARGIN;
  const widthOf = (name: string): number => {
    const children = roles.filter(({ delegatedBy }) => delegatedBy === name);
    const total = children.reduce((sum, child) => sum + widthOf(child.name) + GAP, -GAP);
    return Math.max(WIDTH, total);
  };
  const add = (role: InspectedRole, depth: number, left: number, parent: Placed | undefined): void => {
    const space = widthOf(role.name);
    const here = { role, x: left + (space - WIDTH) / 2, y: MARGIN + TITLE + depth * LEVEL, parent };
    placed.push(here);
    let x = left;
    for (const child of roles.filter(({ delegatedBy }) => delegatedBy === role.name)) {
      add(child, depth + 1, x, here);
      x += widthOf(child.name) + GAP;
    }
    next = left + space + GAP;
  };
  for (const role of roles) if (role.delegatedBy === undefined) add(role, 0, next, undefined);
  return placed;
}

function line({ x, y, parent }: Placed): string {
  if (parent === undefined) return '';
  const [startX, startY] = [parent.x + WIDTH / 2, parent.y + HEIGHT];
  const [endX, endY] = [x + WIDTH / 2, y];
  const middle = (startY + endY) / 2;
  return `<path d="M${startX} ${startY} V${middle} H${endX} V${endY}" fill="none" stroke="#8ea3ae" stroke-width="1.5"/>`;
}

function box({ role, x, y }: Placed, now: Date): string {
  const isBad = role.problem !== undefined || (role.expires !== undefined && role.expires <= now);
  const [fill, stroke] = isBad
    ? ['#fde8e6', '#b3261e']
    : role.count > 1
      ? ['#eef3f6', '#5d7887']
      : ['#e9f3ec', '#3d7a54'];
  const shape = (offset: number): string =>
    `<rect x="${x + offset}" y="${y + offset}" width="${WIDTH}" height="${HEIGHT}" rx="7" fill="${fill}" stroke="${stroke}" stroke-width="1.5"/>`;
  const versions =
    role.versions === undefined ? 'not published' : `version ${[...new Set(role.versions)].join('-')}`;
  const many = `${role.count} roles, ${versions}`;
  return [
    // Several roles are a pile.
    ...(role.count > 1 ? [shape(8), shape(4)] : []),
    shape(0),
    text(x + 12, y + 22, 14, role.name, '#1d2a33', 'bold'),
    text(x + 12, y + 42, 12, role.count > 1 ? keysText(role) : `${keysText(role)}, ${versions}`, '#33454f'),
    text(x + 12, y + 60, 12, role.count > 1 ? many : expiryText(role, now), isBad ? '#b3261e' : '#33454f'),
  ].join('\n');
}

function text(x: number, y: number, size: number, content: string, fill: string, weight = 'normal'): string {
  const cut =
    content.length > 120 || (size < 16 && content.length > 34)
      ? `${content.slice(0, size < 16 ? 33 : 119)}…`
      : content;
  return `<text x="${x}" y="${y}" font-size="${size}" font-weight="${weight}" fill="${fill}">${escape(cut)}</text>`;
}

function escape(content: string): string {
  return content
    .replace(/[^\P{C}\n]/gu, '?')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
