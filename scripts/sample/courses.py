"""The courses of the sample: trees as the platform stores them, with everything that makes counting hard."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from scripts.sample.ids import do_id

COLLECTION = "application/vnd.ekstep.content-collection"
QUIZ = "application/vnd.sunbird.questionset"
QUESTION = "application/vnd.sunbird.question"
Node = dict[str, Any]


def leaf(name: str, *, optional: bool = False, mime_type: str = "video/mp4") -> Node:
    node: Node = {"identifier": do_id(name), "name": name, "mimeType": mime_type, "status": "Live"}
    return node | {"relationalMetadata": {"optional": True}} if optional else node


def page(name: str, *, optional: bool = False) -> Node:
    return leaf(name, optional=optional, mime_type="application/pdf")


def quiz(name: str) -> Node:
    """A question set as it is published: with its section and questions, which are not contents of the course."""
    questions = [leaf(f"{name}, question {number}", mime_type=QUESTION) for number in (1, 2, 3)]
    return leaf(name, mime_type=QUIZ) | {
        "children": [leaf(f"{name}, section", mime_type=QUIZ) | {"children": questions}]
    }


def unit(name: str, *children: Node, **other: Any) -> Node:
    return {
        "identifier": do_id(name),
        "name": name,
        "mimeType": COLLECTION,
        "status": "Live",
        "children": list(children),
        **other,
    }


@dataclass(frozen=True)
class Course:
    """A course with its batches; `tree` is None where the platform lost the hierarchy."""

    name: str
    tree: Node | None
    batches: int = 1
    learners: int = 400  # enrolled in each batch
    leaves: list[str] = field(default_factory=list)
    quizzes: list[str] = field(default_factory=list)

    @property
    def course_id(self) -> str:
        return do_id(self.name)


def course(name: str, *children: Node, batches: int = 1, learners: int = 400, status: str = "Live") -> Course:
    tree = unit(name, *children, status=status)
    leaves = leaves_of(tree)
    quizzes = [identifier for identifier, mime_type in leaves.items() if mime_type == QUIZ]
    return Course(name, tree, batches, learners, list(leaves), quizzes)


def leaves_of(node: Node) -> dict[str, str]:
    """Contents below a node with their mimeType, each once, in the order of the tree; also those of retired units."""
    if node["mimeType"] != COLLECTION:
        return {node["identifier"]: node["mimeType"]}
    found = dict.fromkeys(node.get("leafNodes", []), "video/mp4")
    for child in node["children"]:
        found |= leaves_of(child)
    return found


WELCOME = leaf("How this platform works", optional=True)
SAFETY = page("Safety in the laboratory")
READING = unit(
    "Reading aloud",
    leaf("Choosing a text"),
    leaf("Voice and pace"),
    page("Twenty texts for beginners", optional=True),
    quiz("Quiz: reading aloud"),
)
ALGEBRA = [unit(f"Algebra, week {week}", *(leaf(f"Algebra {week}.{n}") for n in range(1, 9))) for week in range(1, 10)]


def sample_courses() -> list[Course]:
    return [
        course(
            "Foundations of literacy",
            WELCOME,
            unit("Letters and sounds", leaf("The alphabet"), leaf("Vowels"), quiz("Quiz: letters")),
            READING,
            batches=3,
        ),
        # The unit of the course above is a nested course here, with a unit inside a unit beside it.
        course(
            "Teaching languages",
            unit(
                "Planning a lesson",
                leaf("Aims"),
                unit("Materials", leaf("Pictures"), leaf("Songs")),
                quiz("Quiz: plan"),
            ),
            READING,
            batches=2,
        ),
        # One leaf in three units, one unit in two places, an optional unit.
        course(
            "Chemistry in class ten",
            unit("Acids and bases", SAFETY, leaf("What is an acid"), leaf("Indicators")),
            unit("Salts", SAFETY, leaf("Making a salt"), quiz("Quiz: salts")),
            unit("At home", SAFETY, leaf("Red cabbage"), relationalMetadata={"optional": True}),
            batches=2,
        ),
        course("Algebra from the beginning", *ALGEBRA, quiz("Quiz: algebra"), learners=250),
        course("First aid", leaf("Call for help"), leaf("The recovery position"), quiz("Quiz: first aid"), batches=2),
        course(
            "Digital citizenship",
            unit("Passwords", leaf("A good password"), leaf("Two factors")),
            unit("Phishing, as it used to be", leaf("Letters from princes"), status="Retired"),
            unit("Sharing", leaf("What to share"), quiz("Quiz: sharing")),
            learners=500,
        ),
        # A unit that was published without its children and names its leaves only.
        course(
            "Keeping a school garden",
            unit("Soil", leaf("Compost"), leaf("Worms")),
            unit("Seeds", leafNodes=[do_id("Beans"), do_id("Tomatoes")]),
        ),
        course(
            "Extra reading for the holidays", leaf("A long book", optional=True), leaf("A short book", optional=True)
        ),
        course("Census of 2011", leaf("Forms"), leaf("Questions"), status="Retired", learners=60),
        Course("Lost in migration", tree=None, learners=40),
    ]
