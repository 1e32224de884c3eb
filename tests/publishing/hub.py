"""A hub on this machine: the requests that an upload makes, over HTTP, with repositories kept in memory."""

import base64
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import yaml

TOKEN = "hf_" + "s3cret" * 6


class Hub:
    """Repositories by "<type>s/<id>", for one token; ``refuse`` answers every creation with 403."""

    def __init__(self, token):
        self.token, self.refuse = token, False
        self.repositories, self.objects, self.private = {}, {}, {}
        self.requests = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def answer(self, path, body):
        """Status and JSON for a POST."""
        if path == "/api/repos/create":
            asked = json.loads(body)
            if self.refuse:
                return 403, {"error": "You don't have the rights to create a model under this namespace"}
            repo = f"{asked.get('type', 'model')}s/{asked['organization']}/{asked['name']}"
            self.private[repo] = asked.get("private", asked.get("visibility") == "private")
            fresh = repo not in self.repositories
            self.repositories.setdefault(repo, {})
            url = f"{self.url}/{repo.removeprefix('models/')}"
            return (200, {"url": url}) if fresh else (409, {"url": url, "error": "You already created this repo"})
        if path == "/api/validate-yaml":
            metadata = yaml.safe_load(json.loads(body)["content"].split("---")[1])
            return (200, {"warnings": []}) if metadata else (400, {"errors": [{"message": "no metadata"}]})
        if "/preupload/" in path:
            files = json.loads(body)["files"]
            modes = {True: "lfs", False: "regular"}
            return 200, {
                "files": [
                    {"path": f["path"], "uploadMode": modes[f["path"].endswith(".safetensors")], "shouldIgnore": False}
                    for f in files
                ]
            }
        if path.endswith("/info/lfs/objects/batch"):
            wanted = json.loads(body)["objects"]
            return 200, {
                "transfer": "basic",
                "objects": [
                    {**one, "actions": {"upload": {"href": f"{self.url}/objects/{one['oid']}"}}} for one in wanted
                ],
            }
        if "/commit/" in path:
            repo = path.removeprefix("/api/").split("/commit/")[0]
            for line in body.decode().splitlines():
                self._commit(self.repositories[repo], json.loads(line))
            url = f"{self.url}/{repo.removeprefix('models/')}/commit/{'a' * 40}"
            return 200, {"success": True, "commitOid": "a" * 40, "commitUrl": url, "hookOutput": ""}
        return 404, {"error": f"no such page {path}"}

    def _commit(self, files, line):
        value = line["value"]
        if line["key"] == "file":
            files[value["path"]] = base64.b64decode(value["content"])
        if line["key"] == "lfsFile":
            files[value["path"]] = self.objects[value["oid"]]

    def _handler(hub):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                hub.requests.append(self.path)
                if self.headers.get("Authorization") != f"Bearer {hub.token}":
                    return self._say(401, {"error": "Invalid credentials"})
                return self._say(*hub.answer(self.path.split("?")[0], body))

            def do_PUT(self):
                content = self.rfile.read(int(self.headers["Content-Length"]))
                hub.objects[hashlib.sha256(content).hexdigest()] = content
                self._say(200, {})

            def _say(self, status, value):
                content = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        return Handler
