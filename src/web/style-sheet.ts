/** The one style sheet of the pages, served by the server at `static/rind.css`. System fonts, light and dark, phone first; no script is needed for anything. */
export const styleSheet = `:root {
  color-scheme: light dark;
  --ground: light-dark(#fbfaf7, #17181a);
  --surface: light-dark(#ffffff, #1f2124);
  --line: light-dark(#e4dfd4, #34373c);
  --text: light-dark(#22211e, #e9e7e2);
  --quiet: light-dark(#67635a, #a5a199);
  --rind: light-dark(#9a5b00, #f0b357);
  --warn: light-dark(#fff4d9, #3a2f14);
  --warn-line: light-dark(#e2b23c, #86691f);
  --bad: light-dark(#b3261e, #ff8a80);
}
* { box-sizing: border-box; }
body {
  margin: 0;
  background: var(--ground);
  color: var(--text);
  font: 1rem/1.55 system-ui, sans-serif;
  overflow-wrap: break-word;
}
header, main, footer { max-width: 54rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 2.5rem; }
h1 { margin: 0; font-size: 1.9rem; letter-spacing: -0.02em; line-height: 1.2; }
h1 small { color: var(--rind); font-size: 1rem; font-weight: 600; letter-spacing: 0; margin-left: 0.4rem; }
h2 { margin: 2.5rem 0 0.75rem; font-size: 1.15rem; }
p { margin: 0.5rem 0; max-width: 42rem; }
a { color: var(--rind); }
a:focus-visible { outline: 2px solid var(--rind); outline-offset: 2px; }
.quiet { color: var(--quiet); font-size: 0.9rem; }
.note {
  margin: 1.25rem 0;
  padding: 0.75rem 1rem;
  background: var(--warn);
  border: 1px solid var(--warn-line);
  border-radius: 0.5rem;
}
.note p { margin: 0; }
dl.figures { display: grid; grid-template-columns: repeat(4, minmax(0, 1fr)); gap: 0.75rem; margin: 1.5rem 0 0; }
@media (max-width: 36rem) { dl.figures { grid-template-columns: repeat(2, minmax(0, 1fr)); } }
dl.figures div { background: var(--surface); border: 1px solid var(--line); border-radius: 0.5rem; padding: 0.6rem 0.9rem; }
dl.figures dt { color: var(--quiet); font-size: 0.85rem; }
dl.figures dd { margin: 0; font-size: 1.35rem; font-weight: 600; font-variant-numeric: tabular-nums; }
ol.steps { list-style: none; margin: 0; padding: 0; display: grid; grid-template-columns: minmax(0, 1fr); gap: 0.9rem; }
ol.steps h3 { margin: 0 0 0.25rem; font-size: 0.95rem; }
ol.steps h3 span { color: var(--quiet); font-weight: 400; }
pre {
  margin: 0;
  padding: 0.65rem 0.9rem;
  background: var(--surface);
  border: 1px solid var(--line);
  border-radius: 0.5rem;
  overflow-x: auto;
}
code, .hash { font: 0.875rem/1.6 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
pre code { display: block; width: max-content; min-width: 100%; user-select: all; -webkit-user-select: all; }
.hash { overflow-wrap: anywhere; user-select: all; -webkit-user-select: all; }
.scroll { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 0.45rem 0.6rem 0.45rem 0; border-bottom: 1px solid var(--line); text-align: left; white-space: nowrap; }
th { color: var(--quiet); font-size: 0.85rem; font-weight: 500; }
td.soon { color: var(--bad); font-weight: 600; }
@media (max-width: 36rem) { th, td { font-size: 0.85rem; } }
footer { padding-top: 2.5rem; padding-bottom: 2.5rem; }
`;
