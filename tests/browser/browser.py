"""browser.py - opens pages in headless Chromium and looks at what came of them.

    browser.py check PAGE...            what is wrong with the pages, a line each; exit code 1 if anything;
                                        at the widths and colours of RF_SCREENS, for instance "360:light"
    browser.py shot PAGE PNG WIDTH light|dark [HEIGHT]

Speaks the DevTools protocol over two pipes, so it needs no port, no network and no package.
"""
import base64, json, os, subprocess, sys, tempfile

LOOK = open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "look.js")).read()


class Browser:
    def __init__(self, program):
        self.home = tempfile.TemporaryDirectory()
        to_read, self.write = os.pipe()
        self.read, to_write = os.pipe()
        flags = ["--headless", "--remote-debugging-pipe", "--disable-gpu", "--hide-scrollbars",
                 "--disable-dev-shm-usage", "--no-first-run", "--user-data-dir=" + self.home.name]
        if os.geteuid() == 0:
            flags.append("--no-sandbox")

        def pipes():  # Chromium reads commands from 3 and answers on 4
            a, b = os.dup(to_read), os.dup(to_write)
            os.dup2(a, 3)
            os.dup2(b, 4)
            for fd in (3, 4):
                os.set_inheritable(fd, True)

        self.process = subprocess.Popen([program, *flags, "about:blank"], close_fds=False, preexec_fn=pipes,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(to_write)
        self.buffer, self.last, self.events = b"", 0, []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = None
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "DOM"):
            self.call(domain + ".enable")

    def receive(self):
        while b"\0" not in self.buffer:
            more = os.read(self.read, 1 << 16)
            if not more:
                raise EOFError("Chromium has gone")
            self.buffer += more
        text, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(text)

    def call(self, method, **params):
        self.last += 1
        message = {"id": self.last, "method": method, "params": params}
        if getattr(self, "session", None):
            message["sessionId"] = self.session
        os.write(self.write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self.last:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def screen(self, width, height, scheme):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                  mobile=width < 600)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def open(self, path):
        self.events.clear()
        self.call("Page.navigate", url="file://" + os.path.abspath(path))
        while not any(e.get("method") == "Page.loadEventFired" for e in self.events):
            self.events.append(self.receive())

    def evaluate(self, code):
        answer = self.call("Runtime.evaluate", expression=code, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(str(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def shot(self, path):
        data = self.call("Page.captureScreenshot", format="png")["data"]
        with open(path, "wb") as out:
            out.write(base64.b64decode(data))

    def close(self):
        try:
            self.session = None
            self.call("Browser.close")
        except (EOFError, BrokenPipeError):
            pass
        self.process.wait()
        self.home.cleanup()


def said(events):
    """What the console, the page or the network had to say: nothing, if all is well."""
    for event in events:
        method, params = event.get("method", ""), event.get("params", {})
        if method == "Runtime.consoleAPICalled":
            yield f"console: {params['args']}"
        elif method == "Log.entryAdded":
            yield f"log: {params['entry']['text']}"
        elif method == "Runtime.exceptionThrown":
            yield "an exception"
        elif method == "Network.requestWillBeSent" and not params["request"]["url"].startswith("file://"):
            yield f"request for {params['request']['url']}"
        elif method == "Network.requestWillBeSent" and params.get("type") != "Document":
            yield f"request for {params['request']['url']}"


def check(browser, path):
    for screen in os.environ.get("RF_SCREENS", "360:light 360:dark 1280:light 1280:dark").split():
        width, scheme = screen.split(":")
        browser.screen(int(width), 800, scheme)
        browser.open(path)
        found = list(said(browser.events)) + browser.evaluate(LOOK)
        for what in dict.fromkeys(found):
            yield f"{path} at {width} px, {scheme}: {what}"


def main():
    browser = Browser(os.environ.get("RF_CHROMIUM", "chromium"))
    wrong = []
    try:
        if sys.argv[1] == "check":
            for path in sys.argv[2:]:
                wrong += check(browser, path)
        else:
            path, png, width, scheme = sys.argv[2:6]
            browser.screen(int(width), int((sys.argv[6:] or ["800"])[0]), scheme)
            browser.open(path)
            browser.shot(png)
    finally:
        browser.close()
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
