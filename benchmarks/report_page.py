"""How large the page of a report is, and how fast it answers in a browser; needs playwright, Chromium and axe-core.

    pip install playwright && npm install axe-core
    python benchmarks/report_page.py --axe node_modules/axe-core/axe.min.js --pictures DIR

The page is made of planted names, hostile ones among them, or is a report that exists (``--page``).
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from indexer.outputs.html_report.contents import Changes, ClusterItem, Member, Page, RunTotals, SourceTotals
from indexer.outputs.html_report.write import write_page

BARS = {"megabytes": 2.0, "first paint, s": 0.5, "slowest filter, ms": 50.0, "console messages": 0, "requests": 0}
BARS |= {"axe violations": 0}
WORDS = (Path(__file__).parents[1] / "examples" / "companies.csv").read_text("utf-8")
HOSTILE = (
    "<script>alert(1)</script> Ltd",
    "</script><img src=x onerror=alert(2)>",
    "Acme \u202egnidaerT\u202c Inc",
    "🏭 Fábrica 👩‍🔧 Müller & Söhne",
    "株式会社ＮＴＴデータ",
    "شركة النفط",
    "x" * 5_000,
    "q\"uote' `tick` ${name}",
)
KINDS = ("", "", "", "new", "grown", "merged", "split")
FILTERS = ("a", "in", "international", "müller", "zzz", "c12", "")


def clusters(count: int, seed: int = 1) -> Iterator[ClusterItem]:
    """Yield clusters of real words with planted typing errors, worst first."""
    draw = random.Random(seed)
    words = sorted({word for word in WORDS.replace(",", " ").split() if word.isalpha() and len(word) > 2})
    for at in range(count):
        name = HOSTILE[at] if at < len(HOSTILE) else " ".join(draw.choices(words, k=draw.randint(2, 5)))
        size = min(60, 2 + int(draw.expovariate(0.9)))
        weakest = round(min(1.0, 0.3 + 0.7 * at / count), 4)
        members = [_member(draw, name, None)]
        members += [_member(draw, _misspelt(draw, name), draw.uniform(weakest, 1)) for _ in range(size - 1)]
        yield ClusterItem(f"c{at * 3 + 1}", weakest, size, members, draw.choice(KINDS))


def _misspelt(draw: random.Random, name: str) -> str:
    place = draw.randrange(len(name))
    return name[:place] + draw.choice(("", "E", " INC", name[place] * 2)) + name[place + 1 :]


def _member(draw: random.Random, text: str, probability: float | None) -> Member:
    labels = ("starting point for names of 12 characters", "vector similarity 0.81", "spelling 92% similar")
    labels += ("all words match (rarest: ‘acme’)", "word ‘north’ in one name only", "letters in common")
    reasons = [] if probability is None else [f"{draw.uniform(-5, 5):+.2f} {label}" for label in labels]
    cells = (draw.choice(("Ulm", "Bonn", "Kiel", "")), str(draw.randrange(10**8)))
    return Member(draw.choice(("crm", "leads")), f"r{draw.randrange(10**7)}", text, probability, False, reasons, cells)


def write(path: Path, count: int) -> None:
    """Write a page of planted clusters."""
    runs = [
        RunTotals(f"2026-11-{day:02}T02:15:00+00:00", 1_136_906, count + day * 31, count * 2 + day * 70)
        for day in range(1, 13)
    ]
    changes = Changes(
        "the run of 2026-11-11", {"new": 412, "grown": 88, "merged": 6, "split": 3, "shrunk": 9, "dissolved": 2}
    )
    page = Page(
        version="0.1.0",
        min_probability=0.5,
        runs=runs,
        probabilities=[at * at + 20 for at in range(25)],
        histogram_from=0.4,
        sizes={2: 7_000, 3: 2_000, 4: 600, 5: 200, 7: 150, 15: 40, 60: 10},
        sources=[SourceTotals("crm", 900_000, 18_000), SourceTotals("leads <b>", 236_906, 6_000)],
        columns=("city", "phone"),
        clusters=clusters(count),
        clusters_total=count,
        elsewhere=("clusters.csv",),
        changes=changes,
    )
    with path.open("w", encoding="utf-8") as out:
        write_page(out, page)


_FILTER = """async (text) => {
  const box = document.getElementById("query"), begun = performance.now();
  box.value = text;
  box.dispatchEvent(new Event("input", { bubbles: true }));
  document.body.offsetHeight;
  return performance.now() - begun;
}"""
_PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0].startTime / 1000"
_READY = "() => document.querySelector('.head') && performance.now() / 1000"


def measure(path: Path, axe: Path | None, pictures: Path | None) -> dict[str, float]:
    """Return what is measured in headless Chromium."""
    from playwright.sync_api import sync_playwright

    found: dict[str, float] = {"megabytes": path.stat().st_size / 1e6}
    messages: list[str] = []
    requests: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        tab = context.new_page()
        tab.on("console", lambda message: messages.append(message.text))
        tab.on("pageerror", lambda error: messages.append(str(error)))
        tab.on("request", lambda request: requests.append(request.url))
        tab.goto(path.absolute().as_uri())
        found["ready, s"] = tab.wait_for_function(_READY).json_value()
        found["first paint, s"] = tab.evaluate(_PAINT)
        found["slowest filter, ms"] = max(tab.evaluate(_FILTER, text) for text in FILTERS)
        tab.click("#all")
        if axe is not None:
            found["axe violations"] = sum(_violations(browser, path, axe, scheme) for scheme in ("light", "dark"))
        found["console messages"], found["requests"] = len(messages), len(requests) - 1
        for message in messages:
            print(f"console: {message}")
        if pictures is not None:
            _take_pictures(browser, path, pictures)
        browser.close()
    return found


def _violations(browser: Any, path: Path, axe: Path, scheme: str) -> int:
    tab = browser.new_context(color_scheme=scheme, bypass_csp=True).new_page()
    tab.goto(path.absolute().as_uri())
    tab.wait_for_selector(".head")
    tab.click("#all")
    tab.add_script_tag(content=axe.read_text("utf-8"))
    found = tab.evaluate("async () => (await axe.run({ resultTypes: ['violations'] })).violations")
    for one in found:
        print(f"axe, {scheme}: {one['id']}: {one['help']} ({len(one['nodes'])} nodes, {one['nodes'][0]['html'][:120]})")
    return len(found)


def _take_pictures(browser: Any, path: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, width, scheme in (("desktop", 1280, "light"), ("narrow", 390, "light"), ("dark", 1280, "dark")):
        tab = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme).new_page()
        tab.goto(path.absolute().as_uri())
        tab.wait_for_selector(".head")
        tab.screenshot(path=folder / f"{name}-top.png")
        for at in (0, 2, 3, 6):
            tab.locator(".head").nth(at).click()
        tab.evaluate("document.getElementById('clusters').scrollIntoView()")
        tab.screenshot(path=folder / f"{name}-clusters.png")
        tab.mouse.wheel(0, 900)
        tab.wait_for_timeout(200)
        tab.screenshot(path=folder / f"{name}-more.png")
    tab.pdf(path=folder / "print.pdf")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clusters", type=int, default=10_000)
    parser.add_argument("--page", type=Path, help="A report.html that exists.")
    parser.add_argument("--axe", type=Path, help="axe.min.js of axe-core.")
    parser.add_argument("--pictures", type=Path, help="Folder for pictures of the page.")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = asked.page or Path(folder) / "report.html"
        if asked.page is None:
            write(path, asked.clusters)
        found = measure(path, asked.axe, asked.pictures)
    missed = False
    for name, value in found.items():
        bar = BARS.get(name)
        missed |= bar is not None and value > bar
        note = "" if bar is None else f"  (at most {bar:g}){'  MISSED' if value > bar else ''}"
        print(f"{name:20} {value:8.3f}{note}")
    sys.exit(int(missed))


if __name__ == "__main__":
    main()
