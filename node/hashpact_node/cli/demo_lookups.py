"""The steps of ``hashpact demo`` about what follows from lists: actions, matches, withdrawals, one digest."""

from __future__ import annotations

from hashpact_node.cli.demo_cast import Cast
from hashpact_node.cli.demo_nodes import run_commands
from hashpact_node.cli.demo_pictures import bits_apart, copy_picture
from hashpact_node.cli.demo_questions import Verdict, distances, is_listed, met, publishers, value_of, verdicts
from hashpact_node.cli.demo_stage import Stage

ONE = ("acme",)
TWO = ("acme", "beta")
PDQ_BITS = 256


def compare_actions(stage: Stage, cast: Cast) -> None:
    """Show what one member's word does, and what the agreement of two does."""
    stage.step("One word, two words", "One member's word is for review. Two that agree, or one's own list, block.")
    rows = []
    own, one, two = ("block", "own-listing"), ("review", "one-member"), ("block", "members-agree")
    for picture, who, wanted in ((cast.alone, ONE, (own, one, one)), (cast.shared, TWO, (own, own, two))):
        seen = [verdicts(node, picture) for node in cast.nodes]
        rows.append((picture.name, " and ".join(who), *("\n".join(pair[0][:2]) if pair[0] else None for pair in seen)))
        both: list[list[Verdict]] = [[(action, rule, who)] * 2 for action, rule in wanted]
        stage.expect(f"{picture.name}, listed by {' and '.join(who)}, by SHA-256 and by PDQ alike", seen, both)
    stage.table(("picture", "listed by", "at acme", "at beta", "at gamma"), *rows)


def look_up(stage: Stage, cast: Cast) -> None:
    """Match a file, a copy of it that was made smaller and encoded again, and a picture that nobody lists."""
    stage.step("Uploads at gamma", "gamma has never seen a picture of acme's or beta's. Somebody uploads some.")
    copy = copy_picture(cast.shared, cast.folder)
    rows, answers = [], []
    for path in (cast.shared.path, copy, cast.stranger.path):
        stage.asked("gamma", "POST /v1/match/file", path.name)
        answer = cast.gamma.post_file("/v1/match/file", path)
        answers.append(answer)
        rows.append((path.name, met(answer, "sha256"), met(answer, "pdq"), answer["action"], publishers(answer)))
    stage.table(("upload", "SHA-256", "PDQ", "action", "listed by"), *rows)
    original, again, unknown = answers
    stage.expect("the same file matches by SHA-256", distances(original, "sha256"), {cast.shared.sha256: 0})
    stage.expect("its copy, smaller and a JPEG, does not match by SHA-256", distances(again, "sha256"), {})
    apart = bits_apart(value_of(again, "pdq"), cast.shared.pdq)
    words = f"the copy matches by PDQ, {apart} of {PDQ_BITS} bits away"
    stage.expect(words, (distances(again, "pdq"), again["action"]), ({cast.shared.pdq: apart}, "block"))
    stage.expect("a picture that nobody lists matches nothing", (unknown["action"], publishers(unknown)), ("none", ""))


def withdraw(stage: Stage, cast: Cast) -> None:
    """Let acme take a listing back."""
    picture = cast.mistaken
    stage.step("An error is taken back", f"acme should not have listed {picture.name}, and withdraws it.")
    stage.expect(f"every node lists {picture.name}", [is_listed(node, picture) for node in cast.nodes], [True] * 3)
    words = ("hashpact", "withdraw", cast.listings[picture.sha256], "--reason", "error")
    stage.typed("acme", *words)
    with stage.busy("withdrawing…"):
        run_commands((cast.acme, words[1:]))
    stage.await_(
        "it has left every node", lambda: [is_listed(node, picture) for node in cast.nodes], [False] * len(cast.nodes)
    )


def compare_digests(stage: Stage, cast: Cast) -> None:
    """Show that all have merged alike."""
    stage.step("The same list", "One digest, over all logs and what lives in them, says that nodes merged alike.")
    stage.asked("all", "GET /v1/blocklist/digest")
    found = [node.get("/v1/blocklist/digest") for node in cast.nodes]
    rows = [
        (node.member, one["listings"], one["claims"], _halved(one["digest"]))
        for node, one in zip(cast.nodes, found, strict=True)
    ]
    stage.table(("at", "listings", "claims", "digest"), *rows, right=("listings", "claims"))
    listings = sum(cast.sizes.values())  # one was withdrawn, and one came later
    stage.expect(f"all {listings} live listings are in it", [one["listings"] for one in found], [listings] * 3)
    stage.expect("it is equal on all three", [one["digest"] for one in found], [found[0]["digest"]] * 3)


def _halved(text: str) -> str:
    return f"{text[: len(text) // 2]}\n{text[len(text) // 2 :]}"
