"""What the portal and the app in the field do with an answer, step by step, as their published code does it.

Each step fails here where theirs would throw: a text that they call a method of has to be one, a list one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

Answer = dict[str, Any]
Member = dict[str, Any]

YOU = "(You)"


def text(value: object) -> str:
    """What a method of texts is called of."""
    assert isinstance(value, str), f"{value!r} is not a text"
    return value


def metric(entries: Sequence[Mapping[str, Any]], name: str) -> Any:
    """The value of the first entry of this name; None where there is none."""
    return next((entry["value"] for entry in entries if text(entry["metric"]) == name), None)


def rounded(number: float) -> int:
    """Half up, as Math.round does."""
    return math.floor(number + 0.5)


def in_group(answer: Answer, members: Sequence[Member], leaves: int) -> Answer:
    """The client library: every member of the group, with what the answer has of it and its progress.

    Of several rows of one member that with the most contents done counts.
    """
    merged = []
    for member in members:
        rows = [row for row in answer["members"] if row["userId"] == member["userId"]]
        rows.sort(key=lambda row: metric(row["agg"], "completedCount") or 0, reverse=True)
        if not rows:
            merged.append({**member, "agg": [{"metric": "completedCount", "value": 0}]})
            continue
        done = metric(rows[0]["agg"], "completedCount")
        progress = [] if done is None else [{"metric": "progress", "value": rounded(min(done, leaves) / leaves * 100)}]
        merged.append({**rows[0], "agg": [*rows[0]["agg"], *progress]})
    activity = answer["activity"]
    return {"activity": {**activity, "agg": [*activity["agg"], leaf_count(leaves)]}, "members": merged}


def leaf_count(leaves: int) -> dict[str, Any]:
    return {"metric": "leafNodesCount", "value": leaves, "lastUpdatedOn": 0}


def portal_details(answer: Answer, leaves: int, me: str) -> list[dict[str, Any]]:
    """The portal's page of an activity: cards of members, sorted by title; members that are not active are none."""
    assert isinstance(metric(answer["activity"]["agg"], "enrolmentCount"), int)
    assert all(entry["lastUpdatedOn"] is None or entry["lastUpdatedOn"] >= 0 for entry in answer["activity"]["agg"])
    cards = []
    for member in answer["members"]:
        assert member["status"] == "active", "the card of a member who is not active is undefined, and sorting throws"
        title = member["name"] + (YOU if member["userId"] == me else "")
        done = metric(member["agg"], "completedCount") or 0
        cards.append(
            {"title": text(title), "identifier": member["userId"], "progress": str(rounded(done / leaves * 100))}
        )
    return sorted(cards, key=lambda card: text(card["title"]).lower())


def portal_search(cards: Sequence[Mapping[str, Any]], query: str) -> list[str]:
    return [card["identifier"] for card in cards if query.lower() in text(card["title"]).lower()]


def portal_csv(cards: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """The file that an admin downloads: name and progress."""
    return [(text(card["title"]).replace(YOU, ""), f"{card['progress']}%") for card in cards]


def app_list(answer: Answer, query: str) -> list[str]:
    """The app's list of members, filtered by name."""
    return [member["userId"] for member in answer["members"] if query.lower() in text(member["name"]).lower()]


def app_csv(answer: Answer) -> list[str]:
    return [f'"{text(member["name"])}","{metric(member["agg"], "progress") or 0}%"' for member in answer["members"]]


def dashlet(answer: Answer, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """Rows of the dashboard of both: progress, and the score of each assessment under its name."""
    rows = []
    for member in answer["members"]:
        row: dict[str, Any] = {"name": text(member["name"]), "progress": 0}
        for entry in member["agg"]:
            if text(entry["metric"]).startswith("score:"):
                row[names[entry["metric"].split(":")[1]]] = entry["value"]
            if entry["metric"] == "progress":
                row["progress"] = entry["value"]
        rows.append(row)
    return rows
