import asyncio
import threading

import pytest
from starlette.types import Receive, Send

from graft.service.faults import describe_fault
from graft.service.guard import Guard
from graft.service.measures import Measures
from graft.service.settings import Limits
from tests.graft.service.conftest import LESION, TOKEN


@pytest.mark.parametrize("path", ["/model", "/metrics", "/nowhere", "/predict"])
@pytest.mark.parametrize("token", [None, "Bearer wrong", "Basic x", "Bearer", "Bearer \xe9"])
def test_only_the_token_opens(service, path, token):
    headers = {"Authorization": token.encode("latin-1") if token else ""}
    response = service.client.get(path, headers=headers)
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert "error" in response.json()


@pytest.mark.parametrize("path", ["/", "/docs", "/openapi.json", "/health", "/page/style.css"])
def test_the_page_and_the_health_are_open(service, path):
    assert service.client.get(path, headers={"Authorization": ""}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "evil:8000"])
def test_another_host_is_refused(service, host):
    assert service.client.get("/health", headers={"Host": host}).status_code == 421


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:9", "[::1]:9"])
def test_own_hosts_are_allowed(service, host):
    assert service.client.get("/health", headers={"Host": host}).status_code == 200


def test_every_answer_has_the_headers_and_a_new_number(service):
    seen = set()
    for path in ("/", "/health", "/nowhere", "/page/nothing", "/model"):
        headers = service.client.get(path, headers={"X-Request-ID": "Gertrude"}).headers
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert "access-control-allow-origin" not in headers
        assert "server" not in headers
        seen.add(headers["x-request-id"])
    assert len(seen) == 5
    assert "Gertrude" not in seen


@pytest.mark.parametrize("declared", [True, False])
def test_an_upload_that_is_too_large_is_refused(service, declared):
    content = bytes(5 << 20)
    if declared:
        response = service.client.post("/predict", files={"scan": ("a.nii", content)})
    else:
        parts = iter(
            [
                b'--b\r\nContent-Disposition: form-data; name="scan"; filename="a.nii"\r\n\r\n',
                content,
                b"\r\n--b--\r\n",
            ]
        )
        headers = {"content-type": "multipart/form-data; boundary=b"}
        response = service.client.post("/predict", content=parts, headers=headers)
    assert response.status_code == 413
    assert response.json()["error"].startswith("the upload has more than 4194304 bytes")
    assert service.left_over() == []


def test_more_requests_than_may_wait_are_asked_to_come_back(start_service, scan):
    running = start_service(Limits(workers=1, waiting=1, memory=1 << 30))
    files = {"scan": (scan.name, scan.read_bytes())}
    answers = []

    def send() -> None:
        answers.append(running.client.post("/predict", files=files, data=LESION))

    threads = [threading.Thread(target=send) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    statuses = [answer.status_code for answer in answers]
    assert set(statuses) == {200, 503}
    refused = answers[statuses.index(503)]
    assert refused.headers["retry-after"] == "1"
    assert "error" in refused.json()


def test_the_log_has_no_query_no_name_and_no_unknown_path(service, scan):
    service.client.get("/health?patient=Loudvoice")
    service.client.get("/Loudvoice^Gertrude")
    files = {"scan": (scan.name, scan.read_bytes()[:-30])}  # its name is the patient's
    assert service.client.post("/predict", files=files, data=LESION).status_code == 422
    text = "\n".join(service.log)
    assert "Loudvoice" not in text and "Gertrude" not in text
    assert " GET /health 200 " in text
    assert " GET other 404 " in text
    assert " POST /predict 422 " in text


def test_a_fault_of_graft_says_nothing(service, scan, monkeypatch):
    async def fail(*arguments: object) -> None:
        raise KeyError("Loudvoice^Gertrude")

    monkeypatch.setattr(service.pool, "run", fail)
    files = {"scan": (scan.name, scan.read_bytes())}
    response = service.client.post("/predict", files=files, data=LESION)
    assert response.status_code == 500
    assert list(response.json()) == ["error"]
    text = response.text + "\n".join(service.log)
    assert "Loudvoice" not in text and "KeyError" not in response.text
    number = response.headers["x-request-id"]
    assert any(line.startswith(f"{number} fault: KeyError at ") for line in service.log)
    assert service.left_over() == []


def test_a_fault_in_a_worker_is_logged_without_its_text(service, scan, monkeypatch):
    async def fail(*arguments: object) -> dict:
        try:
            raise KeyError("Loudvoice^Gertrude")
        except KeyError as error:
            return {"status": 500, "fault": describe_fault(error)}

    monkeypatch.setattr(service.pool, "run", fail)
    files = {"scan": (scan.name, scan.read_bytes())}
    assert service.client.post("/predict", files=files, data=LESION).status_code == 500
    assert "fault: KeyError at test_guard.py:" in service.log[-2]
    assert "Loudvoice" not in "\n".join(service.log)


def test_an_upload_that_does_not_arrive_is_given_up():
    received = [{"type": "http.request", "body": b"--b", "more_body": True}]
    sent = []

    async def receive() -> dict:
        if not received:
            await asyncio.sleep(600)
        return received.pop()

    async def send(message: dict) -> None:
        sent.append(message)

    async def read_all(scope: dict, receive: Receive, send: Send) -> None:
        while True:
            await receive()

    guard = Guard(read_all, TOKEN, {"here"}, Limits(seconds=0.05), Measures(""), lambda line: None)
    headers = [(b"host", b"here"), (b"authorization", f"Bearer {TOKEN}".encode())]
    scope = {"type": "http", "path": "/predict", "method": "POST", "headers": headers}
    asyncio.run(guard(scope, receive, send))
    assert sent[0]["status"] == 408
    assert b"took more than 0.05 s" in sent[1]["body"]


def test_a_websocket_is_closed():
    sent = []

    async def send(message: dict) -> None:
        sent.append(message)

    guard = Guard(None, TOKEN, {"here"}, Limits(), Measures(""), lambda line: None)
    asyncio.run(guard({"type": "websocket", "path": "/", "headers": []}, None, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]


def test_a_request_that_the_end_interrupts_is_asked_to_come_back():
    sent = []

    async def send(message: dict) -> None:
        sent.append(message)

    async def interrupt(scope: dict, receive: Receive, send: Send) -> None:
        raise asyncio.CancelledError

    async def receive() -> dict:
        return {"type": "http.request", "body": b"", "more_body": False}

    guard = Guard(interrupt, TOKEN, {"here"}, Limits(), Measures(""), lambda line: None)
    scope = {"type": "http", "path": "/", "method": "GET", "headers": [(b"host", b"here")]}
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(guard(scope, receive, send))
    assert sent[0]["status"] == 503
    assert (b"retry-after", b"1") in sent[0]["headers"]
