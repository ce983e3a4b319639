"""Strange bodies and headers, sent to a real server: each is answered in the envelope, and none of them is a bug."""

from __future__ import annotations

from random import Random

from tests.fuzz.requests import drawn_body
from tests.fuzz.strange import text
from tests.harness.api import ACTIVITY, EARLIER, GROUP, Api

REQUESTS = 200
PATHS = (GROUP, ACTIVITY, EARLIER, "/data/activity/agg", "/data/activity/user/agg", "/data/metrics", "/nowhere")
REFUSED = {400, 401, 403, 404, 405, 413}


def test_whatever_is_sent_is_answered_in_the_envelope(api: Api) -> None:
    statuses = set()
    for seed in range(REQUESTS):
        chance = Random(f"request {seed}")
        headers = [(b"authorization", f"Bearer {api.keys.token()}".encode())] if chance.random() < 0.9 else []
        headers += [(b"x-msgid", in_a_header(chance)), (b"accept-encoding", in_a_header(chance))]
        response = api.client.post(chance.choice(PATHS), content=drawn_body(chance), headers=headers)
        assert response.status_code in {200, *REFUSED}, (seed, response.text)
        assert response.json()["params"]["status"] == ("success" if response.status_code == 200 else "failed"), seed
        statuses.add(response.status_code)
    assert statuses >= {200, 400, 401, 404}
    assert "Traceback" not in api.errors.read_text()


def in_a_header(chance: Random) -> bytes:
    """What HTTP lets through: any bytes but those that end a line, and no blanks around."""
    raw = text(chance).encode("utf-8", "surrogatepass")[:500]
    return bytes(byte for byte in raw if byte >= 0x20 and byte != 0x7F).strip()
