"""One chromium, one host per frontend, one page per set-up, for all tests of a process.

A set-up is a frontend (the host's own; a recent one) and a renderer (classic; "Nodes 2.0", where nodes are elements).
Without chromium or playwright these tests are skipped; under CI=true they fail.
"""

import os
from pathlib import Path

import pytest
from PIL import Image

SETUPS = ("shipped-classic", "shipped-nodes2", "recent-classic", "recent-nodes2")
ARGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"]  # fmt: skip


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """The page's tests run last and by set-up: playwright keeps an event loop in this thread, which other tests could not start."""
    ours = [item for item in items if item.path.is_relative_to(Path(__file__).parent)]
    ours.sort(key=lambda item: SETUPS.index(_setup(item)) if _setup(item) else -1)
    for item in ours:
        item.add_marker(pytest.mark.xdist_group(_setup(item) or "page"))
    items[:] = [item for item in items if item not in ours] + ours


def _setup(item) -> str | None:
    return item.callspec.params.get("setup") if hasattr(item, "callspec") else None


def _missing(what: str):
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what}: the page is not tested", pytrace=False)
    pytest.skip(what)


@pytest.fixture(scope="session")
def browser():
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _missing("needs the Python package playwright: run `python dev.py test`")
    from viper.dev import chromium

    if chromium() is None:
        _missing("needs chromium: install it, or set VIPER_CHROMIUM to its path")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGS)
        yield browser
        browser.close()


def _give_a_picture(base: Path):
    Image.new("RGB", (64, 64), "teal").save(base / "input" / "example.png")  # a new Load Image shows the first picture there is


def _serve(tmp_path_factory, name: str, *args: str):
    from viper.devtools.process import Host, temporary_base
    from viper.tests.host_server import Server, host_path

    path = host_path()
    if path is None:
        pytest.skip("needs the host: run `python dev.py test`, or set COMFYUI_PATH")
    log = tmp_path_factory.mktemp(name) / "host.log"
    with temporary_base() as base:
        _give_a_picture(base)
        with Host(path, base, log, "--cpu", "--preview-method", "auto", *args) as running:
            yield Server(running)


@pytest.fixture(scope="session")
def shipped(server):
    """The host with the frontend it asks for: the one that the other tests have started."""
    _give_a_picture(server.base)
    return server


@pytest.fixture(scope="session")
def recent(tmp_path_factory):
    """The host with a recent frontend."""
    from viper.dev import frontend_folder

    if not (frontend_folder() / "index.html").is_file():
        _missing("needs the recent frontend: run `python dev.py test`")
    yield from _serve(tmp_path_factory, "recent", "--front-end-root", str(frontend_folder()))


@pytest.fixture(scope="session", params=SETUPS)
def setup(request):
    return request.param


@pytest.fixture(scope="session")
def page_server(browser, setup, request):
    """The host of a set-up; not started where there is no browser."""
    return request.getfixturevalue(setup.split("-")[0])


@pytest.fixture(scope="session")
def opened(setup, page_server, browser):
    """The page of a set-up, opened once."""
    from viper.tests.browser.page import Page

    page = Page(browser, page_server.url, nodes2=setup.endswith("nodes2"), name=setup)
    try:
        page.open()
        yield page
    finally:
        page.close()


@pytest.fixture
def page(opened, request):
    """That page with an empty graph; what it complains about fails the test, as does a dialog it opens."""
    opened.fresh(request.node.name)
    yield opened
    if request.node.rep_call.failed:
        opened.shot("failed")
    else:
        assert opened.complaints() == []


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    setattr(item, f"rep_{report.when}", report)
