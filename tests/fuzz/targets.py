"""Everything that is fed with broken input, by name."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import Any, NamedTuple

from .page import Labels, Page
from .peers import Peers
from .readers import Owner, Readers

Feed = Callable[[bytes], list[str]]  # takes bytes, returns the lines of refusals; whatever else it raises is a failure


class Target(NamedTuple):
    """What takes bytes, and what these are."""

    owner: Callable[[], Owner]
    feed: Callable[[Any, bytes], list[str]]
    what: str


TARGETS = {
    "card": Target(Readers, Readers.card, "a classifier's card"),
    "face-card": Target(Readers, Readers.face_card, "the face network's card"),
    "settings": Target(Readers, Readers.settings, "`kiosk.toml`"),
    "source": Target(Readers, Readers.source, "a camera's name or RTSP address"),
    "boxes": Target(Readers, Readers.boxes, "`boxes.csv`, as scenes and as photos"),
    "crops": Target(Readers, Readers.crops, "`crops.csv`"),
    "voc": Target(Readers, Readers.voc, "an annotation of Pascal VOC"),
    "yolo": Target(Readers, Readers.yolo, "an annotation of YOLO"),
    "data.yaml": Target(Readers, Readers.yaml, "YOLO's list of classes"),
    "picture": Target(Readers, Readers.picture, "a picture: grey, coloured, its size"),
    "visits": Target(Readers, Readers.visits, "the table of true visits of `replay --visits`"),
    "counts": Target(Readers, Readers.counts, "the kiosk's file of counts"),
    "keys": Target(Readers, Readers.keys, "public and private keys"),
    "secret": Target(Readers, Readers.secret, "the webhook's secret"),
    "hosts": Target(Readers, Readers.hosts, "a file of hosts to deploy to"),
    "manifest": Target(Readers, Readers.manifest, "a release's manifest, behind its signature"),
    "collected": Target(Readers, Readers.collected, "the archive of sealed crops that a kiosk sends"),
    "page": Target(Page, Page.page, "requests to the kiosk's pages"),
    "setup": Target(Page, Page.setup, "what is posted to the setup page"),
    "viewer": Target(Page, Page.viewer, "what a page says on its WebSocket"),
    "label": Target(Labels, Labels.label, "requests to the page of labels"),
    "webhook": Target(Peers, Peers.webhook, "the webhook's answers"),
    "fetch": Target(Peers, Peers.fetch, "the update server's answers"),
    "broker": Target(Peers, Peers.broker, "what an MQTT broker sends"),
}


@contextmanager
def opened(name: str) -> Iterator[Feed]:
    """Get a target ready, and away afterwards."""
    target = TARGETS[name]
    with closing(target.owner()) as owner:
        yield partial(target.feed, owner)
