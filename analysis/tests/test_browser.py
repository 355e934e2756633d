"""The page in a browser: it opens without complaint, asks for nothing, sorts, filters, and fits a
phone."""

from pathlib import Path
from typing import Any

import pytest
from browser import DESKTOP, PHONE, chromium, complaints, open_page, requested
from synthetic import grid, write

from fleet_analysis import load
from fleet_analysis.report import write_report


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep of 360 cells, more than the table shows at once, some of them failed."""
    directory = tmp_path_factory.mktemp("report")
    axes = grid(
        merge__method=["average", "fleet-merge", "joint"],
        fleet__alpha=[0.1, 1.0, 10.0],
        merge__every_epochs=[1, 0],
        seed=list(range(20)),
    )
    results = load(
        write(directory / "sweep.h5", axes, epochs=4, failed=lambda cell: cell["seed"] == 3)
    )
    return write_report(results, directory / "page.html")


@pytest.fixture(scope="module", params=[DESKTOP, PHONE], ids=["desktop", "phone"])
def browser(request: pytest.FixtureRequest, page: Path) -> Any:
    with chromium(request.param) as browser:
        open_page(browser, page)
        yield browser


def column(browser: Any, title: str) -> list[str]:
    script = """
      const heads = [...document.querySelectorAll('#cells th')].map(th => th.innerText.trim());
      const place = heads.findIndex(head => head.startsWith(arguments[0]));
      return [...document.querySelectorAll('#cells tbody tr')].map(tr => tr.cells[place].innerText);
    """
    return browser.execute_script(script, title)


def click(browser: Any, title: str) -> None:
    script = """
      [...document.querySelectorAll('#cells th button')]
        .find(button => button.innerText.trim().startsWith(arguments[0])).click();
    """
    browser.execute_script(script, title)


def test_it_opens_without_complaint_and_asks_for_nothing(browser: Any, page: Path) -> None:
    browser.refresh()
    assert complaints(browser) == []
    assert requested(browser) == {page.resolve().as_uri()}


def test_it_fits_the_screen(browser: Any) -> None:
    script = "return [document.documentElement.scrollWidth, window.innerWidth]"
    width, room = browser.execute_script(script)
    assert width <= room and room in (DESKTOP[0], PHONE[0])


def test_pictures_are_there(browser: Any) -> None:
    script = "return [...document.images].map(i => i.complete && i.naturalWidth)"
    widths = browser.execute_script(script)
    assert len(widths) >= 3 and all(width > 100 for width in widths)


def test_a_click_sorts_and_another_turns_the_order(browser: Any) -> None:
    for title in ("accuracy", "fleet.alpha", "seed"):
        click(browser, title)
        ascending = [float(text) for text in column(browser, title) if text]
        assert len(ascending) == 100 and ascending == sorted(ascending)
        click(browser, title)
        descending = [float(text) for text in column(browser, title) if text]
        assert descending == sorted(descending, reverse=True)
        assert descending[0] > ascending[-1] or title == "seed"


def test_what_failed_sorts_last_either_way(browser: Any) -> None:
    browser.execute_script("document.getElementById('more').click()")
    for _ in range(2):
        click(browser, "accuracy")
        browser.execute_script("document.getElementById('more').click()")
        status = column(browser, "status")
        assert len(status) == 360
        assert status.index("failed") == 360 - 18 and set(status[-18:]) == {"failed"}


def test_words_filter(browser: Any) -> None:
    script = """
      const box = document.getElementById('filter');
      box.value = arguments[0];
      box.dispatchEvent(new Event('input'));
      return document.getElementById('count').innerText;
    """
    assert browser.execute_script(script, "FLEET-merge failed") == "6 of 360 cells"
    assert set(column(browser, "status")) == {"failed"}
    assert browser.execute_script(script, "nothing has this") == "0 of 360 cells"
    assert browser.execute_script(script, "") == "360 of 360 cells"
