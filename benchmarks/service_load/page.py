"""The page of results, ``docs/results/service-load.md``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Report = Mapping[str, Any]


def render(report: Report) -> str:
    """The page as Markdown."""
    machine = report["machine"]
    lines = [
        "# The service under load",
        "",
        f"`{report['command']}`, {report['minutes']:.1f} minutes; {machine['processor']}, {machine['cores']} cores, "
        f"{machine['memory_gib']} GiB, Python {machine['python']}, commit {machine['commit']}; load "
        f"average of the machine before {report['load_before']:.1f}. Real HTTP against `samebody serve`; clients "
        "run on the same cores. Real pictures: a 2 MP photograph and a 2 MP photograph of a specimen passport, "
        "policy `no-liveness`.",
        "",
    ]
    for name, shown in (("throughput", _throughput), ("overhead", _overhead), ("overload", _overload), ("slow", _slow)):
        if name in report:
            lines += [*shown(report[name]), ""]
    return "\n".join(lines)


def _met(part: Report) -> str:
    return "held" if part["met"] else "**not held**"


def _throughput(part: Report) -> list[str]:
    lines = [
        "## Throughput",
        "",
        f"{part['workers']} workers against the pipeline alone in as many processes, in turns of "
        f"{part['seconds_a_turn']:g} s. **Ratio {part['ratio']:.3f}, 95 % interval {part['low']:.3f} to "
        f"{part['high']:.3f}** ({part['turns']} turns); asked: at least {part['asked']:g}: {_met(part)}.",
        "",
        "| turn | pipeline alone, 1/s | service, 1/s | ratio |",
        "| --- | --- | --- | --- |",
    ]
    for number, (alone, service) in enumerate(
        zip(part["alone_per_second"], part["service_per_second"], strict=True), start=1
    ):
        lines.append(f"| {number} | {alone:.3f} | {service:.3f} | {service / alone:.3f} |")
    cpu = dict(part["cpu_seconds_each"])
    alone = cpu.pop("alone")
    shown = ", ".join(f"{name} {seconds * 1000:.0f} ms" for name, seconds in cpu.items())
    lines += [
        "",
        f"Computed for one verification: {alone * 1000:.0f} ms by the pipeline alone; with the service {shown}: "
        f"{alone / sum(cpu.values()):.3f} of it is the pipeline's.",
    ]
    return lines


def _overhead(part: Report) -> list[str]:
    verdict = part["submit_to_verdict_seconds"]
    lines = [
        "## Overhead",
        "",
        f"An idle service, one request after the other: **median {part['median_ms']:.1f} ms** of {part['count']} "
        f"requests without uploads, {part['with_uploads_median_ms']:.1f} ms with them (an upload decodes its picture "
        f"before it is taken in); asked: less than {part['asked_ms']:g} ms: {_met(part)}. From submission to verdict: "
        f"median {verdict['median']:.2f} s (quartiles {verdict['lower_quartile']:.2f} to "
        f"{verdict['upper_quartile']:.2f}).",
        "",
        "| request | median, ms | quartiles | n |",
        "| --- | --- | --- | --- |",
    ]
    for name, each in part["requests"].items():
        lines.append(
            f"| {name} | {each['median']:.1f} | {each['lower_quartile']:.1f} to {each['upper_quartile']:.1f} | "
            f"{each['count']:.0f} |"
        )
    return lines


def _overload(part: Report) -> list[str]:
    broken = ", ".join(f"{name}: {count}" for name, count in part["broken"].items()) or "none"
    rows = [
        ("it can bear", f"{part['capacity_per_second']:.2f} verdicts a second"),
        ("offered", f"{part['offered_per_second']:.1f} sessions a second for {part['seconds']:g} s: {part['arrived']}"),
        ("queue (`max_waiting`)", f"{part['queue']} sessions"),
        ("accepted", f"{part['accepted']} ({part['accepted_per_second']:.2f} a second); {part['left']} left refused"),
        (
            "refusals",
            f"{part['refused_429']} with 429, {part['refused_503']} with 503, "
            f"{part['refused_without_retry_after']} without Retry-After",
        ),
        ("connections that broke, timeouts, other errors", broken),
        ("health check meanwhile", f"median {part['health_median_ms']:.0f} ms, worst {part['health_worst_ms']:.0f} ms"),
        (
            "memory of all processes, most",
            f"{part['first_half_mib']:.0f} MiB in the first half, {part['second_half_mib']:.0f} MiB in the second: "
            + ("bounded" if part["bounded"] else "**grows**"),
        ),
        (
            "recovery",
            f"a new session accepted after {part['recovered_seconds']:.1f} s, its verdict after "
            f"{part['verdict_seconds']:.1f} s (asked: 10 s)",
        ),
        ("accepted sessions without exactly one verdict, or not told, or the audit log broken", part["fault_count"]),
    ]
    return [
        "## Overload",
        "",
        f"Ten times what it can bear: {_met(part)}.",
        "",
        "| | |",
        "| --- | --- |",
        *(f"| {name} | {value} |" for name, value in rows),
    ]


def _slow(part: Report) -> list[str]:
    longest = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in part["longest_seconds"].items())
    cut = ", ".join(f"{name} {count}" for name, count in part["cut_off"].items())
    return [
        "## Slow clients",
        "",
        f"{part['count_each']} connections each that never end their headers, never end their body, and never read, "
        f"for {part['seconds']:g} s: {_met(part)}. Cut off: {cut}; longest: {longest} (limits "
        f"{part['settings']['head_seconds']} s, {part['settings']['body_seconds']} s, and "
        f"{part['settings']['request_seconds']} s for those who do not read). A person's "
        f"sessions (create to submit, five requests) took {part['session_alone_median_seconds']:.2f} s alone "
        f"(n = {part['sessions_alone']}) and {part['session_beside_median_seconds'] or 0:.2f} s beside them "
        f"(n = {part['sessions_beside']}); refused to the person: {part['refused_to_the_person'] or 'nothing'}.",
    ]
