/** The style sheet of the status page: light and dark, from a telephone to a wall. */
export const PAGE_STYLE = `
:root {
  color-scheme: light dark;
  --page: #f4f5f8; --card: #fff; --ink: #171c28; --soft: #5a6375; --line: #dfe3ea;
  --good: #17713f; --good-soft: #dcf3e5; --bad: #b3231b; --bad-soft: #fde4e1;
  --odd: #8a5300; --odd-soft: #fdeecf; --calm: #4a5468; --calm-soft: #e6e9f0;
  --busy: #2f5fd0; --idle: #a9c2f5; --waiting: #c2410c; --failures: #b3231b;
  --p50: #0f8a7e; --p95: #7c4fd0; --p99: #c2417f;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #10131a; --card: #191e28; --ink: #e8ebf2; --soft: #9aa4b8; --line: #2c3443;
    --good: #6fdc9c; --good-soft: #12352a; --bad: #ff9289; --bad-soft: #47201f;
    --odd: #f5c264; --odd-soft: #3d2f12; --calm: #b4bdcd; --calm-soft: #2a313f;
    --busy: #7ba2ff; --idle: #34497a; --waiting: #ff9d5c; --failures: #ff8078;
    --p50: #4fd1c2; --p95: #b79aff; --p99: #ff8fc0;
  }
}
* { box-sizing: border-box }
body { background: var(--page); color: var(--ink); font: 1rem/1.45 system-ui, sans-serif; margin: 0 auto; max-width: 100rem; padding: 1.25rem clamp(.75rem, 2.5vw, 2rem) }
h1, h2, h3, p, dl, dd, figure { margin: 0 }
h1 { font-size: 1.5rem; letter-spacing: -.01em; line-height: 1.2 }
h2 { font-size: 1.125rem; overflow-wrap: anywhere }
h3 { color: var(--soft); font-size: .8125rem; font-weight: 600 }
b, dd, td { font-variant-numeric: tabular-nums }
.top { align-items: center; display: flex; flex-wrap: wrap; gap: .5rem 1rem; margin-bottom: 1rem }
.state { border-radius: 2rem; display: inline-flex; align-items: center; font-size: .875rem; font-weight: 600; gap: .45em; padding: .2em .8em; white-space: nowrap }
.state::before { background: currentColor; border-radius: 50%; content: ""; height: .6em; width: .6em }
.up { --tone: var(--good); --tone-soft: var(--good-soft) }
.down { --tone: var(--bad); --tone-soft: var(--bad-soft) }
.probing { --tone: var(--odd); --tone-soft: var(--odd-soft) }
.draining, .stopped { --tone: var(--calm); --tone-soft: var(--calm-soft) }
.state { background: var(--tone-soft); color: var(--tone) }
.down .state::before, .state.down::before { border-radius: 0 }
.probing .state::before, .state.probing::before, .stopped .state::before { background: none; border: .15em solid currentColor }
.facts { background: var(--card); border: 1px solid var(--line); border-radius: .75rem; display: grid; gap: .75rem 1.5rem; grid-template-columns: repeat(auto-fit, minmax(7.5rem, 1fr)); margin-bottom: 1rem; padding: .875rem 1.125rem }
.facts dt { color: var(--soft); font-size: .8125rem }
.facts dd { font-size: 1.25rem; font-weight: 600; line-height: 1.3 }
.facts dd.bad { color: var(--bad) }
.facts small { color: var(--soft); font-size: .8125rem; font-weight: 400 }
.cards { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 22rem), 1fr)) }
@container (max-width: 26rem) { figcaption { flex-direction: column } }
.card { container-type: inline-size; background: var(--card); border: 1px solid var(--line); border-radius: .75rem; border-top: .25rem solid var(--tone); display: flex; flex-direction: column; gap: .875rem; padding: .875rem 1.125rem 1rem }
.card header { align-items: start; display: flex; gap: .75rem; justify-content: space-between }
.soft { color: var(--soft); font-size: .875rem; overflow-wrap: anywhere }
figcaption { align-items: baseline; display: flex; flex-wrap: wrap; gap: 0 1rem; justify-content: space-between; margin-bottom: .25rem }
.numbers { align-items: baseline; display: flex; flex-wrap: wrap; font-size: .875rem; gap: 0 .7rem }
.numbers span { color: var(--soft); white-space: nowrap }
.numbers b { color: var(--ink); font-size: 1rem }
.numbers [class]::before { background: var(--trace); border-radius: .15em; content: ""; display: inline-block; height: .65em; margin-right: .35em; width: .65em }
svg { background: linear-gradient(var(--line), var(--line)) bottom/100% 1px no-repeat; display: block; height: 3.5rem; width: 100% }
svg .line { fill: none; stroke: var(--trace); stroke-linecap: round; stroke-linejoin: round; stroke-width: 1.75; vector-effect: non-scaling-stroke }
svg .area { fill: var(--trace) }
svg .bars { stroke: var(--trace); stroke-width: 3; vector-effect: non-scaling-stroke }
svg .area.requests { fill-opacity: .18 }
.busy { --trace: var(--busy) } .idle { --trace: var(--idle) } .waiting { --trace: var(--waiting) }
.requests { --trace: var(--busy) } .failures { --trace: var(--failures) }
.p50 { --trace: var(--p50) } .p95 { --trace: var(--p95) } .p99 { --trace: var(--p99) }
.scale { color: var(--soft); display: flex; font-size: .6875rem; justify-content: space-between }
.errors { border-top: 1px solid var(--line); padding-top: .75rem }
ul { display: grid; gap: .375rem; list-style: none; margin: .375rem 0 0; padding: 0 }
li { font-size: .875rem }
li .soft { font-size: .8125rem }
code { color: var(--bad); font: 600 .8125rem/1.4 ui-monospace, monospace; overflow-wrap: anywhere }
.locations { background: var(--card); border: 1px solid var(--line); border-radius: .75rem; margin-top: 1rem; overflow-x: auto; padding: .875rem 1.125rem }
table { border-collapse: collapse; margin-top: .375rem; width: 100% }
th, td { border-top: 1px solid var(--line); font-size: .9375rem; padding: .4rem 1rem .4rem 0; text-align: left; vertical-align: top }
th { border: 0; color: var(--soft); font-size: .8125rem; font-weight: 600 }
td:last-child, th:last-child { padding-right: 0; text-align: right }
footer { color: var(--soft); font-size: .8125rem; margin-top: 1.25rem }
a { color: inherit }
.stale { background: var(--bad-soft); border-radius: .75rem; color: var(--bad); display: none; font-weight: 600; margin-bottom: 1rem; padding: .75rem 1.125rem }
body.lost .stale { display: block }
body.lost main { opacity: .55 }
`
