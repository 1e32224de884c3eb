"""A local server that speaks the wire format of Messages, token counting and Message Batches.

Run as a program (standard library only, so that it starts fast): prints its port, then serves until killed. What a
request gets depends on its text alone: the text between the ``<text>`` tags of the last user message is the row. A row
may carry directives such as ``[[429:2]]`` (fails so twice, then answers) or ``[[refusal]]`` (always). The answer to a
row is a known function of its text (``truth``), so that a test can tell misaligned answers. ``/_control`` resets the
server and sets faults; ``/_log`` tells what it was asked and what it answered.
"""

import asyncio
import hashlib
import json
import os
import random
import re
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

DIRECTIVE = re.compile(r"\[\[(\w+)(?::([\d.]+))?\]\]")
ERRORS = {
    "400": ("invalid_request_error", "bad request"),
    "401": ("authentication_error", "invalid bearer token"),
    "404": ("not_found_error", "model: no such model"),
    "413": ("request_too_large", "too large"),
    "429": ("rate_limit_error", "rate limited"),
    "500": ("api_error", "internal"),
    "529": ("overloaded_error", "overloaded"),
}
#: What a random fault may be (``fail_rate``).
FAULTS = ("429", "500", "529", "drop", "malformed")


def truth(text: str, schema: dict[str, Any] | None) -> Any:
    """The right answer to a row: strings are the text reversed, an enumerated value is chosen by the text's digest."""
    if schema is None:
        return text[::-1]
    answer: dict[str, Any] = {}
    for name, spec in schema["properties"].items():
        if "enum" in spec:
            digest = hashlib.sha256(f"{name}\0{text}".encode()).digest()
            answer[name] = spec["enum"][digest[0] % len(spec["enum"])]
        elif spec["type"] == "boolean":
            answer[name] = len(text) % 2 == 0
        else:
            answer[name] = text[::-1]
    return answer


def row_of(params: dict[str, Any]) -> str:
    """The row that a request is about."""
    content = params["messages"][-1]["content"]
    match = re.search(r"<text>\n?(.*?)\n?</text>", content, re.DOTALL)
    return match[1] if match else content


def schema_of(params: dict[str, Any]) -> dict[str, Any] | None:
    return params.get("output_config", {}).get("format", {}).get("schema")


def tokens(value: Any) -> int:
    """A token is four bytes here."""
    return max(1, len(json.dumps(value, ensure_ascii=False).encode()) // 4)


def input_tokens(params: dict[str, Any]) -> int:
    return tokens([params.get("system", ""), params["messages"]])


def message(params: dict[str, Any], directives: dict[str, str]) -> dict[str, Any]:
    """A Messages API response to a request."""
    schema = schema_of(params)
    answer = truth(row_of(params), schema)
    text = answer if schema is None else json.dumps(answer, ensure_ascii=False)
    stop_reason = "end_turn"
    if "refusal" in directives:
        stop_reason, text = "refusal", "I can't"
    elif "max_tokens" in directives:
        stop_reason, text = "max_tokens", text[: len(text) // 2]
    elif "wrong_schema" in directives:
        text = '{"surprise": 1}'
    elif "not_json" in directives:
        text = "certainly! here it is"
    content: list[dict[str, Any]] = [{"type": "text", "text": text}]
    if "thinking" in directives:
        content.insert(0, {"type": "thinking", "thinking": "hm", "signature": "s"})
    return {
        "id": "msg_" + hashlib.sha256(text.encode()).hexdigest()[:24],
        "type": "message",
        "role": "assistant",
        "model": params["model"],
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": {"input_tokens": input_tokens(params), "output_tokens": tokens(text)},
    }


class Server:
    """The state of the server; see the module's docstring."""

    def __init__(self) -> None:
        self.generation = 0
        self.made = 0  # ids of batches are never used again
        self.reset({})

    def reset(self, settings: dict[str, Any]) -> None:
        self.generation += 1  # requests of the test before may still be under way
        self.settings = settings
        self.random = random.Random(settings.get("seed", 0))
        self.attempts: dict[str, int] = {}
        self.answered: dict[str, int] = {}
        self.times: list[float] = []
        self.seen: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.now = self.most = self.counted = 0
        self.batches: dict[str, dict[str, Any]] = {}
        self.paths: dict[str, int] = {}

    def check(self, headers: dict[str, str], params: dict[str, Any]) -> str | None:
        """What the real API would reject: sampling parameters under the newer version, a missing key."""
        if not headers.get("authorization", "").startswith("Bearer ") and "x-api-key" not in headers:
            return "401"
        sampling = {"temperature", "top_p", "top_k"} & params.keys()
        return "400" if sampling and headers["anthropic-version"] >= "2026-10-21" else None

    async def messages(self, headers: dict[str, str], params: dict[str, Any]) -> Any:
        row = row_of(params)
        attempt = self.attempts[row] = self.attempts.get(row, 0) + 1
        generation = self.generation
        self.now += 1
        self.most = max(self.most, self.now)
        self.times.append(time.monotonic())
        if len(self.seen) < 50:
            self.seen.append(params)
            self.headers.append(headers)
        try:
            directives = dict(DIRECTIVE.findall(row))
            fault = self.check(headers, params)
            for name in (*ERRORS, "drop", "malformed", "timeout", "slow"):
                count = directives.get(name)
                if count is not None and (count == "" or attempt <= float(count)):
                    fault = fault or name
            if not fault and self.random.random() < self.settings.get("fail_rate", 0):
                fault = self.random.choice(self.settings.get("faults", FAULTS))
            await asyncio.sleep(self.settings.get("latency", 0))
            if fault == "timeout":
                await asyncio.sleep(30)
                return "drop"
            if fault in ERRORS:
                return self.error(fault)
            if fault in ("drop", "malformed"):
                return fault
            answer = message(params, directives)
            self.answered[row] = self.answered.get(row, 0) + 1
            return 200, {}, answer
        finally:
            if generation == self.generation:
                self.now -= 1

    def error(self, status: str) -> Any:
        kind, text = ERRORS[status]
        headers = {}
        if status in ("429", "529") and self.settings.get("retry_after") is not None:
            headers["retry-after"] = str(self.settings["retry_after"])
        body = {"type": "error", "error": {"type": kind, "message": text + self.settings.get("echo", "")}}
        return int(status), headers, body

    # Message Batches
    def batch(self, batch: dict[str, Any], host: str) -> dict[str, Any]:
        """A batch as the API shows it; it ends ``batch_polls`` looks after it was made."""
        ended = batch["polls"] >= self.settings.get("batch_polls", 1)
        n = len(batch["requests"])
        kinds = [entry["result"]["type"] for entry in batch["results"]] if ended else []
        stamp = batch["created"].isoformat().replace("+00:00", "Z")
        expires = (batch["created"] + timedelta(days=1)).isoformat().replace("+00:00", "Z")
        return {
            "id": batch["id"],
            "type": "message_batch",
            "processing_status": "ended" if ended else "in_progress",
            "request_counts": {
                "processing": 0 if ended else n,
                "succeeded": n - kinds.count("errored") - kinds.count("expired") if ended else 0,
                "errored": kinds.count("errored"),
                "canceled": 0,
                "expired": kinds.count("expired"),
            },
            "created_at": stamp,
            "expires_at": expires,
            "ended_at": stamp if ended else None,
            "archived_at": None,
            "cancel_initiated_at": None,
            "results_url": f"http://{host}/v1/messages/batches/{batch['id']}/results" if ended else None,
        }

    def create_batch(self, headers: dict[str, str], body: dict[str, Any]) -> Any:
        fault = next((self.check(headers, request["params"]) for request in body["requests"]), None)
        if fault:
            return self.error(fault)
        failures = self.settings.get("create_faults", [])
        fault = failures.pop(0) if failures else None
        if fault in ERRORS:
            return self.error(fault)
        if len(body["requests"]) > self.settings.get("most_requests", 100_000):
            return self.error("400")
        if len({request["custom_id"] for request in body["requests"]}) < len(body["requests"]):
            return self.error("400")
        self.made += 1
        identifier = f"msgbatch_{self.made:06d}"
        results = [self.result(request) for request in body["requests"]]
        results = [entry for entry in results if entry is not None]
        self.random.shuffle(results)
        if self.settings.get("duplicates"):
            results += results[: self.settings["duplicates"]]
        if self.settings.get("conflicts"):
            for entry in results[: self.settings["conflicts"]]:
                changed = json.loads(json.dumps(entry))
                changed["result"]["message"]["content"][0]["text"] = '{"label": "other"}'
                results.append(changed)
        if self.settings.get("unknown"):
            results.append({"custom_id": "f" * 64, "result": results[0]["result"]})
        self.batches[identifier] = {
            "id": identifier,
            "requests": body["requests"],
            "results": results,
            "created": datetime.now(UTC),
            "polls": 0,
        }
        return "drop" if fault == "drop" else (200, {}, self.batches[identifier])

    def result(self, request: dict[str, Any]) -> dict[str, Any] | None:
        row = row_of(request["params"])
        directives = dict(DIRECTIVE.findall(row))
        if "absent" in directives:
            return None
        if "expired" in directives:
            return {"custom_id": request["custom_id"], "result": {"type": "expired"}}
        if "errored" in directives:
            error = {"type": "error", "error": {"type": "invalid_request_error", "message": "too long"}}
            return {"custom_id": request["custom_id"], "result": {"type": "errored", "error": error}}
        self.answered[row] = self.answered.get(row, 0) + 1
        succeeded = {"type": "succeeded", "message": message(request["params"], directives)}
        return {"custom_id": request["custom_id"], "result": succeeded}

    async def batches_api(self, method: str, path: str, query: str, headers: dict[str, str], body: Any) -> Any:
        host = headers["host"]
        await asyncio.sleep(self.settings.get("batch_latency", 0))
        if method == "POST":
            made = self.create_batch(headers, body)
            if isinstance(made, tuple) and made[0] == 200:
                return 200, {}, self.batch(made[2], host)
            return made
        identifier, _, results = path.removeprefix("/v1/messages/batches").strip("/").partition("/")
        if not identifier:
            limit = int(dict(re.findall(r"(\w+)=(\w+)", query)).get("limit", 20))
            limit = min(limit, self.settings.get("page", 1_000))
            after = dict(re.findall(r"(\w+)=(\w+)", query)).get("after_id")
            newest = sorted(self.batches, reverse=True)
            start = newest.index(after) + 1 if after else 0
            page = newest[start : start + limit]
            data = [self.batch(self.batches[name], host) for name in page]
            ends = {"first_id": page[0] if page else None, "last_id": page[-1] if page else None}
            return 200, {}, {"data": data, "has_more": start + limit < len(newest), **ends}
        batch = self.batches.get(identifier)
        if batch is None:
            return self.error("404")
        if results:
            if self.settings.get("drop_results", 0) > 0:
                self.settings["drop_results"] -= 1
                return "drop_half", batch["results"]
            return "lines", batch["results"]
        batch["polls"] += 1
        return 200, {}, self.batch(batch, host)

    async def handle(self, method: str, path: str, query: str, headers: dict[str, str], raw: bytes) -> Any:
        body = json.loads(raw) if raw else {}
        self.paths[f"{method} {path.split('/msgbatch')[0]}"] = (
            self.paths.get(f"{method} {path.split('/msgbatch')[0]}", 0) + 1
        )
        if path == "/_control":
            self.reset(body)
            return 200, {}, {}
        if path == "/_set":
            self.settings.update(body)
            return 200, {}, {}
        if path == "/_log":
            keep = ("attempts", "answered", "times", "seen", "headers", "most", "counted", "paths")
            log = {name: getattr(self, name) for name in keep}
            log["batches"] = {name: len(batch["requests"]) for name, batch in self.batches.items()}
            return 200, {}, log
        if path == "/_answered":  # short: asked while a job is running
            return 200, {}, {"rows": len(self.answered), "batches": len(self.batches)}
        if path == "/v1/messages":
            return await self.messages(headers, body)
        if path == "/v1/messages/count_tokens":
            self.counted += 1
            return 200, {}, {"input_tokens": input_tokens(body)}
        if path.startswith("/v1/messages/batches"):
            return await self.batches_api(method, path, query, headers, body)
        return self.error("404")

    async def connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                method, target, _ = head[0].split(" ")
                headers = dict(line.split(": ", 1) for line in head[1:] if line)
                headers = {name.lower(): value for name, value in headers.items()}
                raw = await reader.readexactly(int(headers.get("content-length", 0)))
                path, _, query = target.partition("?")
                answer = await self.handle(method, path, query, headers, raw)
                if answer == "drop":  # in the middle of the body
                    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n{")
                    await writer.drain()
                    return
                if answer == "malformed":
                    status, extra, body = 200, {}, b'{"id": "msg_1", "type": "message", "content": [{'
                elif answer[0] in ("lines", "drop_half"):
                    body = b"".join(json.dumps(line).encode() + b"\n" for line in answer[1])
                    if answer[0] == "drop_half":
                        start = f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\n\r\n".encode()
                        writer.write(start + body[: len(body) // 2])
                        await writer.drain()
                        return
                    status, extra = 200, {}
                else:
                    status, extra, body = answer[0], answer[1], json.dumps(answer[2]).encode()
                lines = [f"HTTP/1.1 {status} X", "content-type: application/json", f"content-length: {len(body)}"]
                lines += [f"{name}: {value}" for name, value in extra.items()]
                writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


async def main() -> None:
    server = await asyncio.start_server(Server().connection, "127.0.0.1", 0, limit=2**20, backlog=256)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)  # ends with the tests' process
    os._exit(0)  # without waiting for connections


if __name__ == "__main__":
    asyncio.run(main())
