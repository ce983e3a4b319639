"""Commands one after the other in a process of their own, each when a line on standard input has named its arguments.

A line on standard output tells of each: its exit code, when it began and how much the driver asked Spark's JVM.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout

from py4j.clientserver import JavaClient

from jobs.__main__ import main


def count_messages() -> Callable[[], int]:
    """How many messages to the JVM there have been since."""
    seen = 0
    send = JavaClient.send_command

    def counted(client: JavaClient, message: str, *args: object, **options: object) -> object:
        nonlocal seen
        seen += 1
        return send(client, message, *args, **options)

    JavaClient.send_command = counted
    return lambda: seen


if __name__ == "__main__":
    asked = count_messages()
    for line in sys.stdin:
        began, before = round(time.time() * 1000), asked()
        with redirect_stdout(sys.stderr):
            code = main(json.loads(line))
        print(json.dumps({"code": code, "began": began, "messages": asked() - before}), flush=True)
