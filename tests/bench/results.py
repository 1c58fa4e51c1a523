"""What was measured: gathered, printed as a table, and written as ``bench.json``."""

from __future__ import annotations

import json
import os
import platform
import re
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Result:
    """One figure: rates in 1/s, times in ms, memory in MB, sizes in bytes; ``n`` is the number of listings."""

    name: str
    n: int
    value: float
    unit: str


@dataclass(slots=True)
class Results:
    """The figures of a run; only those whose name matches ``only`` are kept."""

    only: re.Pattern[str]
    results: list[Result] = field(default_factory=list)
    console: Console = field(default_factory=Console)

    def wants(self, *names: str) -> bool:
        """Whether any of these names is asked for."""
        return any(self.only.fullmatch(name) for name in names)

    def add(self, name: str, n: int, value: float, unit: str) -> None:
        """Keep a figure, and say it at once: a run takes minutes."""
        if self.wants(name):
            self.results.append(Result(name, n, value, unit))
            self.console.print(f"  {name}  n={n:,}  {_shown(value)} {unit}")

    def value(self, name: str, n: int) -> float | None:
        """Give a figure that was kept, for ratios."""
        return next((one.value for one in self.results if (one.name, one.n) == (name, n)), None)

    def show(self) -> None:
        """Print the table."""
        table = Table("name", "n", "value", "unit", title="Hashpact, measured")
        for column in (1, 2):
            table.columns[column].justify = "right"
        for one in self.results:
            table.add_row(one.name, f"{one.n:,}", _shown(one.value), one.unit)
        self.console.print(table)

    def write(self, path: Path) -> None:
        """Write ``bench.json``."""
        results = [{"name": one.name, "n": one.n, "value": one.value, "unit": one.unit} for one in self.results]
        path.write_text(json.dumps({"machine": machine(), "results": results}, indent=1) + "\n", encoding="utf-8")


def machine() -> dict[str, object]:
    """Say what the figures were measured on."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")
    return {
        "processor": model,
        "cores": len(os.sched_getaffinity(0)),
        "memory_mb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1_000_000,
        "system": platform.platform(),
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.2f}"
