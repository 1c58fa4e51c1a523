"""The report as one HTML page that a manager can read: no script, nothing loaded from elsewhere."""

from __future__ import annotations

from html import escape

from hashpact_conformance.cases import Layer, Outcome, Result
from hashpact_conformance.report import Report

_LAYERS = {
    Layer.TRUST: "Trust: who may sign, and for how long",
    Layer.NOTES: "Notes: what is signed",
    Layer.LOG: "Logs: lists that only grow",
    Layer.FETCH: "Transfer: what goes over the wire",
    Layer.STATEMENTS: "Statements: what the lists say",
    Layer.WITNESS: "Witnesses: nobody is told another story",
}
_CLASSES = {
    Outcome.PASSED: "good",
    Outcome.FAILED: "bad",
    Outcome.NOT_SUPPORTED: "none",
    Outcome.EXPECTED_FAILURE: "known",
}
_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;color:#1d2733;background:#f5f6f8;margin:0;padding:2rem}
main{max-width:60rem;margin:auto}h1{font-size:1.6rem;margin:0}h2{font-size:1.15rem;margin:2rem 0 .5rem}
.subject{color:#55606e;overflow-wrap:anywhere}
.verdict{border-radius:.5rem;padding:1rem 1.25rem;margin:1.25rem 0;font-size:1.1rem}
.verdict.good{background:#dff3e4}.verdict.bad{background:#fbe0dd}
.figures{display:flex;gap:1rem;flex-wrap:wrap}
.figures div{background:#fff;border-radius:.5rem;padding:.75rem 1.25rem;flex:1}
.figures b{display:block;font-size:1.6rem}table{border-collapse:collapse;width:100%;background:#fff;border-radius:.5rem}
th,td{text-align:left;padding:.45rem .75rem;border-bottom:1px solid #e6e9ee;vertical-align:top}
td.number,th+th{text-align:right}
.good{color:#14683a}.bad{color:#a4201b}.none{color:#775500}.known{color:#6b3fa0}
td.outcome{white-space:nowrap;font-weight:600}.rule,code{color:#66707d;font-size:.82rem}
pre{white-space:pre-wrap;overflow-wrap:anywhere;font-size:.82rem;background:#f5f6f8;padding:.5rem;margin:.4rem 0 0}
"""


def as_page(report: Report) -> str:
    """Write the report as a page."""
    parts = [_head(report), _figures(report), _by_layer(report)]
    wrong = report.failed
    if wrong:
        parts.append(f"<h2>What failed</h2>{_cases(wrong)}")
    parts += [
        f"<h2>{escape(_LAYERS[layer])}</h2>{_cases([one for one in report.results if one.case.layer is layer])}"
        for layer in report.layers
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Hashpact conformance: {escape(report.subject)}</title><style>{_STYLE}</style></head>"
        f"<body><main>{''.join(parts)}</main></body></html>\n"
    )


def _head(report: Report) -> str:
    failed, passed = len(report.failed), len(report.of(Outcome.PASSED))
    missing, known = len(report.of(Outcome.NOT_SUPPORTED)), len(report.of(Outcome.EXPECTED_FAILURE))
    said = f"{failed} of {len(report.results)} cases failed." if failed else f"No case failed; {passed} passed."
    if missing:
        said += f" {missing} were not tried, because the node does not have what they are about."
    if known:
        said += f" {known} failed as was expected."
    return (
        f'<h1>Hashpact conformance: {report.mode}</h1><div class="subject">{escape(report.subject)}</div>'
        f'<div class="verdict {"bad" if failed else "good"}">{said}</div>'
    )


def _figures(report: Report) -> str:
    boxes = [f'<div class="{_CLASSES[outcome]}"><b>{len(report.of(outcome))}</b>{outcome}</div>' for outcome in Outcome]
    note = f'<p class="rule">Suite of hashpact {escape(report.version)}, {report.seconds:.1f} s.</p>'
    return f'<div class="figures">{"".join(boxes)}</div>{note}'


def _by_layer(report: Report) -> str:
    head = "".join(f"<th>{outcome}</th>" for outcome in Outcome)
    rows = [
        f"<tr><td>{escape(_LAYERS[layer])}</td>"
        + "".join(f'<td class="number">{len(report.of(outcome, layer))}</td>' for outcome in Outcome)
        + "</tr>"
        for layer in report.layers
    ]
    return f"<h2>At a glance</h2><table><tr><th>Part</th>{head}</tr>{''.join(rows)}</table>"


def _cases(results: list[Result]) -> str:
    return f"<table>{''.join(_case(one) for one in results)}</table>"


def _case(one: Result) -> str:
    why = f"<pre>{escape(one.message)}</pre>" if one.message else ""
    return (
        f'<tr><td class="outcome {_CLASSES[one.outcome]}">{one.outcome}</td><td>{escape(one.case.title)}'
        f'<div class="rule">{escape(one.case.rule)} · <code>{escape(one.case.id)}</code></div>{why}</td></tr>'
    )
