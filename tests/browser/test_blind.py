"""The page of a blind test as people use it: by mouse, by keyboard alone, on a phone, after a reload; and the link on its node."""

import contextlib

import pytest
import torch

from viper.tests.host_server import use_host


def noise(*seeds):
    return torch.stack([torch.rand(48, 64, 3, generator=torch.Generator().manual_seed(seed)) for seed in seeds])


class Visit:
    """One person's window on one test, and what the server kept of them."""

    def __init__(self, tab, root, test):
        from viper.evaluation import blind_files

        self.tab, self.answers, self.test = tab, lambda: blind_files.answers_of(root, test), test
        self.picks, self.go = tab.locator(".pick"), tab.locator(".foot .main")

    def start(self, name):
        self.tab.locator("input").fill(name)
        self.tab.locator("form .main").click()
        self.shown()

    def shown(self):
        """All pictures of a sheet are there; → their names in the order shown."""
        self.tab.wait_for_function("() => document.querySelectorAll('.pick').length && [...document.images].every(i => i.naturalWidth)")
        return self.tab.evaluate("() => [...document.querySelectorAll('.pick img')].map(i => new URL(i.src).searchParams.get('picture'))")

    def places(self):
        return [int(pick.get_attribute("data-place") or 0) for pick in self.picks.all()]

    def next_sheet(self, act):
        before = self.shown()
        act()
        self.tab.wait_for_function("before => !document.querySelector(`img[src*='picture=${before}']`)", arg=before[0])


@pytest.fixture
def visit(browser, server, request, tmp_path):
    """visit(name of a test, **how the window is) → a `Visit` of its start page; what the page complains about fails the test."""
    use_host()
    from viper.evaluation import blind_files

    root, complaints = server.base / "output" / "viper" / "blind", []
    with contextlib.ExitStack() as stack:

        def open_one(name, **window):
            test = blind_files.write_test(root, name, noise(1, 2), noise(*range(10, 24)), "a house\na cat")
            context = stack.enter_context(contextlib.closing(browser.new_context(locale="en-US", **window)))
            tab = context.new_page()
            tab.on("pageerror", lambda error: complaints.append(str(error)))
            tab.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
            tab.goto(f"{server.url}/viper/blind?name={name}")
            tab.locator("form").wait_for()
            return Visit(tab, root, test)

        yield open_one
    assert [c for c in complaints if "ERR_FAILED" not in c] == []  # the test's own cut of the connection


def test_by_mouse_from_the_name_to_the_result(visit):
    someone = visit("by mouse", viewport={"width": 1600, "height": 900})
    someone.start("Kim")
    order = someone.shown()
    assert someone.go.is_disabled()  # the best one must be chosen
    for n in (4, 1, 6):
        someone.picks.nth(n).click()
    assert someone.places() == [0, 2, 0, 0, 1, 0, 3, 0]
    assert someone.tab.locator("#said").inner_text() == "Picture 7: place 3"
    someone.picks.nth(1).click()  # not that one
    assert someone.places() == [0, 0, 0, 0, 1, 0, 2, 0]
    someone.tab.get_by_role("button", name="Undo").click()
    assert someone.places() == [0, 0, 0, 0, 1, 0, 0, 0]
    someone.picks.nth(0).click()
    assert someone.tab.evaluate("() => document.documentElement.scrollHeight <= innerHeight")  # all eight at once
    someone.next_sheet(someone.go.click)
    assert [(a.name, a.ranking) for a in someone.answers()] == [("Kim", (order[4], order[0]))]  # kept at once
    order = someone.shown()
    best = someone.test.sheet(({1, 2} - {someone.answers()[0].sheet}).pop()).personalised
    someone.picks.nth(order.index(best)).click()
    someone.go.click()
    someone.tab.get_by_text("Thank you!").wait_for()
    assert "of 2" not in someone.tab.inner_text("main")  # the result only if asked for
    someone.tab.get_by_role("button", name="Show result").click()
    someone.tab.locator(".figure").wait_for()
    firsts = sum(a.ranking[0] == someone.test.sheet(a.sheet).personalised for a in someone.answers())
    assert someone.tab.locator(".figure b").inner_text() == f"{firsts} of 2"


def test_by_keyboard_alone(visit):
    someone = visit("by keys", viewport={"width": 1280, "height": 720})
    keys = someone.tab.keyboard
    keys.press("Tab")
    keys.type("Lee")
    keys.press("Enter")
    order = someone.shown()
    keys.press("Enter")  # nothing is chosen yet: nothing happens
    assert someone.answers() == []
    for key in "3815":
        keys.press(key)
    keys.press("Backspace")
    assert someone.places() == [3, 0, 1, 0, 0, 0, 0, 2]
    someone.next_sheet(lambda: keys.press("Enter"))
    assert someone.answers()[0].ranking == (order[2], order[7], order[0])
    order = someone.shown()
    columns = someone.tab.evaluate("() => getComputedStyle(document.querySelector('.grid')).gridTemplateColumns.split(' ').length")
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        keys.press(key)
    keys.press("Enter")
    assert someone.places().index(1) == 1 + columns
    keys.press("Enter")
    someone.tab.get_by_text("Thank you!").wait_for()
    assert someone.answers()[1].ranking == (order[1 + columns],)


def test_on_a_phone_by_touch_in_another_language(visit):
    phone = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
    someone = visit("by touch", **phone, color_scheme="light")
    someone.tab.locator("form .main").tap()  # without a name
    order = someone.shown()
    assert someone.tab.evaluate("() => document.documentElement.scrollWidth") <= 360
    assert all(pick.bounding_box()["width"] >= 150 for pick in someone.picks.all())
    someone.picks.nth(7).scroll_into_view_if_needed()
    for n in (7, 0):
        someone.picks.nth(n).tap()
    box = someone.go.bounding_box()
    assert 0 <= box["y"] and box["y"] + box["height"] <= 740 and box["height"] >= 44  # always in reach
    someone.next_sheet(someone.go.tap)
    (answer,) = someone.answers()
    assert answer.name == "" and answer.who.startswith("device:") and answer.ranking == (order[7], order[0])


def test_a_reload_goes_on_and_a_lost_connection_loses_no_answer(visit):
    someone = visit("reload", viewport={"width": 1280, "height": 720})
    someone.start("Ann")
    someone.picks.nth(2).click()
    someone.tab.route("**/blind/answer", lambda route: route.abort())
    someone.go.click()
    someone.tab.get_by_text("Not kept yet").wait_for()
    assert someone.places()[2] == 1 and someone.answers() == []
    someone.tab.unroute("**/blind/answer")
    someone.next_sheet(someone.go.click)
    second = someone.shown()
    someone.tab.reload()
    assert someone.shown() == second  # neither the name nor the first sheet again
    someone.picks.nth(0).click()
    someone.go.click()
    someone.tab.get_by_text("Thank you!").wait_for()
    someone.tab.reload()
    someone.tab.get_by_role("button", name="Somebody else answers").click()
    someone.start("Bo")
    someone.picks.nth(0).click()
    someone.next_sheet(someone.go.click)
    assert [a.name for a in someone.answers()] == ["Ann", "Ann", "Bo"]


def test_the_node_shows_a_link_that_opens_the_test_and_who_has_answered(page):
    mine, others, node = page.create("EmptyImage", 0, 60), page.create("EmptyImage", 0, 380), page.create("ViPerBlindTest", 420, 60)
    for made, count, color in ((mine, 1, 255), (others, 7, 65280)):
        for name, value in (("width", 64), ("height", 64), ("batch_size", count), ("color", color)):
            page.set(made, name, value)
    page.set(node, "name", f"linked {page.name}")
    page.wire(mine, 0, node, "personalised")
    page.wire(others, 0, node, "others")
    link = page.part("blind", node, "link")
    link.wait_for(state="hidden")  # it may have led to a test of the name that a new node has
    page.run()
    link.wait_for()
    page.shot("linked")
    assert page.flaws("blind", node) == []
    with page.tab.expect_popup() as opened:
        link.click()
    tab = opened.value
    tab.locator("form .main").click()
    tab.locator(".pick").first.click()
    tab.locator(".foot .main").click()
    tab.get_by_text("Thank you!").wait_for()
    tab.close()
    page.tab.bring_to_front()
    page.run()
    page.until(lambda: "People: 1, answers: 1" in page.part("blind", node, "answered").inner_text())
    assert "1 person, 1 answer" in page.part("blind", node, "report").inner_text()
    page.shot("answered")
    assert page.flaws("blind", node) == []
