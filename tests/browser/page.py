"""ComfyUI's page as a person uses it: mouse, keyboard, files; and a look behind it, for what a test asserts."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import re
import time
from pathlib import Path
from urllib.parse import urlsplit

import requests
from PIL import Image
from playwright.sync_api import TimeoutError as PlaywrightTimeout

VIEWPORT = {"width": 1600, "height": 900}
SETTINGS = {
    "Comfy.TutorialCompleted": True,  # no template gallery over the canvas
    "Comfy.Minimap.Visible": False,  # it lies over the canvas
    "Comfy.Locale": "en",
}
EMPTY = {"last_node_id": 0, "last_link_id": 0, "nodes": [], "links": [], "groups": [], "config": {}, "extra": {}, "version": 0.4}
READY = "() => window.app?.graph && window.app.extensionManager?.setting && window.app.canvas?.canvas"

# What the page complains about by itself, on this host and without the internet.
NO_SUCH_FILE = re.compile(r"^/(api/)?(user\.css|favicon\.ico|userdata(/|\?|$).*|jobs(/|\?|$).*)")
NOISE = (
    re.compile(r"^TypeError: Cannot read properties of undefined \(reading 'id'\)\s+at onChange "),  # 1.32.9 with any settings
    re.compile(r"^\[Jobs API\] Error fetching jobs: JobsApiError: Failed to fetch jobs: 404"),  # a route of newer hosts
    # 1.32.9: outputs of nodes that the host answered from its cache are null; its search box is closed while it is chosen from
    re.compile(r"^Error calling extension 'Comfy\.AudioWidget' method 'onNodeOutputsUpdated' \{error: TypeError: Cannot us"),
    re.compile(r"^TypeError: Cannot set properties of null \(setting 'value'\)\s+at Proxy\.on(OptionSelect|Change) "),
    re.compile(r"^Attempted to cleanup event listeners for graph that was never set up$"),  # 1.32.9, leaving a subgraph
    re.compile(r"^Failed to fetch queue: JobsApiError: Failed to fetch jobs: 404"),
)


class Page:
    def __init__(self, browser, url: str, nodes2: bool, name: str):
        self.browser, self.url, self.nodes2, self.name = browser, url, nodes2, name
        self.step, self.test, self.began, self._complaints, self._session = 0, "", time.monotonic(), [], None
        shots = os.environ.get("VIPER_SHOTS")
        self.shots = Path(shots) / name if shots else None

    # The page

    def open(self) -> None:
        """Sets the host's settings and opens it; waits until graphs can be made."""
        for key, value in {**SETTINGS, "Comfy.VueNodes.Enabled": self.nodes2}.items():
            requests.post(f"{self.url}/settings/{key}", json=value, timeout=30).raise_for_status()
        self.context = self.browser.new_context(viewport=VIEWPORT, locale="en-US", permissions=["clipboard-read", "clipboard-write"])
        self.context.route(lambda url: not url.startswith((self.url, "data:", "blob:")), lambda route: route.abort())
        self.context.add_init_script("localStorage.vueNodesBannerDismissed = 'true'")  # an advertisement that moves the canvas
        self.tab = self.context.new_page()
        self.tab.set_default_timeout(30_000)
        self.tab.set_default_navigation_timeout(180_000)  # hundreds of files, on a machine that may have other work
        self.tab.on("console", self._console)
        self.tab.on("pageerror", lambda error: self._complaints.append(f"pageerror: {error}"))
        self.tab.on("dialog", self._dialog)
        self.tab.goto(self.url)
        self._wait_until_ready()

    def close(self) -> None:
        self.context.close()

    def reload(self, kept: str) -> None:
        """Reloads once the page has stored its graph, which must hold `kept`, as it does by itself after a change."""
        self.tab.wait_for_function(
            "kept => [localStorage, sessionStorage].some(s => Object.values({...s}).some(v => v.includes(kept)))",
            arg=json.dumps(kept)[1:-1],
        )
        self.tab.reload()
        self._wait_until_ready()
        self.tab.wait_for_function("() => app.graph._nodes.length > 0")

    def _wait_until_ready(self) -> None:
        self.tab.wait_for_function(READY, timeout=180_000)
        # Extensions are loaded and the first graph is in place when the page takes down its curtain.
        self.tab.wait_for_function("() => !!LiteGraph.registered_node_types.ViPerCommentOnImages", timeout=180_000)
        self.tab.wait_for_function("() => !!app.extensionManager.workflow?.activeWorkflow?.changeTracker", timeout=180_000)
        self.settle()
        self.tab.keyboard.press("Escape")

    def fresh(self, test: str) -> None:
        """An empty graph at scale 1, as before any test."""
        self.test, self.step = re.sub(r"\W+", "_", test), 0
        self.tab.set_viewport_size(VIEWPORT)
        self.blur()
        for _ in range(2):  # a menu or search box that a failed test left open
            self.tab.keyboard.press("Escape")
        self.js("""async () => { const { workflow } = app.extensionManager;
            for (const w of [...workflow.openWorkflows]) if (w !== workflow.activeWorkflow) await workflow.closeWorkflow(w) }""")
        self.load(EMPTY)
        self.js("() => { app.nodeOutputs = {}; app.nodePreviewImages = {} }")  # ids begin at 1 again
        self.js(
            "() => { const t = app.extensionManager.workflow.activeWorkflow.changeTracker; t.undoQueue.length = t.redoQueue.length = 0 }"
        )
        self.wait("() => !app.extensionManager.workflow.activeWorkflow.changeTracker.constructor.isLoadingGraph")
        self.look_at(0, 0)
        self._complaints.clear()
        self.began = time.monotonic()

    def settle(self, frames: int = 3) -> None:
        """Lets the page draw: what is mounted or moved is so within frames, not at once."""
        self.tab.evaluate("async n => { for (let i = 0; i < n; i++) await new Promise(requestAnimationFrame) }", frames)
        self.tab.wait_for_timeout(50)

    def pause(self) -> None:
        """No person is quicker; newer pages count what changes within 50 ms after a step to that step."""
        self.tab.wait_for_timeout(120)

    def wait(self, expression: str, arg=None, timeout: float = 30_000):
        """Until the JavaScript expression (of `arg`) is true."""
        return self.tab.wait_for_function(expression, arg=arg, timeout=timeout)

    def until(self, condition, timeout: float = 30) -> None:
        """Until a condition seen from Python holds; the page goes on meanwhile."""
        end = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < end, "what was waited for has not come"
            self.tab.wait_for_timeout(50)

    def js(self, expression: str, arg=None):
        return self.tab.evaluate(expression, arg)

    def shot(self, what: str) -> None:
        """A screenshot into $VIPER_SHOTS, where that is set; its name tells the seconds since the test began."""
        if self.shots:
            self.step += 1
            self.shots.mkdir(parents=True, exist_ok=True)
            seconds = time.monotonic() - self.began
            path = self.shots / f"{self.test}_{self.step:02}_{re.sub(r'[^a-z0-9]+', '_', what.lower())}_{seconds:.0f}s.png"
            if self._session:  # playwright's own would go back to its own metrics
                path.write_bytes(base64.b64decode(self._session.send("Page.captureScreenshot")["data"]))
            else:
                self.tab.screenshot(path=path)

    @contextlib.contextmanager
    def window(self, width: int, height: int, pixels: float = 1):
        """Another window size in CSS pixels; a browser zoom of 200 % is half the size with 2 pixels each."""
        self.tab.set_viewport_size({"width": width, "height": height})
        self._session = self.context.new_cdp_session(self.tab)
        metrics = {"width": width, "height": height, "deviceScaleFactor": pixels, "mobile": False}
        self._session.send("Emulation.setDeviceMetricsOverride", metrics)
        self.settle()
        try:
            yield
        finally:
            self._session.send("Emulation.clearDeviceMetricsOverride")
            self._session.detach()
            self._session = None
            self.tab.set_viewport_size(VIEWPORT)
            self.settle()

    # Complaints

    def _console(self, message) -> None:
        where = message.location.get("url", "")
        ours = "/viper" in where or "viper" in message.text.lower()
        if message.type == "error" or (message.type == "warning" and ours):
            if not self._is_noise(message.text, where):
                self._complaints.append(f"console {message.type}: {message.text} ({where})")

    def _is_noise(self, text: str, where: str) -> bool:
        if text.startswith("Failed to load resource:"):
            parts = urlsplit(where)
            outside = not where.startswith(self.url)
            return outside or bool(NO_SUCH_FILE.match(parts.path + ("?" + parts.query if parts.query else "")))
        return any(pattern.match(text) for pattern in NOISE)

    def _dialog(self, dialog) -> None:
        if dialog.type == "beforeunload":  # the page's own question whether to leave an unsaved graph
            return dialog.accept()
        self._complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def complaints(self) -> list[str]:
        return list(self._complaints)

    def forgive(self, pattern: str) -> None:
        """A complaint that the test itself has caused: there must be one like it, and it does not count."""
        told = [c for c in self._complaints if re.search(pattern, c)]
        assert told, f"no complaint like {pattern} among {self._complaints}"
        self._complaints = [c for c in self._complaints if c not in told]

    # The graph, seen

    def nodes(self) -> list[dict]:
        """id (text), type, title and widget values by name of each node of the graph shown."""
        return self.js("""() => app.canvas.graph._nodes.map(n => ({id: String(n.id), type: n.type, title: n.title, pos: [...n.pos],
            values: Object.fromEntries((n.widgets ?? []).filter(w => w.serialize !== false).map(w => [w.name, w.value]))}))""")

    def node(self, type: str) -> dict:
        """The one node of a type."""
        found = [n for n in self.nodes() if n["type"] == type]
        assert len(found) == 1, f"{len(found)} nodes of type {type}"
        return found[0]

    def value(self, node_id: str, name: str):
        return next(n["values"][name] for n in self.nodes() if n["id"] == node_id)

    def prompt(self) -> dict:
        """What would be queued: {id: {class_type, inputs}}."""
        output = self.js("async () => (await app.graphToPrompt()).output")
        return {key: {"class_type": spec["class_type"], "inputs": spec["inputs"]} for key, spec in output.items()}

    def workflow(self) -> dict:
        return self.js("() => app.graph.serialize()")

    def links(self) -> set[tuple[str, int, str, str]]:
        """(source id, output number, target id, input name) of each link of the graph shown."""
        found = self.js("""() => app.canvas.graph._nodes.flatMap(n => (n.inputs ?? []).flatMap(input => {
            const { links } = app.canvas.graph;  // getInputLink fails at a subgraph's own widgets
            const link = links.get?.(input.link) ?? links[input.link];
            return link ? [[String(link.origin_id), link.origin_slot, String(n.id), input.name]] : [];
        }))""")
        return {tuple(link) for link in found}

    # The graph, changed from behind (detail tests)

    def load(self, workflow: dict) -> None:
        # Into the tab that is open: a person's file would open a tab of its own, and they would pile up.
        self.js("async graph => { await app.loadGraphData(graph, true, true, app.extensionManager.workflow.activeWorkflow) }", workflow)
        self.settle()

    def create(self, type: str, x: float, y: float) -> str:
        """A node at graph coordinates, by the page's API; returns its id."""
        made = self.js(
            """([type, x, y]) => { const n = LiteGraph.createNode(type); n.pos = [x, y]; app.canvas.graph.add(n); return String(n.id) }""",
            [type, x, y],
        )
        self.settle()
        return made

    def set(self, node_id: str, name: str, value) -> None:
        self.js(
            "([id, name, value]) => { app.canvas.graph.getNodeById(id).widgets.find(w => w.name === name).value = value }",
            [node_id, name, value],
        )
        self.settle()

    def wire(self, source: str, output: int, target: str, input: str) -> None:
        self.js(
            """([source, output, target, input]) => { const g = app.canvas.graph, t = g.getNodeById(target);
                g.getNodeById(source).connect(output, t, t.inputs.findIndex(i => i.name === input)) }""",
            [source, output, target, input],
        )
        self.settle()

    def select(self, *ids: str) -> None:
        self.js("ids => app.canvas.selectItems(ids.map(id => app.canvas.graph.getNodeById(id)))", list(ids))
        self.settle()

    def look_at(self, x: float, y: float, scale: float = 1.0) -> None:
        """Puts graph point (x, y) into the upper left of the canvas, right of the page's own bars."""
        self.js(
            """([x, y, scale]) => { const ds = app.canvas.ds; ds.scale = scale;
               ds.offset[0] = 110 / scale - x; ds.offset[1] = 110 / scale - y;
               ds.onChanged?.(ds.scale, ds.offset); app.canvas.setDirty(true, true) }""",
            [x, y, scale],
        )
        self.settle()

    def command(self, name: str) -> None:
        self.js("async name => { await app.extensionManager.command.execute(name) }", name)
        self.settle(6)

    # Hands

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Graph coordinates → window coordinates."""
        return tuple(
            self.js(
                """([x, y]) => { const c = app.canvas, r = c.canvas.getBoundingClientRect();
                    return [r.left + (x + c.ds.offset[0]) * c.ds.scale, r.top + (y + c.ds.offset[1]) * c.ds.scale] }""",
                [x, y],
            )
        )

    def title_of(self, node_id: str) -> tuple[float, float]:
        """A point in a node's title bar, where one takes hold of it."""
        x, y = self.js("id => { const n = app.canvas.graph.getNodeById(id); return [n.pos[0] + n.size[0] * 0.55, n.pos[1] - 15] }", node_id)
        return self.at(x, y)

    def click_title(self, node_id: str) -> None:
        self.blur()
        self.tab.mouse.click(*self.title_of(node_id))
        self.settle()

    def blur(self) -> None:
        self.js("() => document.activeElement?.blur?.()")

    def keys(self, *keys: str) -> None:
        for key in keys:
            self.tab.keyboard.press(key)
        self.settle()

    def type(self, text: str) -> None:
        self.tab.keyboard.type(text)
        self.settle()

    def add(self, name: str, x: float, y: float, shot: str = "") -> str:
        """A node as a person adds it: double-click on the canvas, its name, a click on the one meant. Returns its id."""
        before = {n["id"] for n in self.nodes()}
        box = self.tab.locator("input[role=combobox]:visible").first
        # Its own line among the names found: "KSampler" is also the beginning of others.
        options = "[...document.querySelectorAll('[role=option]')]"
        first_line = f"name => {options}.findIndex(o => o.innerText.trim().split('\\n')[0].trim() === name)"
        for _ in range(6):  # a busy page may see two single clicks, or open the box late and close it at the second try
            self.tab.mouse.dblclick(*self.at(x, y))
            with contextlib.suppress(PlaywrightTimeout):
                box.wait_for(timeout=2_000)
                self.settle()
                box.fill(name, timeout=2_000)
                at = -1
                while at < 0 or at != self.js(first_line, name):  # the list is sorted anew while it fills
                    self.wait(f"name => ({first_line})(name) >= 0", name, timeout=5_000)
                    at = self.js(first_line, name)
                    self.tab.wait_for_timeout(150)
                if shot:
                    self.shot(shot)
                self.tab.locator("[role=option]").nth(at).click(timeout=2_000)
                break
            self.tab.keyboard.press("Escape")
        self.wait("n => app.canvas.graph._nodes.length > n", len(before))
        if self.js("() => app.canvas.state.ghostNodeId != null"):  # newer pages: it hangs on the pointer until it is put down
            middle = x + self.js("() => app.canvas.graph._nodes.at(-1).size[0]") / 2
            while self.js("() => app.canvas.state.ghostNodeId != null"):
                self.tab.mouse.move(*self.at(middle, y))
                self.settle()
                self.tab.mouse.click(*self.at(middle, y - 10))
                self.settle()
        self.settle()
        made = next(n for n in self.nodes() if n["id"] not in before)
        assert made["title"] == name, f"asked for {name}, got {made['title']}"
        return made["id"]

    def connect(self, source: str, output: int, target: str, input: str) -> None:
        """Drags a wire from an output to an input."""
        slot = self.js("([id, name]) => app.canvas.graph.getNodeById(id).inputs.findIndex(i => i.name === name)", [target, input])
        self.blur()
        self.tab.mouse.move(*self._slot(source, "out", output))
        self.tab.mouse.down()
        x, y = self._slot(target, "in", slot)
        self.tab.mouse.move(x - 20, y, steps=5)
        self.tab.mouse.move(x, y, steps=5)
        self.tab.mouse.up()
        self.settle()
        assert (source, output, target, input) in self.links(), f"no wire from {source} to {input} of {target}"

    def _slot(self, node_id: str, side: str, number: int) -> tuple[float, float]:
        """Where a slot's dot is in the window."""
        if self.nodes2:
            box = self.tab.locator(f'[data-slot-key$="{node_id}-{side}-{number}"]').bounding_box()
            return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        where = "([id, side, n]) => [...app.canvas.graph.getNodeById(id)[side === 'in' ? 'getInputPos' : 'getOutputPos'](n)]"
        return self.at(*self.js(where, [node_id, side, number]))

    def remember(self) -> None:
        """The page takes note for its undo, as it does after a click or a key."""
        self.settle()
        self.js("""() => { const t = app.extensionManager.workflow.activeWorkflow.changeTracker;
            t.captureCanvasState ? t.captureCanvasState() : t.checkState() }""")
        self.pause()

    def undo(self) -> None:
        self._history("undo", "Control+z")

    def redo(self) -> None:
        self._history("redo", "Control+y")

    @property
    def moves_by_itself(self) -> bool:
        """1.32.9 moves nodes by itself after an undo in Nodes 2.0. It takes that for a change as soon as a key or button is let go:
        what could be redone is forgotten, and the next undo takes back only the move."""
        return self.name == "shipped-nodes2"

    def _history(self, act: str, key: str) -> None:
        self.blur()
        before = self._values()
        if self.moves_by_itself:  # no key to let go: on a busy machine the nodes have moved by then
            self.js("async act => { await app.extensionManager.workflow.activeWorkflow.changeTracker[act]() }", act)
        else:
            self.tab.keyboard.press(key)
        with contextlib.suppress(AssertionError):  # a step may change nothing that is asked for here: the test asserts what must
            self.until(lambda: self._values() != before, timeout=3)
        self.settle(6)
        self.tab.wait_for_timeout(200)

    def _values(self) -> list:
        return [(node["id"], node["values"]) for node in self.nodes()]

    def copy_paste(self, node_id: str, x: float, y: float) -> str:
        """Ctrl+C, Ctrl+V with the pointer at graph point (x, y); returns the new node's id."""
        before = {n["id"] for n in self.nodes()}
        self.click_title(node_id)
        self.keys("Control+c")
        self.tab.mouse.move(*self.at(x, y))
        self.keys("Control+v")
        self.wait("n => app.canvas.graph._nodes.length > n", len(before))
        self.settle()
        return next(n["id"] for n in self.nodes() if n["id"] not in before)

    def to_subgraph(self, *ids: str) -> str:
        """Converts nodes into a subgraph; returns the id of the node it became."""
        before = {n["id"] for n in self.nodes()}
        self.select(*ids)
        self.command("Comfy.Graph.ConvertToSubgraph")
        self.wait("ids => app.canvas.graph._nodes.some(n => n.isSubgraphNode?.())", list(ids))
        return next(n["id"] for n in self.nodes() if n["id"] not in before)

    def enter(self, node_id: str) -> None:
        self.js("id => { const n = app.canvas.graph.getNodeById(id); app.canvas.openSubgraph(n.subgraph, n) }", node_id)
        self.settle(6)

    def tabs(self):
        """The workflows that are open, as tabs to click."""
        return self.tab.locator(".workflow-tabs .p-togglebutton, [data-testid=workflow-tab], .workflow-tab").locator("visible=true")

    def leave(self) -> None:
        self.js("() => app.canvas.setGraph(app.rootGraph ?? app.graph)")
        self.settle(6)

    def remove(self, node_id: str) -> None:
        self.click_title(node_id)
        self.keys("Delete")

    # Runs

    def run(self, timeout: float = 120) -> dict:
        """Ctrl+Enter; returns the finished run's history entry, which must be a success."""
        self.blur()
        with self.tab.expect_response(lambda r: r.url.split("?")[0].endswith("/prompt") and r.request.method == "POST") as posted:
            self.tab.keyboard.press("Control+Enter")
        answer = posted.value.json()
        assert posted.value.status == 200 and not answer.get("node_errors"), answer
        entry = self.finished(answer["prompt_id"], timeout)
        self.settle(6)
        return entry

    def finished(self, prompt_id: str, timeout: float = 120) -> dict:
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            found = requests.get(f"{self.url}/history/{prompt_id}", timeout=30).json().get(prompt_id)
            if found:
                assert found["status"]["status_str"] == "success", found["status"]
                return found
            self.tab.wait_for_timeout(100)  # the page goes on meanwhile
        raise TimeoutError(f"run {prompt_id} has not ended after {timeout:.0f} s")

    def pictures(self, entry: dict, node_id: str) -> list[Image.Image]:
        found = []
        for info in entry["outputs"][node_id]["images"]:
            answer = requests.get(f"{self.url}/view", params=info, timeout=30)
            answer.raise_for_status()
            found.append(Image.open(io.BytesIO(answer.content)).convert("RGB"))
        return found

    # Our widgets

    def view(self, kind: str, node_id: str):
        """Our widget's root element (comments, ranking, profile, chips) on a node."""
        return self.tab.locator(f'[data-viper="{kind}"][data-viper-node="{node_id}"]')

    def part(self, kind: str, node_id: str, name: str):
        """The parts of that widget by name (`data-viper-part`)."""
        return self.view(kind, node_id).locator(f"[data-viper-part={name}]")

    def flaws(self, kind: str, node_id: str) -> list[str]:
        """What is cut off or lies over something else in our widget, as it is on the screen now; nothing, one hopes."""
        return self.js(FLAWS, [kind, node_id])

    def drop(self, target, files: list[tuple[str, bytes]]) -> None:
        """Files dropped on an element, as from the desktop."""
        self._transfer(target, files, ["dragenter", "dragover", "drop"])

    def paste_files(self, target, files: list[tuple[str, bytes]]) -> None:
        self._transfer(target, files, ["paste"])

    def _transfer(self, target, files: list[tuple[str, bytes]], events: list[str]) -> None:
        target.evaluate(
            """(element, [files, events]) => { const data = new DataTransfer(), box = element.getBoundingClientRect();
                for (const [name, bytes] of files) data.items.add(new File([new Uint8Array(bytes)], name, {type: 'image/png'}));
                const at = {bubbles: true, cancelable: true, clientX: box.x + box.width / 2, clientY: box.y + 20};
                for (const kind of events) element.dispatchEvent(kind === 'paste'
                    ? new ClipboardEvent(kind, {...at, clipboardData: data}) : new DragEvent(kind, {...at, dataTransfer: data})) }""",
            [[[name, list(data)] for name, data in files], events],
        )
        self.settle()


# Boxes of what one uses or reads, each cut to what its scrolling parents show of it.
FLAWS = """([kind, id]) => {
    const found = [], root = [...document.querySelectorAll(`[data-viper="${kind}"][data-viper-node="${id}"]`)].filter(e => e.offsetParent);
    if (root.length !== 1) return [`${root.length} of ${kind} on the page`];
    const outer = root[0].getBoundingClientRect();
    const name = e => `${e.tagName.toLowerCase()} ${e.dataset.viperPart ?? ''} "${(e.value || e.innerText || '').slice(0, 20)}"`;
    const body = root[0].closest('.lg-node')?.getBoundingClientRect();  // Nodes 2.0
    const wide = body?.width ?? app.canvas.graph.getNodeById(id).size[0] * app.canvas.ds.scale;
    if (body && outer.bottom > body.bottom + 1) found.push('the widget is higher than its node');
    if (outer.width > wide + 1) found.push(`the widget is ${outer.width} wide, the node ${wide}`);
    const shown = [...root[0].querySelectorAll('button, textarea, input, select, .viper-chip, .viper-count, [data-viper-part=advice]')]
        .filter(e => e.offsetParent && e.type !== 'file').map(e => {
            const box = e.getBoundingClientRect();
            let clip = {left: box.left, top: box.top, right: box.right, bottom: box.bottom}, scrolls = false;
            for (let p = e.parentElement; p && root[0].contains(p); p = p.parentElement) {
                if (getComputedStyle(p).overflowY === 'visible') continue;
                const edge = p.getBoundingClientRect();
                scrolls ||= /auto|scroll/.test(getComputedStyle(p).overflowY);
                clip = {left: Math.max(clip.left, edge.left), top: Math.max(clip.top, edge.top),
                    right: Math.min(clip.right, edge.right), bottom: Math.min(clip.bottom, edge.bottom)};
            }
            return {e, box, clip, scrolls, visible: clip.right - clip.left > 1 && clip.bottom - clip.top > 1};
        });
    for (const {e, box, scrolls, visible} of shown) {
        if (box.left < outer.left - 1 || box.right > outer.right + 1) found.push(`${name(e)} sticks out at the side`);
        if (!scrolls && (box.top < outer.top - 1 || box.bottom > outer.bottom + 1)) found.push(`${name(e)} is cut off`);
        if (!(e.ariaLabel || e.innerText?.trim() || e.placeholder)) found.push(`${name(e)} has no name to be read out`);
        if (!scrolls && !visible) found.push(`${name(e)} is not to be seen`);
        if (e.matches('button:not(.viper-chip)') && e.scrollWidth > e.clientWidth + 1) found.push(`the words of ${name(e)} are cut off`);
    }
    for (const e of root[0].querySelectorAll('*')) {
        if (!e.offsetParent || e.matches('textarea') || !/auto|scroll/.test(getComputedStyle(e).overflowY)) continue;
        if (e.scrollHeight > e.clientHeight + 1 && e.clientHeight < 22) found.push(`no room to see anything of .${e.className}`);
    }
    for (const [i, a] of shown.entries()) for (const b of shown.slice(i + 1)) {
        if (!a.visible || !b.visible || a.e.contains(b.e) || b.e.contains(a.e)) continue;
        const wide = Math.min(a.clip.right, b.clip.right) - Math.max(a.clip.left, b.clip.left);
        const high = Math.min(a.clip.bottom, b.clip.bottom) - Math.max(a.clip.top, b.clip.top);
        if (wide > 1 && high > 1) found.push(`${name(a.e)} lies over ${name(b.e)}`);
    }
    return found;
}"""
