"""The command behind scripts/cassandra."""

from __future__ import annotations

import argparse
import os
import shlex
import sys

from scripts.embedded import client, instance, nodetool
from scripts.embedded.artifacts import CASSANDRA, NEWEST
from scripts.embedded.errors import SetupError
from scripts.embedded.node import TOKENS
from scripts.embedded.start import Wish, start, stop

VERSION_VARIABLE = "CASSANDRA_VERSION"
HEAP = {1: 1024, 3: 512}  # MiB of each node, by the number of nodes


def main(argv: list[str]) -> int:
    arguments = _parser().parse_args(argv)
    try:
        match arguments.command:
            case "start":
                state = start(_wish(arguments))
                print(f"Cassandra {arguments.name!r} answers at {_address(state)}")
            case "stop":
                stopped = stop(arguments.name)
                print(f"Cassandra {arguments.name!r} {'is stopped' if stopped else 'was not running'}")
            case "status":
                state = instance.running(arguments.name)
                print(
                    _exports(state)
                    if arguments.export
                    else f"Cassandra {arguments.name!r} answers at {_address(state)}"
                )
            case "nodetool":
                print(nodetool.ask(arguments.name, arguments.words), end="")
            case "cql":
                print(client.ask(instance.running(arguments.name), arguments.statement))
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _address(state: instance.State) -> str:
    return f"{','.join(state.contact_points)} port {state.port}"


def _exports(state: instance.State) -> str:
    return " ".join(["export", *(f"{name}={shlex.quote(value)}" for name, value in state.variables.items())])


def _wish(arguments: argparse.Namespace) -> Wish:
    return Wish(
        name=arguments.name,
        nodes=arguments.nodes,
        heap=arguments.heap or HEAP[arguments.nodes],
        release=_release(arguments.version),
        port=arguments.port,
        throwaway=arguments.throwaway or arguments.nodes > 1,
        auth=arguments.auth,
        tls=arguments.tls or arguments.client_certificates,
        client_certificates=arguments.client_certificates,
    )


def _release(text: str) -> str:
    if text not in CASSANDRA:
        releases = ", ".join(CASSANDRA)
        raise SetupError(
            f"there is no Cassandra {text!r} here: --version, or {VERSION_VARIABLE}, is one of {releases}."
        )
    return text


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--name", default="default", help="which instance, where several run (%(default)s)")
    parser = argparse.ArgumentParser(
        prog="scripts/cassandra", description="A real Cassandra on this machine, with no installation."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    begin = commands.add_parser("start", parents=[common], help="start it, unless it runs, and wait until it answers")
    begin.add_argument(
        "--version",
        default=os.environ.get(VERSION_VARIABLE) or NEWEST,
        help=f"one of {', '.join(CASSANDRA)}; otherwise what {VERSION_VARIABLE} says, or {NEWEST}",
    )
    begin.add_argument("--nodes", type=int, default=1, choices=sorted(TOKENS))
    begin.add_argument("--port", type=int, help="this CQL port or none (9042 where it is free, otherwise any)")
    begin.add_argument("--heap", type=int, help="MiB of each node (1024, or 512 with three nodes)")
    begin.add_argument(
        "--throwaway", action="store_true", help="start empty, and keep nothing after stop (always so with three nodes)"
    )
    begin.add_argument("--auth", action="store_true", help="demand a login: cassandra, cassandra")
    begin.add_argument("--tls", action="store_true", help="demand TLS; `status --export` names the authority to trust")
    begin.add_argument(
        "--client-certificates",
        action="store_true",
        help="demand TLS, and a certificate of the client, named there too",
    )
    commands.add_parser("stop", parents=[common], help="stop it; data stays for the next start")
    status = commands.add_parser(
        "status", parents=[common], help="say where it answers; exit code 1 when it does not run"
    )
    status.add_argument(
        "--export", action="store_true", help='shell variables: eval "$(scripts/cassandra status --export)"'
    )
    tool = commands.add_parser("nodetool", parents=[common], help="Cassandra's own tool, on each of its nodes")
    tool.add_argument("words", nargs=argparse.REMAINDER, metavar="...", help="for example: flush KEYSPACE")
    cql = commands.add_parser("cql", parents=[common], help="run one statement and print the answer")
    cql.add_argument("statement")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
