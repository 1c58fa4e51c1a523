"""The first steps of ``hashpact demo``: three companies set up, meet, publish, pull, and hold the same."""

from __future__ import annotations

from hashpact_node.cli.demo_cast import MEMBERS, Cast, publication, shown_publication
from hashpact_node.cli.demo_nodes import DemoNode, run_commands
from hashpact_node.cli.demo_questions import held, pulls
from hashpact_node.cli.demo_stage import Stage
from hashpact_node.cli.tables import count, short

SHOWN_FINGERPRINT = 24
LOG_PATH = "/logs/listings-1"


def set_up(stage: Stage, cast: Cast) -> None:
    """Make three homes at the same time, and start the nodes."""
    stage.step("Three companies", "Each sets up a node: keys, trust repository, database, a process and a port.")
    for node in cast.nodes:
        stage.typed(node.member, *_init(node))
    with stage.busy("making keys…"):
        made = run_commands(*((node, _init(node)[1:]) for node in cast.nodes))
    for node, one in zip(cast.nodes, made, strict=True):
        node.fingerprint, node.token = one["fingerprint"], one["token"]
        stage.typed(node.member, "hashpact", "serve")
        node.serve()
    with stage.busy("starting…"):
        for node in cast.nodes:
            node.wait_ready()
    rows = [(node.member, node.url, node.pid, short(node.fingerprint, SHOWN_FINGERPRINT)) for node in cast.nodes]
    stage.table(("member", "address", "process", "fingerprint of its root"), *rows, right=("process",))
    stage.expect("each serves", [node.get("/v1/status")["member"] for node in cast.nodes], list(MEMBERS))
    answers = [cast.acme.unknown(path) for path in (f"{LOG_PATH}/checkpoint", "/v1/blocklist")]
    stage.expect("and answers nobody whom it does not know, about its list or anything else", answers, [401, 401])


def meet(stage: Stage, cast: Cast) -> None:
    """Let each node follow the others, pinned by fingerprint; a wrong one is refused."""
    stage.step("They meet", "Each follows the others, pinned by a fingerprint that came by another channel.")
    wrong = _add_request(cast.acme) | {"fingerprint": f"{cast.acme.fingerprint[:-8]}{'0' * 8}"}
    stage.asked("gamma", "POST /v1/peers", "acme, with the last digits of the fingerprint wrong")
    refused = cast.gamma.refusal("/v1/peers", wrong)
    stage.expect("then whoever answers at acme's address is not believed", refused, "trust-refused")
    acme, beta, gamma = cast.nodes
    pin = ("--fingerprint", short(acme.fingerprint, SHOWN_FINGERPRINT))
    stage.typed("gamma", "hashpact", "peer", "add", "acme", acme.url, *pin, "--yes")
    stage.asked("gamma", "POST /v1/peers", "beta; what commands do, the API does, too")
    stage.asked("acme", "POST /v1/peers", "beta and gamma")
    stage.asked("beta", "POST /v1/peers", "acme and gamma")
    with stage.busy("reading trust repositories…"):
        run_commands((gamma, ("peer", "add", "acme", acme.url, "--fingerprint", acme.fingerprint, "--yes")))
        for node, other in ((gamma, beta), (acme, beta), (acme, gamma), (beta, acme), (beta, gamma)):
            node.post("/v1/peers", _add_request(other))
    stage.expect(
        "each follows the two others, under the roots that these have made",
        [_followed(node) for node in cast.nodes],
        [{other.member: other.fingerprint for other in cast.others(node)} for node in cast.nodes],
    )


def publish(stage: Stage, cast: Cast) -> None:
    """Let acme and beta publish, and wait until everybody has pulled by its own schedule."""
    stage.step("They publish", "Only hashes leave a publisher. Nobody tells others to pull: schedules do.")
    for node in (cast.acme, cast.beta):
        stage.typed(node.member, *shown_publication(cast.lists[node.member]))
    with stage.busy("publishing…"):
        published = run_commands(
            *((node, publication(cast.lists[node.member])) for node in (cast.acme, cast.beta)),
        )
    for node, answer in zip((cast.acme, cast.beta), published, strict=True):
        listed = answer["listings"]
        pictures = cast.lists[node.member]
        hashes = {signal["value"] for one in listed for signal in one["signals"]}
        wanted = {value for picture in pictures for value in (picture.sha256, picture.pdq)}
        stage.expect(f"{node.member} lists SHA-256 and PDQ of {count(len(pictures), 'picture')}", hashes, wanted)
    for picture, one in zip(cast.lists["acme"], published[0]["listings"], strict=True):
        cast.listings[picture.sha256] = one["id"]
    stage.await_(
        "every node holds both lists, each entry proven to be in its publisher's log",
        lambda: [held(node) for node in cast.nodes],
        [cast.sizes] * len(cast.nodes),
    )
    stage.await_(
        "it was their schedules that pulled",
        lambda: [pulls(node) for node in cast.nodes],
        [{other.member: "ok" for other in cast.others(node)} for node in cast.nodes],
    )


def compare_holdings(stage: Stage, cast: Cast) -> None:
    """Show what each node holds, and from whom."""
    stage.step("Who holds what", "Live listings at each node by publisher, and its blocklist: signals by action.")
    rows, seen = [], []
    for node in cast.nodes:
        status = node.get("/v1/status")
        live = {log["member"]: log["live"] for log in status["logs"]}
        actions = {action: status["blocklist"][action] for action in ("block", "review")}
        rows.append((node.member, *(live.get(member) for member in MEMBERS), *actions.values()))
        seen.append((live, actions))
    figures = ("from acme", "from beta", "from gamma", "block", "review")
    stage.table(("at", *figures), *rows, right=figures)
    stage.expect(
        "all hold the same, and each judges it for itself", seen, [_holding(cast, node) for node in cast.nodes]
    )


def _init(node: DemoNode) -> tuple[str, ...]:
    return ("hashpact", "init", "--member", node.member, "--url", node.url)


def _add_request(other: DemoNode) -> dict[str, str]:
    return {"member": other.member, "url": other.url, "fingerprint": other.fingerprint}


def _followed(node: DemoNode) -> dict[str, str]:
    return {peer["member"]: peer["fingerprint"] for peer in node.get("/v1/peers")["peers"]}


def _holding(cast: Cast, node: DemoNode) -> tuple[dict[str, int], dict[str, int]]:
    """What a node must hold: listings by publisher, and signals by action, two for each picture.

    One's own are at block, what two others list is, too, and the rest of theirs at review.
    """
    all_listed = sum(cast.sizes.values()) - 1  # one picture is listed twice
    blocked = cast.sizes[node.member] or 1
    return cast.sizes, {"block": 2 * blocked, "review": 2 * (all_listed - blocked)}
