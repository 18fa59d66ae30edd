#include "alambic/report/page_style.h"

namespace alambic {

std::string_view page_style() {
  return R"css(
:root {
  color-scheme: light dark;
  --paper: #fcfcfa; --card: #ffffff; --ink: #1d2126; --soft: #5d6670; --faint: #8b949e;
  --rule: #e3e4e0; --grid: #eeeeea; --good: #1a7f4b; --bad: #b3402e; --tint: #eef4fa;
  --s0: #2a6fb0; --s1: #d9772b; --s2: #2f8f6b; --s3: #9a5cb4; --s4: #b8933a; --s5: #64707c;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #15181c; --card: #1b1f24; --ink: #e4e7ea; --soft: #a2abb4; --faint: #78818b;
    --rule: #2e343b; --grid: #262b31; --good: #5cc08d; --bad: #e88370; --tint: #1d2a37;
    --s0: #6cb0ec; --s1: #f0a05e; --s2: #6cc9a1; --s3: #c79ade; --s4: #dcbc6c; --s5: #9aa6b2;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.55 ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue",
    "Noto Sans", "DejaVu Sans", sans-serif;
  font-variant-numeric: tabular-nums;
}
main { max-width: 1128px; margin: 0 auto; padding: 44px 24px 72px; }
h1, h2 {
  font-family: "Iowan Old Style", "Palatino Linotype", Palatino, "Source Serif 4", Georgia,
    "Noto Serif", "DejaVu Serif", serif;
  font-weight: 600; line-height: 1.2; letter-spacing: -0.01em;
}
h1 { font-size: 34px; margin: 0 0 10px; overflow-wrap: anywhere; }
h2 { font-size: 21px; margin: 46px 0 14px; padding-top: 14px; border-top: 1px solid var(--rule); }
h3 { font-size: 13px; font-weight: 600; color: var(--soft); margin: 26px 0 10px; }
.summary { font-size: 17px; color: var(--soft); max-width: 46em; margin: 0; }
.note, .empty { color: var(--soft); max-width: 52em; font-size: 14px; }
.facts { display: flex; flex-wrap: wrap; gap: 12px 44px; margin: 26px 0 0; padding: 0; }
.facts div { min-width: 84px; }
.facts dt { font-size: 12px; color: var(--soft); }
.facts dd { margin: 1px 0 0; font-size: 21px; font-weight: 600; letter-spacing: -0.01em; }
.facts dd small { font-size: 14px; font-weight: 400; color: var(--soft); }

table { border-collapse: collapse; width: 100%; font-size: 14.5px; }
.scroll { overflow-x: auto; }
th { font-size: 12.5px; font-weight: 600; color: var(--soft); text-align: right; vertical-align: bottom; }
th, td { padding: 9px 14px; border-bottom: 1px solid var(--rule); white-space: nowrap; }
td { text-align: right; }
th:first-child, td:first-child { text-align: left; padding-left: 10px; white-space: normal; }
tr.highlighted td { background: var(--tint); font-weight: 600; }
.meter { display: block; height: 4px; margin: 5px 0 0 auto; width: 110px; background: var(--grid);
  border-radius: 2px; overflow: hidden; }
.meter i { display: block; height: 100%; background: var(--s0); border-radius: 2px; }

.charts { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 16px; }
.charts.pair { grid-template-columns: repeat(2, minmax(0, 1fr)); }
figure { margin: 0; background: var(--card); border: 1px solid var(--rule); border-radius: 8px;
  padding: 12px 12px 6px; break-inside: avoid; min-width: 0; }
figcaption { display: flex; align-items: baseline; gap: 8px; font-size: 13.5px; padding: 0 2px; }
figcaption b { font-weight: 600; }
figcaption .unit { color: var(--faint); font-size: 12px; white-space: nowrap; }
figcaption .last { margin-left: auto; font-weight: 600; white-space: nowrap; }
.legend { display: flex; flex-wrap: wrap; gap: 0 14px; font-size: 12px; color: var(--soft);
  padding: 2px 2px 0; min-height: 20px; }
.legend span::before { content: ""; display: inline-block; width: 12px; height: 3px;
  border-radius: 2px; background: var(--c); margin-right: 6px; vertical-align: middle; }
.legend .dashed::before { background: repeating-linear-gradient(90deg, var(--c) 0 4px, transparent 4px 6px); }
figure svg { display: block; width: 100%; height: auto; }
.wide { margin-top: 6px; }
.wide .legend { font-size: 13.5px; gap: 0 20px; }
svg text { font-family: inherit; fill: var(--soft); font-size: 11px; }
svg .axis-name { fill: var(--faint); }
svg .level-name { font-size: 11px; fill: var(--ink); }
svg .grid { stroke: var(--grid); stroke-width: 1; }
svg .axis { stroke: var(--faint); stroke-width: 1; fill: none; }
svg .level { stroke: var(--ink); stroke-width: 1.2; stroke-dasharray: 5 4; }
svg .line { fill: none; stroke: currentColor; stroke-width: 1.8; stroke-linejoin: round; }
svg .dashed { stroke-dasharray: 5 3; }
svg .cloud { fill: none; stroke: currentColor; stroke-width: 2.4; stroke-linecap: round; opacity: 0.22; }
svg .marks { fill: none; stroke: currentColor; stroke-width: 5; stroke-linecap: round; }
.s0 { color: var(--s0); --c: var(--s0); } .s1 { color: var(--s1); --c: var(--s1); }
.s2 { color: var(--s2); --c: var(--s2); } .s3 { color: var(--s3); --c: var(--s3); }
.s4 { color: var(--s4); --c: var(--s4); } .s5 { color: var(--s5); --c: var(--s5); }
.legend span { color: var(--soft); }

.phases { display: grid; grid-template-columns: max-content 1fr max-content; gap: 8px 16px;
  align-items: center; font-size: 14px; }
.phases .bar { display: flex; height: 22px; border-radius: 4px; overflow: hidden; background: var(--grid); }
.phases .bar i { background: var(--c); min-width: 1px; }
.phases .bar i + i { border-left: 1px solid var(--card); }
.phase-legend { margin-top: 10px; }

.sample { margin: 0 0 22px; break-inside: avoid-page; }
.prompt { border-left: 3px solid var(--rule); padding: 2px 0 2px 14px; margin: 0 0 10px; }
.prompt p { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
.prompt .reference { color: var(--soft); font-size: 13.5px; margin-top: 4px; }
.completions { display: grid; grid-template-columns: repeat(auto-fit, minmax(240px, 1fr)); gap: 12px; }
.completion { background: var(--card); border: 1px solid var(--rule); border-radius: 8px; overflow: hidden; }
.completion header { display: flex; gap: 8px; font-size: 12.5px; color: var(--soft); padding: 7px 12px;
  border-bottom: 1px solid var(--rule); }
.completion header b { color: var(--ink); font-weight: 600; }
.completion header .mark { margin-left: auto; font-weight: 600; }
.mark.right { color: var(--good); } .mark.wrong { color: var(--bad); }
.completion pre { max-height: 260px; }
.completion .notes { font-size: 12px; color: var(--soft); padding: 0 12px 8px; margin: 0; }
.completion details { border: 0; border-radius: 0; margin: 0; }
.completion summary { font-weight: 400; font-size: 12px; color: var(--soft); }
.spans { margin: 0; padding: 4px 12px 12px; font-size: 12.5px; line-height: 2.5; white-space: pre-wrap;
  overflow-wrap: anywhere; }
.spans b, .spans ruby, .spans s { font-weight: 400; border: 1px solid var(--rule); border-radius: 3px;
  padding: 1px 2px; margin: 0 1px; }
.spans ruby { background: var(--tint); }
.spans rt { font-size: 10.5px; color: var(--soft); }
.spans s { color: var(--bad); }
.spans i { color: var(--faint); font-style: normal; padding: 0 1px; }
pre { margin: 0; padding: 10px 12px; font: 12.5px/1.5 ui-monospace, "SF Mono", Menlo, Consolas,
  "DejaVu Sans Mono", monospace; white-space: pre-wrap; overflow-wrap: anywhere; overflow-y: auto; }
details { background: var(--card); border: 1px solid var(--rule); border-radius: 8px; margin-bottom: 10px; }
summary { cursor: pointer; padding: 8px 12px; font-size: 13.5px; font-weight: 600; }
details pre { border-top: 1px solid var(--rule); columns: 2 380px; column-gap: 40px; }
footer { margin-top: 48px; color: var(--faint); font-size: 12.5px; }

@media (max-width: 960px) { .charts, .charts.pair { grid-template-columns: repeat(2, minmax(0, 1fr)); } }
@media (max-width: 640px) { .charts, .charts.pair { grid-template-columns: minmax(0, 1fr); } main { padding-top: 24px; } }
@media print {
  :root { --paper: #fff; --card: #fff; --ink: #000; --soft: #444; --faint: #777; --rule: #ccc;
    --grid: #e8e8e8; --tint: #f0f4f8; --s0: #2a6fb0; --s1: #d9772b; --s2: #2f8f6b; --s3: #9a5cb4;
    --s4: #b8933a; --s5: #64707c; --good: #1a7f4b; --bad: #b3402e; }
  body { font-size: 11pt; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  main { max-width: none; padding: 0; }
  .charts, .charts.pair { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .completion pre { max-height: none; }
  h2, h3 { break-after: avoid; }
}
)css";
}

}  // namespace alambic
